//! How long each phase of a cycle took, as its record tells.
//!
//! **Invariant:** only what this process saw counts: what a crash lost is absent, never zero.
//! **Invariant:** no wall clock is asked.

use std::collections::BTreeMap;
use std::time::Duration;

/// What was spent in each phase since the cycle began.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    spent: BTreeMap<&'static str, Duration>,
    phase: &'static str,
    since: Option<Duration>,
}

impl Durations {
    /// A turn in a phase is taken. What was thought about it belongs to it: so what is verified of a
    /// fetch counts as verifying.
    pub(crate) fn enter(&mut self, phase: &'static str, now: Duration) {
        self.phase = phase;
        self.since.get_or_insert(now);
    }

    /// The turn was taken.
    pub(crate) fn spend(&mut self, now: Duration) {
        let since = self.since.replace(now).unwrap_or(now);
        *self.spent.entry(self.phase).or_default() += now.saturating_sub(since);
    }

    /// The turn was a rest, which is no part of what is done.
    pub(crate) fn skip(&mut self, now: Duration) {
        self.since = Some(now);
    }

    /// Another cycle begins.
    pub(crate) fn begin(&mut self) {
        self.spent.clear();
    }

    /// Milliseconds in each phase, the one at hand as far as it is.
    pub(crate) fn so_far(&self, now: Duration) -> BTreeMap<String, u64> {
        let mut spent = self.spent.clone();
        let at_hand = now.saturating_sub(self.since.unwrap_or(now));
        *spent.entry(self.phase).or_default() += at_hand;
        let millis = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        spent.into_iter().map(|(phase, time)| (phase.to_owned(), millis(time))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn thinking_counts_to_what_it_leads_to_and_resting_to_nothing() {
        let mut durations = Durations::default();
        // The first turn of a process: what was before it was nobody's.
        durations.enter("revert", at(1_000));
        durations.spend(at(1_010));
        durations.enter("rest", at(1_012));
        durations.begin();
        durations.skip(at(60_000));
        for (phase, begins, ends) in
            [("fetch", 60_001, 60_100), ("verify", 60_140, 60_150), ("probe", 60_150, 60_350)]
        {
            durations.enter(phase, at(begins));
            durations.spend(at(ends));
        }
        durations.enter("probe", at(60_351));
        durations.spend(at(60_400));
        // A rest in the middle: something decided is not kept yet.
        durations.enter("report", at(60_401));
        durations.skip(at(90_000));
        durations.enter("report", at(90_001));
        let told = durations.so_far(at(90_007));
        let want = [("fetch", 100), ("probe", 250), ("report", 7), ("verify", 50)];
        assert_eq!(told, want.map(|(phase, ms)| (phase.to_owned(), ms)).into());
    }
}
