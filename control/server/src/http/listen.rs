//! The accept loop: connections, their limits, and a graceful end.
//!
//! **Invariant:** sizes, times and connections are limited; a request that was begun is answered before
//! the end, or its time is over.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::settings::Limits;

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most headers of a request: a proxy's and a client's.
const HEADERS_MAX: usize = 64;

/// Serves until `stop` is over, then lets requests that were begun end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let router = router.clone();
                    tokio::spawn(attend(stream, router, limits, graceful.watcher(), place));
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

async fn attend(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    watcher: Watcher,
    place: Option<OwnedSemaphorePermit>,
) {
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
