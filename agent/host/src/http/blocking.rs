//! The client for a thread that has nothing else to do.
//!
//! **Invariant:** between two calls nothing moves: a connection's bytes are read when somebody asks for them.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::{Bytes, Call, Client, HttpFailure, Redirect, Reply};

/// A client whose calls return when they are answered.
#[derive(Debug, Clone)]
pub struct BlockingClient {
    client: Client,
    engine: Arc<Engine>,
}

/// A runtime of one thread, which is the caller's.
#[derive(Debug)]
struct Engine(Option<Runtime>);

impl Engine {
    fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.as_ref().map(|it| it.block_on(work))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A name that is still being looked up would hold up the end of the agent.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// An answer, to be read piece by piece, or as a stream of bytes.
#[derive(Debug)]
pub struct BlockingReply {
    reply: Reply,
    engine: Arc<Engine>,
    /// What was received and not read yet.
    rest: Bytes,
}

impl BlockingClient {
    /// A client of its own.
    pub fn new(client: Client) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Self { client, engine: Arc::new(Engine(Some(runtime))) })
    }

    /// Sends a request, and gives the answer once its head is there.
    pub fn send(&self, call: &Call) -> Result<BlockingReply, HttpFailure> {
        self.send_within(call, Duration::MAX)
    }

    /// The same, for a request that has less time than others.
    pub fn send_within(&self, call: &Call, time: Duration) -> Result<BlockingReply, HttpFailure> {
        let sent = self.engine.run(self.client.send_within(call, time));
        let reply = sent.ok_or_else(|| stopped(&call.to.host_and_port()))??;
        Ok(BlockingReply { reply, engine: Arc::clone(&self.engine), rest: Bytes::new() })
    }
}

impl BlockingReply {
    /// The status.
    pub fn status(&self) -> u16 {
        self.reply.status()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.reply.header(name)
    }

    /// Where the server sends the client, if it does.
    pub fn redirect_target(&self) -> Result<Option<Redirect>, HttpFailure> {
        self.reply.redirect_target()
    }

    /// The next piece of the body; `None` at its end.
    pub fn chunk(&mut self) -> Result<Option<Bytes>, HttpFailure> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        let read = self.engine.run(self.reply.chunk());
        read.unwrap_or_else(|| Err(stopped("the server")))
    }

    /// The whole body, for answers that are small by nature.
    pub fn whole(&mut self) -> Result<Vec<u8>, HttpFailure> {
        let mut bytes = Vec::new();
        while let Some(data) = self.chunk()? {
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }
}

impl Read for BlockingReply {
    /// A failure comes as the inner error of what is returned.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.chunk().map_err(io::Error::other)? {
                Some(data) => self.rest = data,
                None => return Ok(0),
            }
        }
        let taken = self.rest.split_to(buffer.len().min(self.rest.len()));
        if let Some(place) = buffer.get_mut(..taken.len()) {
            place.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}

fn stopped(peer: &str) -> HttpFailure {
    HttpFailure::Stopped { peer: peer.to_owned() }
}
