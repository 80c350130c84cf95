//! Reads a request's body, within its limits.
//!
//! **Invariant:** no more than the limit is ever held, of one body and of all together; what strangers send
//! leaves room for hosts whose key is known.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Service;
use super::answer::Refusal;

/// Largest body: one record of the largest size, or some hundred usual ones.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// How much of a body that is too large is read and thrown away, so that its sender hears why: a
/// connection that is closed on unread bytes loses the answer.
const DRAIN_BYTES_MAX: usize = 8 << 20;

/// How long that takes at most: whoever is refused hears so before they sent everything.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// What each body may hold unweighed: a usual record or some, and no more than a connection's own buffers.
const FREE_BYTES: usize = 16 << 10;

/// What bodies hold beyond that, in KiB: as much again for hosts that are known as for everybody else. Both
/// together are an eighth of the unit's `MemoryMax=`.
const HELD_KIB_MAX: usize = 64 << 10;

/// Room for bodies.
#[derive(Debug)]
pub(super) struct Room {
    strangers: Arc<Semaphore>,
    hosts: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        let half = || Arc::new(Semaphore::new(HELD_KIB_MAX));
        Self { strangers: half(), hosts: half() }
    }
}

/// A body that was read; its weight goes with what was made of it.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) bytes: Vec<u8>,
    pub(super) weight: Weight,
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Weight {
    room: Arc<Semaphore>,
    taken: Vec<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Weight {
    /// Takes more room where so many bytes have none yet.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), Refusal> {
        let missing = bytes.saturating_sub(self.bytes).div_ceil(1 << 10);
        if missing == 0 {
            return Ok(());
        }
        let kib = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.room).try_acquire_many_owned(kib) else {
            return Err(Refusal::busy(BUSY));
        };
        self.taken.push(more);
        self.bytes = self.bytes.saturating_add(missing << 10);
        Ok(())
    }
}

/// What is said where no room is left.
const BUSY: &str = "too many large bodies are on their way: send it again";

/// Reads a whole body.
pub(super) async fn read(service: &Service, body: Body, most: usize) -> Result<Gathered, Refusal> {
    Reading::new(service, body, most).whole().await
}

/// A body that is being read.
pub(super) struct Reading {
    body: Body,
    bytes: Vec<u8>,
    /// How much came, and how much of it may be kept.
    length: usize,
    most: usize,
    until: Instant,
    hosts: Arc<Semaphore>,
    weight: Weight,
}

impl Reading {
    pub(super) fn new(service: &Service, body: Body, most: usize) -> Self {
        Self {
            body,
            bytes: Vec::new(),
            length: 0,
            most,
            until: Instant::now() + service.limits.body_time,
            hosts: Arc::clone(&service.room.hosts),
            weight: Weight {
                room: Arc::clone(&service.room.strangers),
                taken: Vec::new(),
                bytes: FREE_BYTES,
            },
        }
    }

    /// Reads until a line that is not empty is whole, or nothing more comes; gives it.
    pub(super) async fn first_line(&mut self) -> Result<Option<&[u8]>, Refusal> {
        let mut looked = 0;
        let mut begun = None;
        let end = loop {
            let new = self.bytes.get(looked..).unwrap_or_default();
            let start =
                begun.or_else(|| new.iter().position(|it| *it != b'\n').map(|it| looked + it));
            let end = start.and_then(|start| {
                let from = start.max(looked);
                let line = self.bytes.get(from..).unwrap_or_default();
                line.iter().position(|it| *it == b'\n').map(|it| from + it)
            });
            (begun, looked) = (start, self.bytes.len());
            if end.is_some() || !self.more().await? {
                break end.unwrap_or(self.bytes.len());
            }
        };
        Ok(begun.and_then(|start| self.bytes.get(start..end)))
    }

    /// What comes from now on is a host's: it has room that strangers cannot take.
    pub(super) fn is_hosts(&mut self) {
        self.weight.room = Arc::clone(&self.hosts);
    }

    /// Reads what is left.
    pub(super) async fn whole(mut self) -> Result<Gathered, Refusal> {
        while self.more().await? {}
        Ok(Gathered { bytes: self.bytes, weight: self.weight })
    }

    /// Reads what is left and keeps nothing of it: who is refused before the end hears why.
    pub(super) async fn drain(mut self) {
        self.let_go();
        self.until = self.until.min(Instant::now() + DRAIN_TIME);
        while self.length <= DRAIN_BYTES_MAX && matches!(self.frame().await, Ok(Some(_))) {}
    }

    fn let_go(&mut self) {
        (self.bytes, self.weight.taken) = (Vec::new(), Vec::new());
    }

    /// Takes one piece more; false at the end.
    async fn more(&mut self) -> Result<bool, Refusal> {
        let Some(data) = self.frame().await? else {
            return Ok(false);
        };
        if self.length > self.most {
            self.let_go();
            while self.length <= DRAIN_BYTES_MAX && self.frame().await?.is_some() {}
            let detail = format!("a body has at most {} bytes: send fewer records", self.most);
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(Refusal::new(status, "the body is too large", detail));
        }
        while self.weight.bytes < self.length {
            self.weigh()?;
        }
        self.bytes.extend_from_slice(&data);
        Ok(true)
    }

    /// Takes room for as much again as is held, so that few pieces of it are asked for.
    fn weigh(&mut self) -> Result<(), Refusal> {
        let held = self.weight.bytes;
        let step = held.min(self.most.saturating_sub(held)).max(1 << 10);
        let weighed = self.weight.cover(held.saturating_add(step));
        weighed.inspect_err(|_busy| self.let_go())
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Refusal> {
        let late = |_elapsed| {
            let detail = "send the whole body at once, or fewer records";
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly", detail)
        };
        loop {
            let frame = timeout_at(self.until, self.body.frame()).await.map_err(late)?;
            let Some(frame) = frame else { return Ok(None) };
            let torn = |_torn| Refusal::bad("a torn body", "send it again, whole");
            // Trailers are no part of a body.
            if let Ok(data) = frame.map_err(torn)?.into_data() {
                self.length = self.length.saturating_add(data.len());
                return Ok(Some(data));
            }
        }
    }
}
