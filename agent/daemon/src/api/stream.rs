//! Server-sent events for one listener.
//!
//! **Invariant:** somebody who listens hears from the agent at least four times a minute, or it is gone.
//! **Invariant:** a listener that was let go hears that, as the last event.

use std::task::{Context, Poll};
use std::time::Duration;

use bowline_api::ask::event;
use hyper::body::Bytes;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::events::Ear;

/// Between two signs of life: shorter than what proxies wait for.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events as they come.
#[derive(Debug)]
pub(super) struct Stream {
    ear: Ear,
    first: Option<String>,
    heart: Interval,
    over: bool,
}

impl Stream {
    /// Listens, and tells the phase at once.
    pub(super) fn new(ear: Ear, phase: &str) -> Self {
        let first = format!("event: {}\ndata: {{\"phase\":{phase:?}}}\n\n", event::PHASE);
        let mut heart = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ear, first: Some(first), heart, over: false }
    }

    /// What is sent next.
    pub(super) fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first.into()));
        }
        if self.over {
            return Poll::Ready(None);
        }
        match self.ear.heard.poll_recv(context) {
            Poll::Ready(Some(text)) => Poll::Ready(Some(Bytes::copy_from_slice(text.as_bytes()))),
            Poll::Ready(None) => {
                self.over = true;
                let detail = "events are missing: listen again, and read /v1/status";
                let last = format!("event: {}\ndata: {{\"detail\":{detail:?}}}\n\n", event::LAGGED);
                Poll::Ready(self.ear.has_lagged().then(|| last.into()))
            }
            Poll::Pending => {
                self.heart.poll_tick(context).map(|_| Some(Bytes::from_static(b": alive\n\n")))
            }
        }
    }
}
