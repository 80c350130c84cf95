//! What the loop counts about itself.
//!
//! **Invariant:** its keys are words of this program, so their number is fixed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::outcome::Outcome;

/// What came of asking the remotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// The branch names another commit than before.
    Changed,
    /// It names the same.
    Unchanged,
    /// None of them answered well.
    Failed,
}

impl Polled {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Changed, Self::Unchanged, Self::Failed];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Meters {
    inner: Mutex<Counts>,
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Times that the remotes were asked, by what came of it.
    pub polls: BTreeMap<&'static str, u64>,
    /// Bytes that remotes sent.
    pub fetched_bytes: u64,
    /// Cycles by how they ended, and when one last did, in seconds since 1970.
    pub cycles: BTreeMap<&'static str, (u64, i64)>,
    /// Phases by their word: how often, and how long in all.
    pub phases: BTreeMap<&'static str, (u64, Duration)>,
    at: Option<(&'static str, Duration)>,
}

impl Meters {
    /// The loop is in a phase, since this time of the boot clock.
    pub fn enter(&self, phase: &'static str, now: Duration) {
        let mut counts = self.lock();
        if counts.at.is_some_and(|(before, _)| before == phase) {
            return;
        }
        if let Some((before, since)) = counts.at.replace((phase, now)) {
            let (times, time) = counts.phases.entry(before).or_default();
            (*times, *time) = (*times + 1, *time + now.saturating_sub(since));
        }
    }

    /// A server of archives sent so many bytes.
    pub fn receive(&self, bytes: u64) {
        let mut counts = self.lock();
        counts.fetched_bytes = counts.fetched_bytes.saturating_add(bytes);
    }

    /// The remotes were asked, and sent so many bytes.
    pub fn poll(&self, polled: Polled, bytes: u64) {
        let mut counts = self.lock();
        *counts.polls.entry(polled.word()).or_default() += 1;
        counts.fetched_bytes = counts.fetched_bytes.saturating_add(bytes);
    }

    /// A cycle ended.
    pub fn end(&self, outcome: Outcome, wall: i64) {
        let mut counts = self.lock();
        let (times, at) = counts.cycles.entry(outcome.word()).or_default();
        (*times, *at) = (*times + 1, wall);
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
