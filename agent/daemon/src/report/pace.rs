//! When the control service is asked again after it could not, or would not.
//!
//! **Invariant:** the wait grows to a limit, and a fleet does not come back all at once.

use std::time::Duration;

/// The first wait: a service that is being restarted is back by then.
const FIRST: Duration = Duration::from_secs(1);

/// The longest of its own accord: an outage of hours costs a host some hundred requests.
const LONGEST: Duration = Duration::from_mins(5);

/// The longest that a service may ask for: it may be wrong about its own troubles.
const ASKED_LONGEST: Duration = Duration::from_hours(1);

/// How often in a row it went wrong.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// It went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait now: between half of the time and all of it, by `chance` in 0..1000. Never less
    /// than the service asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>, chance: u32) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let wait = whole.saturating_mul(1000 + chance.min(1000)) / 2000;
        wait.max(asked.unwrap_or_default().min(ASKED_LONGEST))
    }

    /// A wait for what only a person can put right.
    pub(super) fn slow(&mut self, chance: u32) -> Duration {
        self.failures = u32::MAX;
        self.next(None, chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_begins_anew_after_success() {
        let mut pace = Pace::default();
        let waits: Vec<u64> = (0..12).map(|_| pace.next(None, 1000).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        pace.reset();
        assert_eq!(pace.next(None, 0), FIRST / 2, "half of it at least");
    }

    #[test]
    fn a_service_may_ask_for_more_but_not_for_ever() {
        let mut pace = Pace::default();
        assert_eq!(pace.next(Some(Duration::from_mins(2)), 0), Duration::from_mins(2));
        assert_eq!(pace.next(Some(Duration::MAX), 0), ASKED_LONGEST);
        assert_eq!(pace.slow(1000), LONGEST);
    }
}
