//! How long events are gathered before they are looked at.
//!
//! **Invariant:** a single change is looked at soon; whoever changes things all the time does not keep
//! the agent busy.

use std::time::Duration;

use super::Heard;

/// An editor writes, renames and sets a mode: one look for all of it.
const FIRST: Duration = Duration::from_secs(1);

/// After so long without an event the next one is looked at soon.
const QUIET: Duration = Duration::from_secs(30);

/// Where nothing concerns the agent, emptying the queue is all that is done, and a change of a managed
/// file may be among it.
const LONGEST_CHAFF: Duration = Duration::from_secs(10);

/// Who fights the agent over a file is answered as often as the look around would answer anyway.
const LONGEST_HINT: Duration = Duration::from_mins(10);

/// How long events are gathered.
#[derive(Debug)]
pub struct Pace {
    wait: Duration,
    longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { wait: Duration::ZERO, longest: LONGEST_CHAFF }
    }
}

impl Pace {
    /// How long to gather, when nothing came for `quiet` before.
    pub fn gather(&mut self, quiet: Duration) -> Duration {
        let again = quiet < QUIET && !self.wait.is_zero();
        self.wait = if again { self.wait.saturating_mul(2).min(self.longest) } else { FIRST };
        self.wait
    }

    /// What was gathered.
    pub fn heard(&mut self, heard: Heard) {
        self.longest = match heard {
            Heard::Chaff => LONGEST_CHAFF,
            Heard::Hint => LONGEST_HINT,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(quiet: u64, heard: Heard, times: usize) -> Vec<u64> {
        let mut pace = Pace::default();
        let mut next = || {
            let wait = pace.gather(Duration::from_secs(quiet));
            pace.heard(heard);
            wait.as_secs()
        };
        (0..times).map(|_| next()).collect()
    }

    #[test]
    fn changes_far_apart_are_each_looked_at_soon() {
        assert_eq!(waits(60, Heard::Hint, 3), [1, 1, 1]);
    }

    #[test]
    fn a_fight_is_answered_ever_more_rarely() {
        let waits = waits(1, Heard::Hint, 12);
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    }

    #[test]
    fn a_busy_neighbour_delays_a_hint_by_seconds_only() {
        assert_eq!(waits(0, Heard::Chaff, 6), [1, 2, 4, 8, 10, 10]);
    }
}
