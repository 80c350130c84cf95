//! Connections that only read: some for people, one for hosts that send.
//!
//! **Invariant:** nobody waits long without a word: who finds too many before them, or no place in time, is
//! told that the store is busy.
//! **Invariant:** what people read never holds up the look at a host's key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::failure::StoreFailure;

/// Questions of people answered at once; more wait.
pub(super) const PEOPLE: usize = 4;

/// Looks at a key at once: each takes microseconds.
pub(super) const INTAKE: usize = 1;

/// Questions that may wait: a page of every listener, which an event made ask at the same moment.
const WAITING_MAX: usize = 256;

/// How long one waits for its turn: a browser's own patience is longer, and so it shows what is answered.
pub(super) const WAIT_TIME: Duration = Duration::from_secs(5);

/// Readers of a database, by whom they answer.
pub(super) struct Readers {
    /// Pages, programs, figures.
    pub(super) people: Lane,
    /// Hosts' keys.
    pub(super) intake: Lane,
}

/// Some connections, and who waits for one.
pub(super) struct Lane {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    waiting: Semaphore,
    patience: Duration,
}

impl Lane {
    /// A lane over these connections, in which one waits for so long.
    pub(super) fn of(connections: Vec<Connection>, patience: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(connections.len())),
            idle: Arc::new(Mutex::new(connections)),
            waiting: Semaphore::new(WAITING_MAX),
            patience,
        }
    }

    /// Reads as soon as a connection is free.
    pub(super) async fn read<T, F>(&self, mut work: F) -> Result<T, StoreFailure>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreFailure> + Send + 'static,
    {
        let place = self.place().await?;
        let idle = Arc::clone(&self.idle);
        let asked = spawn_blocking(move || {
            let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
            let db = lock().pop().ok_or(StoreFailure::Closed)?;
            let found = work(&db);
            lock().push(db);
            drop(place);
            found
        });
        asked.await.map_err(|_gone| StoreFailure::Closed)?
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreFailure> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _waits = self.waiting.try_acquire().map_err(|_full| StoreFailure::Busy)?;
        let place = timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await;
        place.map_err(|_late| StoreFailure::Busy)?.map_err(|_closed| StoreFailure::Closed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use tokio::runtime::Builder;

    use super::*;

    type Work = Box<dyn FnMut(&Connection) -> Result<(), StoreFailure> + Send>;

    fn lane(patience: Duration) -> Lane {
        Lane::of(vec![Connection::open_in_memory().unwrap()], patience)
    }

    #[test]
    fn who_finds_too_many_before_them_is_told_at_once() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let lane = Arc::new(lane(Duration::from_mins(1)));
        let (begun, is_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let ask = |work: Work| {
            let lane = Arc::clone(&lane);
            runtime.spawn(async move { lane.read(work).await })
        };
        let first = ask(Box::new(move |_| {
            begun.send(()).unwrap();
            released.recv().map_err(|_gone| StoreFailure::Closed)
        }));
        is_begun.recv().unwrap();
        let others: Vec<_> = (0..WAITING_MAX).map(|_| ask(Box::new(|_| Ok(())))).collect();
        while lane.waiting.available_permits() > 0 {
            thread::yield_now();
        }
        let turned_away = runtime.block_on(ask(Box::new(|_| Ok(())))).unwrap();
        assert!(matches!(turned_away, Err(StoreFailure::Busy)), "{turned_away:?}");
        release.send(()).unwrap();
        for it in others.into_iter().chain([first]) {
            runtime.block_on(it).unwrap().unwrap();
        }
    }

    #[test]
    fn who_gets_no_turn_in_time_is_told_so() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let lane = lane(Duration::from_millis(10));
        let held = Arc::clone(&lane.places).try_acquire_owned().unwrap();
        let asked = runtime.block_on(lane.read(|_| Ok(())));
        assert!(matches!(asked, Err(StoreFailure::Busy)), "{asked:?}");
        drop(held);
        runtime.block_on(lane.read(|_| Ok(()))).unwrap();
    }
}
