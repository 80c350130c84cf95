//! How long anything over the network may take.
//!
//! **Invariant:** nothing is waited for without an end, and the agent's own end is noticed meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::failure::HttpFailure;
use crate::door::clock;

/// How often a wait looks whether the agent is ending: soon enough for a person, seldom enough to be free.
const STOP_LOOK: Duration = Duration::from_millis(100);

/// The patience that is left for one request.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// When all must be over, on the boot clock.
    end: Duration,
    /// How long all may take.
    total: Duration,
    stop: Arc<AtomicBool>,
}

impl Patience {
    /// Begins to count.
    pub(super) fn begin(total: Duration, stop: &Arc<AtomicBool>) -> Self {
        let end = clock::since_boot().saturating_add(total);
        Self { end, total, stop: Arc::clone(stop) }
    }

    /// Waits for something that a server is to do, for at most `limit` and what is left of the whole.
    pub(super) async fn wait<T>(
        &self,
        peer: &str,
        what: &'static str,
        limit: Duration,
        done: impl Future<Output = T>,
    ) -> Result<T, HttpFailure> {
        let alone = clock::since_boot().saturating_add(limit);
        let (end, limit) = if alone < self.end { (alone, limit) } else { (self.end, self.total) };
        tokio::pin!(done);
        loop {
            let peer = || peer.to_owned();
            if self.stop.load(Ordering::Relaxed) {
                return Err(HttpFailure::Stopped { peer: peer() });
            }
            let left = end.saturating_sub(clock::since_boot());
            if left.is_zero() {
                return Err(HttpFailure::Late { peer: peer(), what, limit });
            }
            if let Ok(value) = timeout(left.min(STOP_LOOK), &mut done).await {
                return Ok(value);
            }
        }
    }
}
