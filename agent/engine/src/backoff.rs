//! How long to wait after failures in a row.
//!
//! **Invariant:** the wait grows, and never beyond a limit.

use std::time::Duration;

/// The first wait: long enough that a lock or a restart is over, short for a person who looks.
const FIRST: Duration = Duration::from_secs(5);

/// The longest wait: an operator who mended something does not wait longer for it to be noticed.
const LONGEST: Duration = Duration::from_mins(10);

/// The wait after this many failures in a row.
pub fn after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        let waits: Vec<u64> = (1..=9).map(|it| after(it).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(after(u32::MAX), LONGEST);
    }
}
