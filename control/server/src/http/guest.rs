//! One connection: its handshake, where there is one, and its requests, one after the other, within its time.
//!
//! **Invariant:** a connection whose time is over ends between two requests; one that was begun has its own
//! time to end.

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::Service;
use super::handshake::Certified;
use super::patient::Patient;
use super::peers::Visit;
use crate::settings::Limits;
use crate::tls::Certificates;

/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Most headers of a request: a proxy's and a client's.
const HEADERS_MAX: usize = 64;

/// Who is served.
pub(super) struct Guest {
    pub(super) visit: Visit,
    pub(super) service: Arc<Service>,
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Guest {
    /// Serves a connection that has a place.
    pub(super) async fn attend(self, stream: TcpStream, place: OwnedSemaphorePermit) {
        // Answers are small: none is held back to fill a packet.
        drop(stream.set_nodelay(true));
        match self.service.certificates.clone() {
            None => {
                let stream = Patient::new(stream, self.limits.write_time);
                self.serve(stream, None).await;
            }
            Some(certificates) => self.attend_sealed(stream, certificates).await,
        }
        drop(place);
    }

    /// Whether what is said here is said over TLS.
    pub(super) fn is_sealed(&self) -> bool {
        self.service.certificates.is_some()
    }

    async fn attend_sealed(self, stream: TcpStream, certificates: Arc<Certificates>) {
        let (service, mut stopping) = (Arc::clone(&self.service), self.stopping.clone());
        let from = self.visit.peer.0;
        // What a handshake needs is held no longer than it takes.
        let shaken = {
            let config = certificates.config();
            let shaking = Box::pin(service.handshakes.shake(stream, config, &self.limits, from));
            tokio::select! {
                shaken = shaking => shaken,
                // Nothing was asked yet.
                _ = stopping.wait_for(|it| *it) => None,
            }
        };
        drop((service, certificates, stopping));
        if let Some((stream, certified)) = shaken {
            self.serve(stream, certified).await;
        }
    }

    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        certified: Option<Certified>,
    ) {
        let Self { visit, service: _, router, limits, mut stopping } = self;
        let (peer, inner) = (visit.peer, TowerToHyperService::new(router));
        let answer = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(certified) = certified {
                request.extensions_mut().insert(certified);
            }
            inner.call(request)
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), answer);
        // A client that goes away, or takes too long, is no event of ours.
        let ended = tokio::select! {
            ended = &mut connection => Some(ended),
            () = sleep(limits.connection_time) => None,
            _ = stopping.wait_for(|it| *it) => None,
        };
        match ended {
            // It idled. Over TLS its end is told, as hyper tells every other that is meant: what is not told
            // could be somebody's in between.
            Some(Err(error)) if error.is_timeout() => {
                drop(connection.into_parts().io.into_inner().shutdown().await);
            }
            Some(_) => {}
            None => {
                Pin::new(&mut connection).graceful_shutdown();
                drop(timeout(limits.body_time + limits.write_time, connection).await);
            }
        }
    }
}
