//! How the host stands with its control service, told to the status and the log.
//!
//! **Invariant:** a change is logged once; what lasts stands in the status, with its beginning.

use std::sync::Arc;

use bowline_api::status::{Control, Reporting};
use bowline_host::door::clock;
use jiff::Timestamp;

use crate::board::Board;

/// What is told.
#[derive(Debug)]
pub(super) struct Standing {
    board: Arc<Board>,
    told: Control,
}

impl Standing {
    pub(super) fn begin(board: Arc<Board>, url: String) -> Self {
        let told = Control {
            url,
            state: Reporting::Starting,
            acked: 0,
            waiting: 0,
            since: now(),
            last_error: None,
        };
        let standing = Self { board, told };
        standing.publish();
        standing
    }

    /// How it stands.
    pub(super) fn told(&self) -> &Control {
        &self.told
    }

    /// Tells how many records were acknowledged, and how many wait.
    pub(super) fn count(&mut self, acked: u64, kept: u64) {
        self.told.acked = acked;
        self.told.waiting = kept.saturating_sub(acked);
        self.publish();
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
