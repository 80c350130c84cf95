//! What the loop tells whoever sends its records on.
//!
//! **Invariant:** the loop never waits here: it leaves a word, and whoever wants it comes by.

use std::sync::Arc;

use bowline_host::key::HostKey;
use bowline_host::record::Spool;
use tokio::sync::watch;

/// The records, as the loop left them last.
#[derive(Debug, Clone)]
pub struct Letters {
    /// The key that signs them.
    pub key: Arc<HostKey>,
    /// The newest one that is durable.
    pub kept: u64,
}

/// Where the loop leaves word.
#[derive(Debug)]
pub struct Post {
    spool: Arc<Spool>,
    letters: watch::Sender<Option<Letters>>,
}

impl Post {
    /// A place where nothing was left yet.
    pub fn new(spool: Arc<Spool>) -> Self {
        Self { spool, letters: watch::Sender::new(None) }
    }

    /// How much is kept of the records.
    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// Tells that the record log was opened.
    pub fn open(&self, key: Arc<HostKey>, kept: u64) {
        self.letters.send_replace(Some(Letters { key, kept }));
    }

    /// Tells that a record is durable.
    pub fn add(&self, seq: u64) {
        self.letters.send_if_modified(|letters| match letters {
            Some(letters) if letters.kept < seq => {
                letters.kept = seq;
                true
            }
            _ => false,
        });
    }

    /// Hears of the records from now on.
    pub fn subscribe(&self) -> watch::Receiver<Option<Letters>> {
        self.letters.subscribe()
    }
}
