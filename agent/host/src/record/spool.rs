//! How much of the record log is kept, and how far the control service has it.
//!
//! **Invariant:** what nobody acknowledged is never dropped below the limit, and never without a word.

use std::sync::atomic::{AtomicU64, Ordering};

use super::segments::SEGMENT_BYTES_MAX;

/// Where settings say nothing: some 700,000 records, which a busy host writes in years.
const USUAL_BYTES: u64 = 1 << 30;

/// The segment that is written, and the one before it.
const SEGMENTS_MIN: u64 = 2;

/// Shared between the log and whoever sends its records on.
#[derive(Debug)]
pub struct Spool {
    bytes: u64,
    /// Everything up to here is elsewhere as well; the largest number where nobody wants it.
    acked: AtomicU64,
    /// Records that went unacknowledged, and up to where that was counted.
    dropped: AtomicU64,
    dropped_up_to: AtomicU64,
}

impl Default for Spool {
    fn default() -> Self {
        Self::of_nobody(USUAL_BYTES)
    }
}

impl Spool {
    /// Of records that nobody waits for.
    pub fn of_nobody(bytes: u64) -> Self {
        Self::acknowledged(bytes, u64::MAX)
    }

    /// Of records that are sent on, and were acknowledged up to a sequence.
    pub fn acknowledged(bytes: u64, acked: u64) -> Self {
        let [dropped, dropped_up_to] = [0, 0].map(AtomicU64::new);
        Self { bytes, acked: AtomicU64::new(acked), dropped, dropped_up_to }
    }

    /// Hears how far records were acknowledged.
    pub fn acknowledge(&self, acked: u64) {
        self.acked.store(acked, Ordering::Relaxed);
    }

    /// How many bytes are kept at most.
    pub fn limit(&self) -> u64 {
        self.bytes
    }

    /// Records that were dropped since the start, and that nobody had acknowledged.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Segments that are kept.
    pub(super) fn segments_max(&self) -> usize {
        usize::try_from((self.bytes / SEGMENT_BYTES_MAX).max(SEGMENTS_MIN)).unwrap_or(usize::MAX)
    }

    /// Hears that the records up to a sequence are dropped.
    pub(super) fn drop_up_to(&self, seq: u64) {
        let acked = self.acked.load(Ordering::Relaxed);
        if seq > acked {
            let counted = self.dropped_up_to.fetch_max(seq, Ordering::Relaxed);
            let lost = seq.saturating_sub(counted.max(acked));
            self.dropped.fetch_add(lost, Ordering::Relaxed);
            tracing::error!(
                from = acked + 1,
                up_to = seq,
                limit = self.bytes,
                "records are dropped that the control service does not have: control.spool is full"
            );
        }
    }
}
