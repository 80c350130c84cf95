//! The accept loop: connections, their limits, and a graceful end.
//!
//! **Invariant:** sizes, times and connections are limited; a request that was begun is answered before
//! the end, or its time is over.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use bowline_api::problem::MEDIA_TYPE;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::answer::Refusal;
use crate::settings::Limits;

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most headers of a request: a proxy's and a client's.
const HEADERS_MAX: usize = 64;

/// Connections that wait for a place: one burst of agents whose reports fell together.
const WAITING_MAX: usize = 1024;

/// How long one waits for a place, and is heard out when it got none.
const WAIT: Duration = Duration::from_secs(2);

/// Serves until `stop` is over, then lets requests that were begun end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let lobby = Arc::new(Semaphore::new(WAITING_MAX));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let guest = Guest { stream, router: router.clone(), limits };
                    let watcher = graceful.watcher();
                    if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                        tokio::spawn(guest.attend(watcher, place));
                    } else if let Ok(seat) = Arc::clone(&lobby).try_acquire_owned() {
                        tokio::spawn(guest.wait(watcher, Arc::clone(&places), seat));
                    }
                    // Beyond that a connection is closed at once: its client tries again.
                }
                Err(error) => {
                    // Out of file descriptors, say: the next try comes after a moment.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(200)).await;
                }
            },
            () = &mut stop => break,
        }
    }
    drop(listener);
    if timeout(limits.stop_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off: their time after the stop is over");
    }
}

/// A connection that was accepted.
struct Guest {
    stream: TcpStream,
    router: Router,
    limits: Limits,
}

impl Guest {
    /// Serves the connection.
    async fn attend(self, watcher: Watcher, place: OwnedSemaphorePermit) {
        let Self { stream, router, limits } = self;
        // Answers are small: none is held back to fill a packet.
        drop(stream.set_nodelay(true));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        let connection = watcher.watch(connection);
        // A client that goes away, or takes too long, is no event of ours.
        drop(timeout(limits.connection_time, connection).await);
        drop(place);
    }

    /// Waits for a place for a moment; then says that there is none.
    async fn wait(self, watcher: Watcher, places: Arc<Semaphore>, seat: OwnedSemaphorePermit) {
        if let Ok(Ok(place)) = timeout(WAIT, places.acquire_owned()).await {
            drop(seat);
            return self.attend(watcher, place).await;
        }
        drop(timeout(WAIT, turn_away(self.stream)).await);
        drop(seat);
    }
}

/// Says that no place is free. What the client sends meanwhile is read and thrown away: a connection that is
/// closed on unread bytes loses the answer.
async fn turn_away(mut stream: TcpStream) {
    let detail =
        "as many connections are open as [limits] connections allows: try again in a moment";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let problem = Refusal::new(status, "no place is free", detail).problem();
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {MEDIA_TYPE}\r\nretry-after: 5\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(answer.as_bytes()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut thrown = [0; 4096];
    while matches!(stream.read(&mut thrown).await, Ok(read) if read > 0) {}
}
