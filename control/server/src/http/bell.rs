//! Tells whoever listens that something was heard of a host.
//!
//! **Invariant:** listeners are limited, in all and of one reader; one that does not keep up is let go, and
//! nobody waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bowline_api::page::Heard;
use bowline_model::digest::Sha256;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::door;

/// What is held for a listener that is slow: a whole fleet's burst tells it to read anew anyway.
const BEHIND_MAX: usize = 256;

/// Listeners of one token or session: a browser has one, a board on a wall another.
const EACH_MAX: usize = 16;

/// How long a host that says the same over again is not told of: pages look for themselves once a minute.
const SELDOM: Duration = Duration::from_secs(30);

/// Hosts that are remembered for that; with more, all are news again.
const HOSTS_MAX: usize = 4096;

/// What a host may say again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Again {
    /// That its records do not continue.
    Fault,
    /// That a name is its own.
    Claim,
}

/// The bell.
#[derive(Debug)]
pub(super) struct Bell {
    sender: Mutex<Option<Sender<Heard>>>,
    places: Arc<Semaphore>,
    readers: Mutex<HashMap<Sha256, Arc<Semaphore>>>,
    rung: Mutex<HashMap<(Again, String), Instant>>,
}

/// A place to listen at, as long as it is kept.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_reader: Option<OwnedSemaphorePermit>,
}

impl Bell {
    pub(super) fn new(listeners: usize) -> Self {
        let (sender, _) = broadcast::channel(BEHIND_MAX);
        Self {
            sender: Mutex::new(Some(sender)),
            places: Arc::new(Semaphore::new(listeners)),
            readers: Mutex::default(),
            rung: Mutex::default(),
        }
    }

    /// Tells all listeners. That nobody listens is no failure.
    pub(super) fn ring(&self, heard: Heard) {
        if let Some(sender) = lock(&self.sender).as_ref() {
            sender.send(heard).unwrap_or_default();
        }
    }

    /// Tells all listeners of what a host may say again and again: now and then.
    pub(super) fn ring_seldom(&self, again: Again, heard: Heard) {
        let now = door::now();
        let key = (again, heard.host.clone());
        let mut rung = lock(&self.rung);
        if rung.get(&key).is_some_and(|it| now.saturating_duration_since(*it) < SELDOM) {
            return;
        }
        if rung.len() >= HOSTS_MAX {
            rung.clear();
        }
        rung.insert(key, now);
        drop(rung);
        self.ring(heard);
    }

    /// A place to listen at; `None` when all are taken, or all of this reader's, or the service ends.
    pub(super) fn listen(&self, reader: Option<Sha256>) -> Option<(Receiver<Heard>, Place)> {
        let of_reader = match reader {
            Some(reader) => Some(self.of_reader(reader).try_acquire_owned().ok()?),
            None => None,
        };
        let of_all = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let place = Place { _of_all: of_all, _of_reader: of_reader };
        lock(&self.sender).as_ref().map(|it| (it.subscribe(), place))
    }

    fn of_reader(&self, reader: Sha256) -> Arc<Semaphore> {
        let mut readers = lock(&self.readers);
        // Who listens holds one as well: the others went away.
        readers.retain(|_, it| Arc::strong_count(it) > 1);
        Arc::clone(readers.entry(reader).or_insert_with(|| Arc::new(Semaphore::new(EACH_MAX))))
    }

    /// Lets all listeners go.
    pub(super) fn close(&self) {
        drop(lock(&self.sender).take());
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reader_leaves_places_for_others() {
        let bell = Bell::new(EACH_MAX + 1);
        let [one, other] = [b"one", b"two"].map(|it| Sha256::of(it));
        let taken: Vec<_> = (0..EACH_MAX).map(|_| bell.listen(Some(one)).unwrap()).collect();
        assert!(bell.listen(Some(one)).is_none());
        assert!(bell.listen(Some(other)).is_some());
        drop(taken);
        assert!(bell.listen(Some(one)).is_some());
        assert_eq!(lock(&bell.readers).len(), 1, "who went away is forgotten");
    }

    #[test]
    fn a_host_that_repeats_itself_is_told_of_once() {
        let bell = Bell::new(1);
        let (mut heard, _place) = bell.listen(None).unwrap();
        for host in ["web-1", "web-1", "web-2", "web-1"] {
            bell.ring_seldom(Again::Claim, Heard { host: host.to_owned(), seq: 0, outcome: None });
        }
        bell.ring_seldom(Again::Fault, Heard { host: "web-1".to_owned(), seq: 1, outcome: None });
        let hosts = std::iter::from_fn(|| heard.try_recv().ok()).map(|it| it.host);
        assert_eq!(hosts.collect::<Vec<_>>(), ["web-1", "web-2", "web-1"]);
    }
}
