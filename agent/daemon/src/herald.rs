//! What the service manager hears of the agent: that it is ready, what it does, that its loop goes on.
//!
//! **Invariant:** the watchdog is fed by the loop itself: before each effect, for as long as that effect
//! may take, and in slices while it waits. A loop that hangs feeds nothing.
//! **Invariant:** without a service manager nothing is said.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bowline_host::door::clock;
use bowline_host::door::notify::Notifier;

/// The longest that anything may take for which no time of its own is known: a slow disk's sync.
const GRACE: Duration = Duration::from_mins(3);

/// What the service manager left in the environment.
#[derive(Debug, Clone, Default)]
pub struct Summons {
    /// `$NOTIFY_SOCKET`.
    pub socket: Option<OsString>,
    /// `$WATCHDOG_USEC`.
    pub watchdog: Option<OsString>,
    /// `$WATCHDOG_PID`.
    pub watchdog_pid: Option<OsString>,
}

/// Speaks to the service manager.
#[derive(Debug, Default)]
pub struct Herald {
    notifier: Option<Notifier>,
    watchdog: Option<Duration>,
    said: Mutex<Said>,
}

/// What was said last.
#[derive(Debug, Default)]
struct Said {
    ready: bool,
    stopping: bool,
    allowance: Duration,
    status: String,
}

impl Herald {
    /// A herald for whoever started this process.
    pub fn for_summons(summons: &Summons) -> Self {
        let opened = summons.socket.as_deref().map(Notifier::at);
        let notifier = match opened {
            Some(Ok(notifier)) => Some(notifier),
            Some(Err(error)) => {
                tracing::warn!(%error, "the service manager's NOTIFY_SOCKET cannot be used");
                None
            }
            None => None,
        };
        let number = |it: &OsString| it.to_str()?.parse::<u64>().ok();
        // Without a process id the watchdog is meant for whoever hears of it.
        let is_mine = summons
            .watchdog_pid
            .as_ref()
            .is_none_or(|it| number(it) == Some(u64::from(std::process::id())));
        let watchdog = summons.watchdog.as_ref().and_then(number).filter(|it| *it > 0 && is_mine);
        let watchdog = watchdog.map(Duration::from_micros).filter(|_| notifier.is_some());
        Self { notifier, watchdog, said: Mutex::default() }
    }

    /// The API listens, and what an earlier process left is ended.
    pub fn ready(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.ready {
            said.ready = true;
            self.say("READY=1");
        }
    }

    /// The settings are read again.
    pub fn reloading(&self) {
        let micros = clock::monotonic().as_micros();
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The settings were read again.
    pub fn reloaded(&self) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is not ready yet says so when it is.
        if said.ready {
            self.say("READY=1");
        }
    }

    /// The agent was asked to end: after what it does now, which may take as long as it may.
    pub fn stopping(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.stopping = true;
        self.say(&format!("STOPPING=1\n{}", extended(said.allowance)));
    }

    /// What the agent does, in one line.
    pub fn status(&self, line: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.status != line && self.notifier.is_some() {
            line.clone_into(&mut said.status);
            self.say(&format!("STATUS={}", line.replace('\n', " ")));
        }
    }

    /// The loop goes on, and does something now that may take so long.
    ///
    /// The watchdog's time is set anew each time: it is long while a program may legally run for ten
    /// minutes, and short while nothing may.
    pub fn beat(&self, allowance: Duration) {
        if self.notifier.is_none() {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.allowance = allowance;
        let mut lines = Vec::new();
        if !said.ready || said.stopping {
            // Going back after a crash takes as long as it takes; a start that hangs is still ended.
            lines.push(extended(allowance));
        }
        if let Some(watchdog) = self.watchdog {
            let micros = watchdog.saturating_add(allowance).as_micros();
            lines.push(format!("WATCHDOG_USEC={micros}\nWATCHDOG=1"));
        }
        if !lines.is_empty() {
            self.say(&lines.join("\n"));
        }
    }

    /// How long the loop may wait without a word.
    pub fn slice(&self) -> Option<Duration> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // A start that waits for something has to ask for its time as well.
        let starting = self.notifier.is_some() && !said.ready;
        self.watchdog.map(|it| it / 2).or(starting.then_some(GRACE / 2))
    }

    fn say(&self, lines: &str) {
        if let Some(Err(error)) = self.notifier.as_ref().map(|it| it.say(lines)) {
            tracing::debug!(%error, "the service manager does not hear");
        }
    }
}

/// What asks for more time to start or to end.
fn extended(allowance: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", GRACE.saturating_add(allowance).as_micros())
}
