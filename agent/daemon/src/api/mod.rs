//! The local HTTP API: how the agent stands, what happened, and what people ask of it.
//!
//! **Invariant:** it reads the board and the records; it changes nothing but the pause, and asks the loop
//! for everything else.
//! **Invariant:** sizes, times and connections are limited.

mod answer;
mod caller;
mod change;
mod metrics;
mod routes;
mod stream;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_host::door::files;
use bowline_host::socket_place::short_enough;
use bowline_host::state::State;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use caller::Rules;

use crate::board::Board;
use caller::Caller;

/// Connections served at once; more wait.
const CONNECTIONS_MAX: usize = 64;

/// How long one connection may last: longer than a plan may be waited for.
const CONNECTION_TIME: Duration = Duration::from_mins(2);

/// How long somebody may listen to events before they have to ask again.
const LISTENING_TIME: Duration = Duration::from_hours(1);

/// How long a client may take to send its request's head.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The local API could not be opened.
#[derive(Debug, Error)]
pub enum CannotListen {
    /// At its socket.
    #[error("open the local API's socket {}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// At its address.
    #[error("open the local API's address {address}")]
    Address {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What the API serves from.
#[derive(Debug, Clone)]
pub struct Served {
    /// What the loop tells.
    pub board: Arc<Board>,
    /// The folder of records.
    pub records: PathBuf,
    /// The agent's state, in which a pause is kept.
    pub state: State,
    /// What callers are held to.
    pub rules: Arc<Rules>,
    /// One place: who reads the record log, which may be large.
    pub readers: Arc<Semaphore>,
}

/// The open doors of the API.
#[derive(Debug, Default)]
pub struct Doors {
    /// The group of the socket.
    pub group: Option<u32>,
    socket: Option<UnixListener>,
    address: Option<TcpListener>,
}

/// Opens socket and address.
pub async fn open(
    socket: Option<&Path>,
    address: Option<&str>,
    board: &Board,
) -> Result<Doors, CannotListen> {
    let mut doors = Doors::default();
    if let Some(wanted) = socket {
        let path = short_enough(wanted);
        if path != wanted {
            board.tell(|status| status.socket = Some(path.display().to_string()));
            tracing::warn!(socket = %path.display(), "the socket's path is too long; it lies here");
        }
        doors.socket = Some(bind(&path)?);
        doors.group = files::group(&path);
    }
    if let Some(address) = address {
        let bound = TcpListener::bind(address).await;
        let fail = |source| CannotListen::Address { address: address.to_owned(), source };
        doors.address = Some(bound.map_err(fail)?);
    }
    Ok(doors)
}

fn bind(path: &Path) -> Result<UnixListener, CannotListen> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| CannotListen::Socket {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        files::make_folder(folder).map_err(|error| fail(error.into()))?;
    }
    // The state's lock is held: a socket that is there was left by a process that is gone.
    files::remove(path).map_err(|error| fail(error.into()))?;
    let listener = UnixListener::bind(path).map_err(|error| fail(error.into()))?;
    files::set_mode(path, 0o600).map_err(|error| fail(error.into()))?;
    Ok(listener)
}

/// Serves until the future is dropped.
pub async fn serve(doors: Doors, served: Served) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let by_socket = async {
        let Some(listener) = &doors.socket else {
            return std::future::pending().await;
        };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => match stream.peer_cred() {
                    Ok(them) => {
                        let caller = Caller::Local { uid: them.uid(), gid: them.gid() };
                        attend(stream, &served, &places, caller).await;
                    }
                    Err(error) => pause_after(&error).await,
                },
                Err(error) => pause_after(&error).await,
            }
        }
    };
    let by_address = async {
        let Some(listener) = &doors.address else {
            return std::future::pending().await;
        };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => match stream.local_addr() {
                    Ok(reached) => {
                        attend(stream, &served, &places, Caller::Remote { reached }).await;
                    }
                    Err(error) => pause_after(&error).await,
                },
                Err(error) => pause_after(&error).await,
            }
        }
    };
    let ((), ()) = tokio::join!(by_socket, by_address);
}

/// Out of file descriptors, say: the next try comes after a moment.
async fn pause_after(error: &std::io::Error) {
    tracing::warn!(%error, "the local API cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(200)).await;
}

async fn attend<S>(stream: S, served: &Served, places: &Arc<Semaphore>, caller: Caller)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(place) = Arc::clone(places).acquire_owned().await else {
        return;
    };
    let served = served.clone();
    tokio::spawn(async move {
        let listens = Arc::new(AtomicBool::new(false));
        let is_listening = Arc::clone(&listens);
        let service = service_fn(move |request| {
            let (served, listens) = (served.clone(), Arc::clone(&listens));
            async move {
                let answer = routes::answer(request, served, caller).await;
                listens.store(answer.body().is_endless(), Ordering::Relaxed);
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            // One request each: who asks again connects again, and nobody holds a place in between.
            .keep_alive(false)
            .max_buf_size(16 << 10)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // A client that goes away, or takes too long, is no event of ours.
        let ended = timeout(CONNECTION_TIME, &mut connection).await;
        if ended.is_err() && is_listening.load(Ordering::Relaxed) {
            drop(timeout(LISTENING_TIME, connection).await);
        }
        drop(place);
    });
}
