//! What the loop tells the local API, and what the local API asks of the loop.
//!
//! **Invariant:** the API never waits for the loop: it reads the last word.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::status::Status;

/// Shared between the loop and the local API.
#[derive(Debug, Default)]
pub struct Board {
    status: Mutex<Status>,
    asked: Mutex<Asked>,
    bell: Condvar,
}

/// What was asked of the loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// A cycle now.
    pub sync: bool,
    /// The end.
    pub stop: bool,
}

impl Board {
    /// The last status.
    pub fn status(&self) -> Status {
        lock(&self.status).clone()
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

    /// Asks for the end.
    pub fn ask_stop(&self) {
        lock(&self.asked).stop = true;
        self.bell.notify_all();
    }

    /// Whether the end was asked for.
    pub fn is_stopping(&self) -> bool {
        lock(&self.asked).stop
    }

    /// Waits until something is asked, or the time is up; `None` waits without end. A sync that was
    /// asked for is taken.
    pub fn wait(&self, time: Option<Duration>) -> Asked {
        let quiet = |asked: &mut Asked| !asked.sync && !asked.stop;
        let asked = lock(&self.asked);
        let mut asked = match time {
            Some(time) => {
                let waited = self.bell.wait_timeout_while(asked, time, quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.bell.wait_while(asked, quiet).unwrap_or_else(PoisonError::into_inner),
        };
        let seen = *asked;
        asked.sync = false;
        seen
    }

    /// Waits for a time, unless the end is asked for; true when it was.
    pub fn pause(&self, time: Duration) -> bool {
        let asked = lock(&self.asked);
        let waited = self.bell.wait_timeout_while(asked, time, |asked| !asked.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
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
        assert_eq!(board.wait(None), Asked { sync: true, stop: false });
        assert_eq!(board.wait(Some(Duration::ZERO)), Asked::default());
        board.ask_stop();
        assert!(board.wait(None).stop && board.wait(None).stop);
    }
}
