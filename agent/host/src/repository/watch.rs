//! Watches over a fetch while it runs: bytes, objects, time, and whether the agent is to stop.
//!
//! **Invariant:** whoever reads, copies or unpacks asks the watch before going on.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::fetch_failure::FetchFailure;
use crate::door::clock;
use crate::wire::BadAnswer;

/// Far more than any repository of manifests holds.
pub(super) const OBJECTS_MAX: usize = 2_000_000;

/// How much a fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Bytes received.
    pub bytes: u64,
    /// Time for all sources together.
    pub timeout: Duration,
}

/// Watches over a fetch from one source.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    /// The source as it is shown.
    pub(super) url: String,
    limits: &'a FetchLimits,
    deadline: Duration,
    stop: &'a Arc<AtomicBool>,
    bytes: Cell<u64>,
    objects: Cell<usize>,
}

impl<'a> Watch<'a> {
    /// Begins to watch; the deadline is that of all sources together.
    pub(super) fn over(
        url: String,
        limits: &'a FetchLimits,
        deadline: Duration,
        stop: &'a Arc<AtomicBool>,
    ) -> Self {
        Self { url, limits, deadline, stop, bytes: Cell::new(0), objects: Cell::new(0) }
    }

    /// How many bytes may come.
    pub(super) fn bytes_max(&self) -> u64 {
        self.limits.bytes
    }

    /// Set when the agent is to stop.
    pub(super) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(self.stop)
    }

    /// Bytes counted so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Counts bytes anew: what came before is thrown away.
    pub(super) fn begin_again(&self) {
        self.bytes.set(0);
    }

    /// Counts, and says whether the fetch may go on.
    pub(super) fn go_on(&self, bytes: u64, objects: u32) -> bool {
        self.count(bytes, objects as usize).is_ok()
    }

    /// Counts, and fails when it is too much or too late.
    pub(super) fn count(&self, bytes: u64, objects: usize) -> Result<(), FetchFailure> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.objects.set(self.objects.get().max(objects));
        self.check()
    }

    /// How long the fetch may still take.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_sub(clock::since_boot())
    }

    /// Whether the fetch may go on; else why not.
    pub(super) fn check(&self) -> Result<(), FetchFailure> {
        let url = self.url.clone();
        if self.stop.load(Ordering::Relaxed) {
            return Err(FetchFailure::Stopped { url });
        }
        if self.bytes.get() > self.limits.bytes {
            let limit = format!("{} bytes", self.limits.bytes);
            return Err(FetchFailure::TooLarge { url, limit });
        }
        if self.objects.get() > OBJECTS_MAX {
            return Err(self.too_many());
        }
        if self.left().is_zero() {
            return Err(self.timed_out());
        }
        Ok(())
    }

    /// There are too many objects.
    pub(super) fn too_many(&self) -> FetchFailure {
        FetchFailure::TooLarge { url: self.url.clone(), limit: format!("{OBJECTS_MAX} objects") }
    }

    /// It takes too long.
    pub(super) fn timed_out(&self) -> FetchFailure {
        FetchFailure::TimedOut { url: self.url.clone(), timeout: self.limits.timeout }
    }

    /// What is wrong with an answer.
    pub(super) fn answer(&self, source: BadAnswer) -> FetchFailure {
        FetchFailure::Answer { url: self.url.clone(), source }
    }

    /// A failure to read; when the watch stopped the reading, that is the cause.
    pub(super) fn failure(&self, doing: &'static str, source: git2::Error) -> FetchFailure {
        match self.check() {
            Err(failure) => failure,
            Ok(()) => FetchFailure::Git { doing, url: self.url.clone(), source },
        }
    }
}
