//! An answer: its head at once, its body piece by piece.
//!
//! **Invariant:** no more of a body is in memory than the piece that is being read.
//! **Invariant:** a connection is used again only after its answer was read to the end.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};

use super::address::{Address, Scheme};
use super::connect::Connection;
use super::failure::HttpFailure;
use super::patience::Patience;
use super::{Kept, Limits};

/// An answer. Whoever drops it unread closes its connection.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Incoming,
    read: u64,
    way: Way,
}

/// Over what an answer comes.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) from: Address,
    pub(super) connection: Option<Connection>,
    pub(super) kept: Kept,
    pub(super) limits: Limits,
    pub(super) patience: Patience,
}

/// Where a server sends a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To the same scheme, host and port: credentials may go along.
    Within(Address),
    /// To another server: credentials stay behind.
    Elsewhere(Address),
    /// From TLS to none: whoever follows gives up what TLS protects.
    Unprotected(Address),
}

impl Reply {
    pub(super) fn new(answer: hyper::Response<Incoming>, way: Way) -> Result<Self, HttpFailure> {
        let (head, body) = answer.into_parts();
        let mut reply =
            Self { status: head.status.as_u16(), headers: head.headers, body, read: 0, way };
        let announced = reply.header(CONTENT_LENGTH.as_str()).and_then(|it| it.parse().ok());
        // To a HEAD request a length is told of a body that does not come.
        if !reply.body.is_end_stream() && announced.unwrap_or(0) > reply.way.limits.body_bytes {
            return Err(reply.too_large());
        }
        if reply.body.is_end_stream() {
            reply.keep();
        }
        Ok(reply)
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header as text; `None` when it is not there, or is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks to be left alone, where it says so in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?.trim().parse().ok().map(Duration::from_secs)
    }

    /// Where the server sends the client, if it does. It is not followed here.
    pub fn redirect_target(&self) -> Result<Option<Redirect>, HttpFailure> {
        let location = match self.status {
            301 | 302 | 303 | 307 | 308 => self.header(LOCATION.as_str()),
            _ => None,
        };
        let Some(location) = location else {
            return Ok(None);
        };
        let from = &self.way.from;
        let lost = |source| HttpFailure::Location { peer: from.host_and_port(), source };
        let to = from.resolve(location).map_err(lost)?;
        Ok(Some(match (from.scheme(), to.scheme()) {
            (Scheme::Https, Scheme::Http) => Redirect::Unprotected(to),
            _ if from.is_of_origin(&to) => Redirect::Within(to),
            _ => Redirect::Elsewhere(to),
        }))
    }

    /// The next piece of the body; `None` at its end. A body that breaks off is a failure.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpFailure> {
        let peer = self.way.from.host_and_port();
        loop {
            let silence = self.way.limits.silence;
            let frame = self.body.frame();
            let frame = self.way.patience.wait(&peer, "go on with its answer", silence, frame);
            let Some(frame) = frame.await? else {
                self.keep();
                return Ok(None);
            };
            let head_max = self.way.limits.head_bytes;
            let frame = frame.map_err(|error| HttpFailure::of_hyper(&peer, head_max, &error))?;
            // What is no data are headers behind the body, which nobody here asks for.
            let Ok(data) = frame.into_data() else { continue };
            self.read = self.read.saturating_add(data.len() as u64);
            if self.read > self.way.limits.body_bytes {
                return Err(self.too_large());
            }
            return Ok(Some(data));
        }
    }

    /// The whole body, for answers that are small by nature.
    pub async fn whole(&mut self) -> Result<Vec<u8>, HttpFailure> {
        let mut bytes = Vec::new();
        while let Some(data) = self.chunk().await? {
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }

    fn too_large(&mut self) -> HttpFailure {
        self.way.connection = None;
        let (peer, limit) = (self.way.from.host_and_port(), self.way.limits.body_bytes);
        HttpFailure::TooLarge { peer, what: "body", limit }
    }

    fn keep(&mut self) {
        if let Some(connection) = self.way.connection.take() {
            self.way.kept.put(connection);
        }
    }
}
