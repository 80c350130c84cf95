//! How a connection becomes a private one, or is told why not.
//!
//! **Invariant:** who speaks plain HTTP here is told to use TLS, and asked nothing.
//! **Invariant:** what handshakes hold that do not end is weighed, by address.
//! **Invariant:** a log line is written now and then, however many handshakes fail.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answer::Refusal;
use super::hello::{self, Hello};
use super::patient::Patient;
use super::room::Room;
use super::unserved;
use crate::door;
use crate::settings::Limits;

/// How often a failed handshake is worth a line of the log: strangers on the net try all day.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The first byte of every handshake: the record type of RFC 8446, section 5.1.
const HANDSHAKE: u8 = 22;

/// The client at the other end showed a certificate, and an authority of `clientCaFile` vouches for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certified;

/// What is below TLS.
type Stream = Hello<Patient<TcpStream>>;

/// A connection over TLS, apart from the task that serves it: that one moves it about, and would hold it twice.
pub(super) type Sealed = Box<TlsStream<Stream>>;

/// Handshakes that go on, and what became of the others.
#[derive(Debug)]
pub(super) struct Handshakes {
    room: Arc<Room>,
    done: AtomicU64,
    failed: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Default for Handshakes {
    fn default() -> Self {
        let (done, failed, told) = Default::default();
        Self { room: hello::room(), done, failed, told }
    }
}

/// Why there was none.
enum Failed {
    /// The client hung up before it said anything: whoever looks whether a port is open does.
    Silent,
    /// It speaks another protocol.
    Foreign(TcpStream),
    /// The two did not agree.
    Tls(io::Error, Stream),
    /// Its time is over.
    Late,
}

impl Handshakes {
    /// How many ended in a connection, and how many did not.
    pub(super) fn counts(&self) -> [(&'static str, u64); 2] {
        let of = |it: &AtomicU64| it.load(Ordering::Relaxed);
        [("ok", of(&self.done)), ("failed", of(&self.failed))]
    }

    /// Shakes hands, in the time of a request's head. `None`: it came to nothing, and that was said.
    pub(super) async fn shake(
        &self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
        limits: &Limits,
        from: IpAddr,
    ) -> Option<(Sealed, Option<Certified>)> {
        let make = |stream| Hello::new(Patient::new(stream, limits.write_time), &self.room, from);
        let trying = try_to_shake(stream, config, make);
        let tried = timeout(limits.head_time, trying).await;
        match tried.unwrap_or_else(|_late| Err(Failed::Late)) {
            Ok(mut sealed) => {
                sealed.get_mut().0.end();
                self.done.fetch_add(1, Ordering::Relaxed);
                // One that was shown was verified: else the handshake had failed.
                let certificates = sealed.get_ref().1.peer_certificates();
                let certified = certificates.is_some().then_some(Certified);
                Some((Box::new(sealed), certified))
            }
            Err(failed) => {
                self.count(&failed, from);
                match failed {
                    Failed::Foreign(stream) => unserved::refuse(stream, plain()).await,
                    // It was told by an alert.
                    Failed::Tls(_, mut stream) => {
                        stream.end();
                        unserved::leave(stream).await;
                    }
                    Failed::Silent | Failed::Late => {}
                }
                None
            }
        }
    }

    fn count(&self, failed: &Failed, from: IpAddr) {
        let error = match failed {
            Failed::Silent => return,
            Failed::Foreign(_) => "it spoke plain HTTP, or something else".to_owned(),
            Failed::Tls(error, _) => error.to_string(),
            Failed::Late => "it took longer than [limits] headTime".to_owned(),
        };
        let number = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
        let now = door::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|it| now.saturating_duration_since(it) < TOLD_EVERY) {
            return;
        }
        *told = Some(now);
        drop(told);
        tracing::warn!(peer = %from, error, failed = number, "a TLS handshake failed");
    }
}

/// Looks at the first byte, and leaves it where it is; then lets the two agree.
async fn try_to_shake(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    make: impl FnOnce(TcpStream) -> Stream,
) -> Result<TlsStream<Stream>, Failed> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) | Err(_) => Err(Failed::Silent),
        Ok(_) if first == [HANDSHAKE] => {
            let accepting = TlsAcceptor::from(config).accept(make(stream)).into_fallible();
            accepting.await.map_err(|(error, stream)| Failed::Tls(error, stream))
        }
        Ok(_) => Err(Failed::Foreign(stream)),
    }
}

/// The answer to a request in the clear.
fn plain() -> Refusal {
    let detail = "this port speaks TLS: ask the same address with https://; a token that was just sent in the \
                  clear was readable on the way, so replace it";
    Refusal::bad("asked without TLS", detail)
}
