//! A process of ours: started with its log, looked after, killed, stopped.
//!
//! **Invariant:** it is ended by its own process id, and waited for.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// An agent stops at its next barrier, the board once it has answered.
const STOP: Duration = Duration::from_secs(20);

/// Lines of the log that explain a failure.
const LAST_WORDS: usize = 12;

/// A process that may run.
#[derive(Debug)]
pub(crate) struct Process {
    called: &'static str,
    log: PathBuf,
    running: Option<Child>,
}

impl Process {
    /// One that does not run yet.
    pub(crate) fn new(called: &'static str, log: PathBuf) -> Self {
        Self { called, log, running: None }
    }

    /// Starts it; gives its process id.
    pub(crate) fn start(&mut self, mut command: Command) -> Result<u32> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("open the log of {}", self.called))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // A group of its own: Ctrl-C ends the demo, and the demo ends the process.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("start {}", self.called))?;
        let pid = child.id();
        self.running = Some(child);
        Ok(pid)
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(ended) = self.running.as_mut().and_then(|it| it.try_wait().transpose()) {
            self.running = None;
            let ended = ended.with_context(|| format!("look at {}", self.called))?;
            bail!("{} has ended by itself: {ended}", self.called);
        }
        Ok(())
    }

    /// Ends it with SIGKILL: whatever it was doing stays as it is.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut child = self.running.take().with_context(|| format!("{} is down", self.called))?;
        child.kill().with_context(|| format!("kill {}", self.called))?;
        child.wait().with_context(|| format!("wait for the end of {}", self.called))?;
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.running.take() else { return Ok(()) };
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        kill(pid, Signal::SIGTERM)?;
        for _ in 0..STOP.as_millis() / 10 {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let from = lines.len().saturating_sub(LAST_WORDS);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{} could not be stopped: {error:#}", self.called);
        }
    }
}
