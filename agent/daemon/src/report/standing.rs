//! How the host stands with its control service, told to the status and the log.
//!
//! **Invariant:** a change is logged once; what lasts stands in the status, with its beginning.

use std::sync::Arc;
use std::time::Duration;

use bowline_api::status::{Control, Reporting};
use bowline_host::door::clock;
use bowline_host::record::{Outbox, Spool};
use jiff::Timestamp;

use crate::board::Board;

/// Bytes that wait are counted no more often: a long spool has thousands of files.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What is told.
#[derive(Debug)]
pub(super) struct Standing {
    board: Arc<Board>,
    told: Control,
    spool: Arc<Spool>,
    counted: Option<Duration>,
}

impl Standing {
    pub(super) fn begin(board: Arc<Board>, url: String, spool: Arc<Spool>) -> Self {
        let told = Control {
            url,
            state: Reporting::Starting,
            acked: 0,
            waiting: 0,
            waiting_bytes: 0,
            spool_bytes: spool.limit(),
            dropped: 0,
            since: now(),
            last_error: None,
        };
        let standing = Self { board, told, spool, counted: None };
        standing.publish();
        standing
    }

    /// How it stands.
    pub(super) fn told(&self) -> &Control {
        &self.told
    }

    /// Tells how many records were acknowledged, and how many wait.
    pub(super) fn count(&mut self, acked: u64, kept: u64, outbox: &Outbox) {
        self.told.acked = acked;
        self.told.waiting = kept.saturating_sub(acked);
        self.told.dropped = self.spool.dropped();
        self.weigh(outbox);
        self.publish();
    }

    /// Tells how many bytes wait; what nearly fills the spool is logged as it begins to.
    fn weigh(&mut self, outbox: &Outbox) {
        let was_warned = self.told.spool_warning().is_some();
        if self.told.waiting == 0 {
            self.told.waiting_bytes = 0;
            return;
        }
        let now = clock::since_boot();
        if self.counted.is_some_and(|it| now < it.saturating_add(COUNT_EVERY)) {
            return;
        }
        // What cannot be read is told when it is sent.
        let Ok(bytes) = outbox.bytes_behind(self.told.acked) else { return };
        self.counted = Some(now);
        self.told.waiting_bytes = bytes;
        if let Some(warning) = self.told.spool_warning().filter(|_| !was_warned) {
            tracing::warn!(warning, "the spool is nearly full");
        }
    }

    /// Tells how it stands now; `error`: what is wrong.
    pub(super) fn tell(&mut self, state: Reporting, error: Option<String>) {
        if state != self.told.state {
            self.told.since = now();
            let (url, waiting) = (&self.told.url, self.told.waiting);
            match &error {
                None => tracing::info!(url, waiting, "the control service takes records"),
                Some(error) => {
                    tracing::warn!(url, waiting, state = state.word(), error, "records wait");
                }
            }
        }
        self.told.state = state;
        self.told.last_error = error;
        self.publish();
    }

    fn publish(&self) {
        let told = self.told.clone();
        self.board.tell(|status| status.control = Some(told));
    }
}

fn now() -> String {
    Timestamp::from_second(clock::wall()).unwrap_or_default().to_string()
}
