//! A stream whose handshake may bring so much: what is unfinished is held until it ends.
//!
//! **Invariant:** what handshakes hold together is limited, and no address takes what others need.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::room::{Place, Room, Who};

/// What each handshake may bring unweighed: a client's hello, and a host's certificate with one authority's.
const FREE_BYTES: usize = 8 << 10;

/// In what pieces room is taken for more than that.
const STEP_KIB: usize = 4;

/// What handshakes hold beyond that, in KiB: some hundred of the longest chains at once.
const HELD_KIB_MAX: usize = 16 << 10;

/// A sixteenth of what is left: of one address that is enough for two hundred chains of four certificates.
const PARTS: usize = 16;

/// Room for handshakes.
pub(super) fn room() -> Arc<Room> {
    Arc::new(Room::new(HELD_KIB_MAX, PARTS))
}

/// The stream.
#[derive(Debug)]
pub(super) struct Hello<S> {
    stream: S,
    /// As long as hands are shaken; boxed, since a connection is kept for much longer.
    scales: Option<Box<Scales>>,
}

#[derive(Debug)]
struct Scales {
    room: Arc<Room>,
    who: Who,
    taken: Vec<Place>,
    read: usize,
}

impl Scales {
    /// Weighs what came; false when there is no room for it.
    fn bear(&mut self, bytes: usize) -> bool {
        self.read = self.read.saturating_add(bytes);
        while self.read > FREE_BYTES + self.taken.len() * (STEP_KIB << 10) {
            match self.room.take(self.who, STEP_KIB) {
                Some(place) => self.taken.push(place),
                None => return false,
            }
        }
        true
    }
}

impl<S> Hello<S> {
    /// One that begins.
    pub(super) fn new(stream: S, room: &Arc<Room>, from: IpAddr) -> Self {
        let (room, who) = (Arc::clone(room), Who::Peer(from));
        Self { stream, scales: Some(Box::new(Scales { room, who, taken: Vec::new(), read: 0 })) }
    }

    /// It is over: what comes from now on is weighed elsewhere, or thrown away.
    pub(super) fn end(&mut self) {
        self.scales = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Hello<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let came = into.filled().len().saturating_sub(before);
        if let Some(scales) = &mut self.scales
            && !scales.bear(came)
        {
            let why = "too much of unfinished handshakes is held";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, why)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hello<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, repeat};

    use super::*;

    #[tokio::test]
    async fn what_is_unfinished_is_weighed_and_one_address_leaves_room_for_others() {
        let room = room();
        let [one, other] = [[127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        let mut held = Vec::new();
        let mut bytes = vec![0; 60 << 10];
        // Each brings as much as the library would hold of it.
        let failure = loop {
            let mut hello = Hello::new(repeat(1), &room, one);
            match hello.read_exact(&mut bytes).await {
                Ok(_) => held.push(hello),
                Err(error) => break error,
            }
        };
        assert_eq!((failure.kind(), held.len()), (io::ErrorKind::QuotaExceeded, 18));
        // A usual one has room all the same, and so has an unusual one of somebody else.
        Hello::new(repeat(1), &room, one).read_exact(&mut bytes[..FREE_BYTES]).await.unwrap();
        Hello::new(repeat(1), &room, other).read_exact(&mut bytes).await.unwrap();
        // Who is done holds nothing, and may bring what they like.
        for hello in &mut held {
            hello.end();
            hello.read_exact(&mut bytes).await.unwrap();
        }
        Hello::new(repeat(1), &room, one).read_exact(&mut bytes).await.unwrap();
    }
}
