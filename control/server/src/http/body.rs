//! Reads a request's body, within its limits.
//!
//! **Invariant:** no more than the limit is ever held, of one body and of all together.
//! **Invariant:** what strangers send takes none of the room of hosts, and a host is who signed something.

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use tokio::time::{Instant, timeout_at};

use super::Service;
use super::answer::Refusal;
use super::room::{Place, Room, Who};

/// Largest body: one record of the largest size, or some hundred usual ones.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// How much of a body that is too large is read and thrown away, so that its sender hears why: a
/// connection that is closed on unread bytes loses the answer.
const DRAIN_BYTES_MAX: usize = 8 << 20;

/// How long that takes at most: whoever is refused hears so before they sent everything.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// What each body may hold unweighed, and the piece that reaches beyond it: a usual record or some, and no more
/// than a connection's own buffers.
const FREE_BYTES: usize = 16 << 10;

/// What bodies hold beyond that, in KiB: as much again for hosts as for everybody else. Both together are an
/// eighth of the unit's `MemoryMax=`.
const HELD_KIB_MAX: usize = 64 << 10;

/// Three of the largest records of one address, and dozens of addresses that take as much as they get.
const STRANGERS_PARTS: usize = 16;

/// The largest body twice, with what is read out of it: one that a host gave up waiting for, and the next.
/// A signed record may be anybody's who read it, so no host's takes the others' room either.
const HOSTS_PARTS: usize = 4;

/// Room for bodies.
#[derive(Debug)]
pub(super) struct Rooms {
    strangers: Arc<Room>,
    hosts: Arc<Room>,
}

impl Default for Rooms {
    fn default() -> Self {
        let of = |parts| Arc::new(Room::new(HELD_KIB_MAX, parts));
        Self { strangers: of(STRANGERS_PARTS), hosts: of(HOSTS_PARTS) }
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
    room: Arc<Room>,
    /// `None`: nobody who may hold more than what is free.
    who: Option<Who>,
    taken: Vec<Place>,
    bytes: usize,
}

impl Weight {
    /// Whether it takes no room.
    pub(super) fn is_free(&self) -> bool {
        self.taken.is_empty()
    }

    /// Takes more room where so many bytes have none yet.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), Refusal> {
        let missing = bytes.saturating_sub(self.bytes).div_ceil(1 << 10);
        if missing == 0 {
            return Ok(());
        }
        let more = self.who.and_then(|it| self.room.take(it, missing));
        self.taken.push(more.ok_or_else(|| Refusal::busy(BUSY))?);
        self.bytes = self.bytes.saturating_add(missing << 10);
        Ok(())
    }

    /// Moves everything to the room of hosts; it is the key's from now on.
    pub(super) fn is_hosts(&mut self, service: &Service, key: i64) -> Result<(), Refusal> {
        if self.who == Some(Who::Key(key)) {
            return Ok(());
        }
        let bytes = self.bytes;
        let mut moved = Self {
            room: Arc::clone(&service.rooms.hosts),
            who: Some(Who::Key(key)),
            taken: Vec::new(),
            bytes: FREE_BYTES,
        };
        moved.cover(bytes)?;
        *self = moved;
        Ok(())
    }
}

/// What is said where no room is left.
const BUSY: &str = "too many large bodies are on their way: send it again";

/// Reads a whole body, of no more than what is free.
pub(super) async fn read(service: &Service, body: Body, most: usize) -> Result<Gathered, Refusal> {
    Reading::new(service, body, most, None).whole().await
}

/// A body that is being read.
pub(super) struct Reading {
    body: Body,
    bytes: Vec<u8>,
    /// How much came, and how much of it may be kept.
    length: usize,
    most: usize,
    until: Instant,
    /// Where the first line begins and ends.
    first: (usize, usize),
    weight: Weight,
}

impl Reading {
    /// Of whoever sends from an address; without one it holds no more than what is free.
    pub(super) fn new(service: &Service, body: Body, most: usize, from: Option<IpAddr>) -> Self {
        Self {
            body,
            bytes: Vec::new(),
            length: 0,
            most,
            until: Instant::now() + service.limits.body_time,
            first: (0, 0),
            weight: Weight {
                room: Arc::clone(&service.rooms.strangers),
                who: from.map(Who::Peer),
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
        self.first = (begun.unwrap_or(end), end);
        Ok(begun.and_then(|start| self.bytes.get(start..end)))
    }

    /// Reads on as long as no room is asked for; true when more than that comes.
    pub(super) async fn is_large(&mut self) -> Result<bool, Refusal> {
        while self.bytes.len() < FREE_BYTES {
            if !self.more().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lends what was read to whoever judges it, with the place of the first line.
    pub(super) fn lend(&mut self) -> (Vec<u8>, (usize, usize)) {
        (mem::take(&mut self.bytes), self.first)
    }

    /// What was lent is back, and of this host: it has room that strangers cannot take.
    pub(super) async fn is_hosts(
        &mut self,
        service: &Service,
        key: i64,
        lent: Vec<u8>,
    ) -> Result<(), Refusal> {
        self.bytes = lent;
        let moved = self.weight.is_hosts(service, key);
        self.or_hear_out(moved).await
    }

    /// Reads what is left.
    pub(super) async fn whole(mut self) -> Result<Gathered, Refusal> {
        while self.more().await? {}
        Ok(Gathered { bytes: self.bytes, weight: self.weight })
    }

    /// Reads what is left and keeps nothing of it: who is refused before the end hears why.
    pub(super) async fn drain(mut self) {
        self.hear_out().await;
    }

    async fn hear_out(&mut self) {
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
        // The piece that reaches beyond what is free may bring the end of a usual first line.
        while self.bytes.len() >= FREE_BYTES && self.weight.bytes < self.length {
            let weighed = self.weigh();
            self.or_hear_out(weighed).await?;
        }
        self.bytes.extend_from_slice(&data);
        Ok(true)
    }

    /// Takes room for as much again as is held, so that few pieces of it are asked for.
    fn weigh(&mut self) -> Result<(), Refusal> {
        let held = self.weight.bytes;
        let step = held.min(self.most.saturating_sub(held)).max(1 << 10);
        self.weight.cover(held.saturating_add(step))
    }

    /// Who finds no room hears so: what it sends next may then be smaller.
    async fn or_hear_out(&mut self, weighed: Result<(), Refusal>) -> Result<(), Refusal> {
        if weighed.is_err() {
            self.hear_out().await;
        }
        weighed
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
