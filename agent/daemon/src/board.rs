//! What the loop tells the local API, and what the local API asks of the loop.
//!
//! **Invariant:** the API never waits for the loop: it reads the last word.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::status::Status;
use bowline_host::door::clock;

use crate::herald::Herald;

/// Shared between the loop and the local API.
#[derive(Debug, Default)]
pub struct Board {
    status: Mutex<Status>,
    notes: Mutex<Vec<String>>,
    asked: Mutex<Asked>,
    bell: Condvar,
    herald: Herald,
}

/// What was asked of the loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// A cycle now.
    pub sync: bool,
    /// The end.
    pub stop: bool,
    /// Another look at settings and trust file.
    pub reload: bool,
}

impl Asked {
    fn is_quiet(self) -> bool {
        self == Self::default()
    }
}

impl Board {
    /// A board whose loop is told to a service manager.
    pub fn with(herald: Herald) -> Self {
        Self { herald, ..Self::default() }
    }

    /// Who speaks to the service manager.
    pub fn herald(&self) -> &Herald {
        &self.herald
    }

    /// The last status, and what a person should know of the settings.
    pub fn status(&self) -> Status {
        let mut status = lock(&self.status).clone();
        status.warnings.extend(lock(&self.notes).iter().cloned());
        status
    }

    /// What a person should know of the settings, from now on.
    pub fn note(&self, notes: Vec<String>) {
        *lock(&self.notes) = notes;
    }

    /// Changes the status.
    pub fn tell(&self, change: impl FnOnce(&mut Status)) {
        change(&mut lock(&self.status));
    }

    /// Asks for a cycle now.
    pub fn ask_sync(&self) {
        lock(&self.asked).sync = true;
        self.bell.notify_all();
    }

    /// Asks for another look at settings and trust file, and for a cycle under them.
    pub fn ask_reload(&self) {
        lock(&self.asked).reload = true;
        self.bell.notify_all();
    }

    /// Asks for the end.
    pub fn ask_stop(&self) {
        lock(&self.asked).stop = true;
        self.bell.notify_all();
    }

    /// Whether the end was asked for.
    pub fn is_stopping(&self) -> bool {
        lock(&self.asked).stop
    }

    /// Waits until something is asked, or the time is up; `None` waits without end. What was asked for
    /// is taken, but for the end, which stays.
    pub fn wait(&self, time: Option<Duration>) -> Asked {
        let mut asked = self.wait_until(time, |asked| !asked.is_quiet());
        let seen = *asked;
        *asked = Asked { stop: seen.stop, ..Asked::default() };
        seen
    }

    /// Waits for a time, unless the end is asked for; true when it was.
    pub fn pause(&self, time: Duration) -> bool {
        self.wait_until(Some(time), |asked| asked.stop).stop
    }

    /// Waits in slices, so that the service manager hears that the loop still turns.
    fn wait_until(
        &self,
        time: Option<Duration>,
        enough: impl Fn(Asked) -> bool,
    ) -> MutexGuard<'_, Asked> {
        let end = time.map(|it| clock::since_boot().saturating_add(it));
        loop {
            let left = end.map(|it| it.saturating_sub(clock::since_boot()));
            let slice = left.into_iter().chain(self.herald.slice()).min();
            let asked = lock(&self.asked);
            let more = |asked: &mut Asked| !enough(*asked);
            let asked = match slice {
                Some(slice) => {
                    let waited = self.bell.wait_timeout_while(asked, slice, more);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.bell.wait_while(asked, more).unwrap_or_else(PoisonError::into_inner),
            };
            if enough(*asked) || left.is_some_and(|it| it.is_zero()) {
                return asked;
            }
            drop(asked);
            self.herald.beat(Duration::ZERO);
        }
    }
}

/// A thread that panicked while holding the board left plain values, which are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_once_and_an_end_stays() {
        let board = Board::default();
        board.ask_sync();
        assert_eq!(board.wait(None), Asked { sync: true, ..Asked::default() });
        assert_eq!(board.wait(Some(Duration::ZERO)), Asked::default());
        board.ask_stop();
        assert!(board.wait(None).stop && board.wait(None).stop);
    }
}
