//! Tells whoever listens that something was heard of a host.
//!
//! **Invariant:** listeners are limited; one that does not keep up is let go, and nobody waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use bowline_api::page::Heard;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is held for a listener that is slow: a whole fleet's burst tells it to read anew anyway.
const BEHIND_MAX: usize = 256;

/// The bell.
#[derive(Debug)]
pub(super) struct Bell {
    sender: Mutex<Option<Sender<Heard>>>,
    places: Arc<Semaphore>,
}

impl Bell {
    pub(super) fn new(listeners: usize) -> Self {
        let (sender, _) = broadcast::channel(BEHIND_MAX);
        let places = Arc::new(Semaphore::new(listeners));
        Self { sender: Mutex::new(Some(sender)), places }
    }

    /// Tells all listeners. That nobody listens is no failure.
    pub(super) fn ring(&self, heard: Heard) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref() {
            sender.send(heard).unwrap_or_default();
        }
    }

    /// A place to listen at; `None` when all are taken, or the service ends.
    pub(super) fn listen(&self) -> Option<(Receiver<Heard>, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().map(|it| (it.subscribe(), place))
    }

    /// Lets all listeners go.
    pub(super) fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
