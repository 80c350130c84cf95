//! One connection: its requests, one after the other, within its time.
//!
//! **Invariant:** a connection whose time is over ends between two requests; one that was begun has its own
//! time to end.

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::patient::Patient;
use super::peers::Visit;
use crate::settings::Limits;

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most headers of a request: a proxy's and a client's.
const HEADERS_MAX: usize = 64;

/// Who is served.
pub(super) struct Guest {
    pub(super) visit: Visit,
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Guest {
    /// Serves a connection that has a place.
    pub(super) async fn attend(self, stream: TcpStream, place: OwnedSemaphorePermit) {
        // Answers are small: none is held back to fill a packet.
        drop(stream.set_nodelay(true));
        self.serve(stream).await;
        drop(place);
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self { visit, router, limits, mut stopping } = self;
        let (peer, inner) = (visit.peer, TowerToHyperService::new(router));
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            inner.call(request)
        });
        let stream = TokioIo::new(Patient::new(stream, limits.write_time));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(stream, answer);
        tokio::pin!(connection);
        // A client that goes away, or takes too long, is no event of ours.
        tokio::select! {
            _ended = connection.as_mut() => return,
            () = sleep(limits.connection_time) => {}
            _ = stopping.wait_for(|it| *it) => {}
        }
        connection.as_mut().graceful_shutdown();
        drop(timeout(limits.body_time + limits.write_time, connection).await);
    }
}
