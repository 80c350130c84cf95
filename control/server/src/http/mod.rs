//! The service over HTTP: who is let in, by which limits, and what each path answers.
//!
//! **Invariant:** every error is a problem (RFC 9457) that says what to do.
//! **Invariant:** a path that this version does not have answers 404; it never pretends.

mod answer;
mod asked;
mod bell;
mod body;
mod enrol;
mod events;
mod faults;
mod gate;
mod guesses;
mod guest;
mod handshake;
mod hello;
mod keyring;
mod larder;
mod listen;
mod meters;
mod metrics;
mod openapi;
mod outgoing;
mod pages;
mod patient;
mod peers;
mod read;
mod records;
mod room;
mod sessions;
mod table;
mod unserved;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use axum::http::HeaderMap;
use bowline_api::fleet::{Commit, Page};
use bowline_api::page::Matrix;
use bowline_model::digest::Sha256;
use tokio::sync::{Notify, Semaphore};

use crate::settings::{Limits, Settings};
use crate::store::{Census, Named, Newest, Store, StoreFailure};
use crate::tls::Certificates;
use answer::{Refusal, failed};
use bell::Bell;
use body::Rooms;
use guesses::Guesses;
use handshake::Handshakes;
use keyring::Keyring;
use larder::Larder;
use meters::Meters;
use outgoing::Scales;
use peers::Peer;
use sessions::{Sessions, Way};

pub use listen::{bind, serve};
pub use table::router;

/// What every path answers from.
#[derive(Debug)]
pub struct Service {
    store: Arc<dyn Store>,
    readers: Vec<Sha256>,
    proxies: Vec<IpAddr>,
    hosts: Option<PathBuf>,
    limits: Limits,
    certificates: Option<Arc<Certificates>>,
    handshakes: Handshakes,
    meters: Meters,
    rooms: Rooms,
    scales: Scales,
    /// Threads that may verify signatures at once: more would only take turns.
    verifiers: Arc<Semaphore>,
    /// The same for pages whose records are verified again: those take no turn of a host's.
    painters: Arc<Semaphore>,
    keyring: Keyring,
    bell: Bell,
    sessions: Sessions,
    guesses: Guesses,
    census: Larder<(), Census>,
    commits: Larder<Newest, Page<Commit>>,
    matrix: Larder<(Named, Newest), Matrix>,
    fell: Notify,
    felled_by: OnceLock<StoreFailure>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// A reader's.
    Right,
    /// Nobody's.
    Wrong,
    /// Nobody's, and too many came before it; for so many seconds.
    Barred(u64),
}

impl Service {
    /// A service over a store, that speaks TLS where it has certificates.
    pub fn new(
        store: Arc<dyn Store>,
        settings: &Settings,
        certificates: Option<Arc<Certificates>>,
    ) -> Self {
        let way = if certificates.is_some() { Way::Sealed } else { Way::Open };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            store,
            readers: settings.readers.clone(),
            proxies: settings.proxies.clone(),
            hosts: settings.hosts.clone(),
            limits: settings.limits,
            handshakes: Handshakes::default(),
            meters: Meters::default(),
            rooms: Rooms::default(),
            scales: Scales::default(),
            verifiers: Arc::new(Semaphore::new(cores)),
            painters: Arc::new(Semaphore::new(cores)),
            keyring: Keyring::default(),
            bell: Bell::new(settings.limits.listeners),
            sessions: Sessions::new(settings.public_url.clone(), way),
            certificates,
            guesses: Guesses::default(),
            census: Larder::new(settings.count_time),
            commits: Larder::new(settings.count_time),
            matrix: Larder::new(settings.count_time),
            fell: Notify::new(),
            felled_by: OnceLock::new(),
        }
    }

    /// Judges a token that somebody showed. A wrong one is counted and logged, and so is a right one that was
    /// not used from there before. What a wrong one costs is the same whether it is counted or not.
    fn judge(&self, token: &[u8], from: IpAddr) -> Judged {
        let digest = Sha256::of(token);
        if token.is_empty() || !self.readers.contains(&digest) {
            if let Some(time) = self.guesses.bars(from) {
                return Judged::Barred(time.as_secs() + 1);
            }
            self.guesses.count_wrong(from);
            tracing::warn!(peer = %from, result = "refused", "a token that is no reader's");
            return Judged::Wrong;
        }
        if self.guesses.is_news(digest, from) {
            let token = guesses::digits(digest);
            tracing::info!(peer = %from, token, result = "let in", "a reader's token");
        }
        Judged::Right
    }

    /// Who asks, as far as settings say whose word counts.
    fn caller(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        guesses::caller(peer, &self.proxies, headers)
    }

    /// Figures of the whole fleet, a moment old at most.
    async fn census(&self) -> Result<Arc<Census>, Refusal> {
        let count = async { self.store.census().await.map_err(|it| failed(self, &it)) };
        self.census.get((), count).await
    }

    /// Lets everybody go who listens for events: a feed has no end of its own.
    pub fn close_feeds(&self) {
        self.bell.close();
    }

    /// The store may not be written any more; the first reason counts.
    fn fall(&self, failure: StoreFailure) {
        drop(self.felled_by.set(failure));
        self.fell.notify_one();
    }

    /// Waits until the store may not be written any more; gives why.
    pub async fn fell(&self) -> StoreFailure {
        self.fell.notified().await;
        match self.felled_by.get() {
            Some(StoreFailure::Damaged { what }) => StoreFailure::Damaged { what: what.clone() },
            _ => StoreFailure::SyncFailed,
        }
    }
}
