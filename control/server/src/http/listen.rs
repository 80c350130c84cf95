//! The accept loop: connections, their limits, and a graceful end.
//!
//! **Invariant:** sizes, times and connections are limited; a request that was begun is answered before
//! the end, or its time is over.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::answer::Refusal;
use super::guest::Guest;
use super::peers::{Peer, Peers};
use super::{Service, router, unserved};
use crate::settings::Limits;

/// Connections that wait for a place: one burst of agents whose reports fell together.
const WAITING_MAX: usize = 1024;

/// How long one waits for a place.
const WAIT: Duration = Duration::from_secs(2);

/// What the kernel holds of an answer for each connection: more than a usual page, and bounded, where it would
/// otherwise grow to megabytes for a client that takes nothing.
const SEND_BYTES: u32 = 256 << 10;

/// As many as come in one burst while this process is kept from accepting.
const BACKLOG: u32 = 1024;

/// Begins to listen.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Connections have it from the socket that accepted them.
    socket.set_send_buffer_size(SEND_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` is over, then lets requests that were begun end.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let (stopping, _) = watch::channel(false);
    let hall = Hall {
        router: router(Arc::clone(&service)),
        service,
        limits,
        places: Arc::new(Semaphore::new(limits.connections)),
        lobby: Arc::new(Semaphore::new(WAITING_MAX)),
        peers: Arc::new(Peers::new(limits.connections_per_address)),
        stopping,
    };
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => hall.receive(stream, from.ip()),
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
    hall.stopping.send_replace(true);
    // Every guest listens for the end as long as it is here.
    if timeout(limits.stop_time, hall.stopping.closed()).await.is_err() {
        tracing::warn!("requests were cut off: their time after the stop is over");
    }
}

/// Where connections find a place.
struct Hall {
    service: Arc<Service>,
    router: Router,
    limits: Limits,
    places: Arc<Semaphore>,
    lobby: Arc<Semaphore>,
    peers: Arc<Peers>,
    stopping: watch::Sender<bool>,
}

impl Hall {
    /// Gives a connection a place, or lets it wait for one, or lets it go.
    fn receive(&self, stream: TcpStream, from: IpAddr) {
        let Some(visit) = self.peers.enter(Peer::of(from)) else {
            // Whoever has its share already hears no word: that would take a place of somebody else.
            return;
        };
        let stopping = self.stopping.subscribe();
        let (service, router) = (Arc::clone(&self.service), self.router.clone());
        let guest = Guest { visit, service, router, limits: self.limits, stopping };
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            tokio::spawn(guest.attend(stream, place));
        } else if let Ok(seat) = Arc::clone(&self.lobby).try_acquire_owned() {
            tokio::spawn(wait(guest, stream, Arc::clone(&self.places), seat));
        }
        // Beyond that a connection is closed at once: its client tries again.
    }
}

/// Waits for a place for a moment; then says that there is none. Over TLS it is not said: that would take the
/// handshake of one who is served.
async fn wait(guest: Guest, stream: TcpStream, places: Arc<Semaphore>, seat: OwnedSemaphorePermit) {
    if let Ok(Ok(place)) = timeout(WAIT, places.acquire_owned()).await {
        drop(seat);
        return guest.attend(stream, place).await;
    }
    if !guest.is_sealed() {
        unserved::refuse(stream, no_place()).await;
    }
    drop(seat);
}

fn no_place() -> Refusal {
    let detail =
        "as many connections are open as [limits] connections allows: try again in a moment";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no place is free", detail).again_in(5)
}
