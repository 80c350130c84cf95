//! What the process counts about itself.
//!
//! **Invariant:** labels are routes, statuses and kinds: their number is fixed by this program.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Meters {
    /// Records that were new.
    pub(super) taken: AtomicU64,
    /// Records that were sent.
    pub(super) sent: AtomicU64,
    /// Batches that did not continue their chain.
    pub(super) broken: AtomicU64,
    /// Messages whose signature or form was refused.
    pub(super) refused: AtomicU64,
    requests: Mutex<BTreeMap<(String, u16), u64>>,
}

impl Meters {
    pub(super) fn add(meter: &AtomicU64, number: u64) {
        meter.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self, route: &str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route.to_owned(), status)).or_default() += 1;
    }

    pub(super) fn requests(&self) -> Vec<((String, u16), u64)> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().map(|(key, number)| (key.clone(), *number)).collect()
    }
}
