//! The service over HTTP: who is let in, by which limits, and what each path answers.
//!
//! **Invariant:** every error is a problem (RFC 9457) that says what to do.
//! **Invariant:** a path that this version does not have answers 404; it never pretends.

mod answer;
mod bell;
mod body;
mod enrol;
mod events;
mod faults;
mod gate;
mod keyring;
mod listen;
mod meters;
mod metrics;
mod openapi;
mod pages;
mod read;
mod records;
mod sessions;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use bowline_model::digest::Sha256;
use tokio::sync::{Notify, Semaphore};

use crate::settings::{Limits, Settings};
use crate::store::Store;
use bell::Bell;
use keyring::Keyring;
use meters::Meters;
use sessions::Sessions;

pub use listen::serve;
pub use table::router;

/// What every path answers from.
#[derive(Debug)]
pub struct Service {
    store: Arc<dyn Store>,
    readers: Vec<Sha256>,
    hosts: Option<PathBuf>,
    limits: Limits,
    meters: Meters,
    /// Threads that may verify signatures at once: more would only take turns.
    verifiers: Arc<Semaphore>,
    keyring: Keyring,
    bell: Bell,
    sessions: Sessions,
    fell: Notify,
}

impl Service {
    /// A service over a store.
    pub fn new(store: Arc<dyn Store>, settings: &Settings) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            store,
            readers: settings.readers.clone(),
            hosts: settings.hosts.clone(),
            limits: settings.limits,
            meters: Meters::default(),
            verifiers: Arc::new(Semaphore::new(cores)),
            keyring: Keyring::default(),
            bell: Bell::new(settings.limits.listeners),
            sessions: Sessions::default(),
            fell: Notify::new(),
        }
    }

    /// Whether a token is a reader's.
    fn is_token(&self, token: &[u8]) -> bool {
        self.readers.contains(&Sha256::of(token))
    }

    /// Lets everybody go who listens for events: a feed has no end of its own.
    pub fn close_feeds(&self) {
        self.bell.close();
    }

    /// Waits until the store may not be written any more.
    pub async fn fell(&self) {
        self.fell.notified().await;
    }
}
