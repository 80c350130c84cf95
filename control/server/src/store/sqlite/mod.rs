//! The store in one `SQLite` file: one writer with group commit, readers with connections of their own.
//!
//! **Invariant:** the write-ahead log is synced at every commit (`synchronous=FULL`).

mod opening;
mod lineage;
mod readers;
mod schema;
mod writer;
mod people;
mod account;
mod alarms;
mod intake;
mod wording;
mod words;
mod reread;
mod reading;
mod matrix;
mod proof;
#[cfg(test)]
mod neighbours;

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Commit, Deployment, Fault, Host, HostDetail, Page};
use bowline_api::page::{Matrix, Waiting};
use bowline_fleet::claim::Denied;
use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{
    Answer, Appended, Batch, Census, Claimant, Decided, Decision, Found, Gone, HostKey, Kept,
    Looked, Named, NewToken, Newest, Note, Otherwise, Person, Picked, Resumed, Store, StoreFailure,
    Wanted, Which,
};
use readers::Readers;
use writer::{Job, job};

/// How long one waits for a place in the writer's queue: twice a lock's time. Who sends is asked to come again
/// before its own patience ends.
const QUEUE_TIME: Duration = Duration::from_secs(10);

/// The store.
pub struct Sqlite {
    path: PathBuf,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    worker: Option<JoinHandle<()>>,
    readers: Option<Readers>,
}

impl Sqlite {
    fn over(db: Connection, readers: Option<Readers>, path: &Path) -> Result<Self, StoreFailure> {
        let (queue, jobs) = mpsc::channel(writer::GROUP_MAX);
        let worker = thread::Builder::new().name("writer".to_owned());
        let worker = worker.spawn(move || writer::work(db, jobs)).map_err(|source| {
            StoreFailure::Open { path: path.to_owned(), source: Box::new(source) }
        })?;
        Ok(Self { path: path.to_owned(), queue: Some(queue), worker: Some(worker), readers })
    }

    fn write<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreFailure> + Send + 'static,
    {
        Box::pin(async move {
            let (job, answer) = job(work);
            let queue = self.queue.as_ref().ok_or(StoreFailure::Closed)?;
            let sent = timeout(QUEUE_TIME, queue.send(job)).await;
            sent.map_err(|_late| StoreFailure::Busy)?.map_err(|_gone| StoreFailure::Closed)?;
            answer.await.map_err(|_gone| StoreFailure::Closed)?
        })
    }

    fn read<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreFailure> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => Box::pin(readers.people.read(work)),
            None => self.write(work),
        }
    }

    /// Reads for a host that sends: whatever people read meanwhile, it does not wait for them.
    fn look_up<T, F>(&self, work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreFailure> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => Box::pin(readers.intake.read(work)),
            None => self.write(work),
        }
    }
}

impl Store for Sqlite {
    fn make_token(&self, host: String, token: NewToken) -> Answer<'_, ()> {
        self.write(move |db| people::make_token(db, &host, token))
    }

    fn claim(&self, claimant: Claimant, now: i64) -> Answer<'_, Result<KeyState, Denied>> {
        self.write(move |db| people::claim(db, &claimant, now))
    }

    fn decide(
        &self,
        host: String,
        fingerprint: String,
        decision: Decision,
        by: Person,
    ) -> Answer<'_, Decided> {
        self.write(move |db| people::decide(db, &host, &fingerprint, decision, &by))
    }

    fn acknowledge(&self, host: String, seen: u64, note: Note) -> Answer<'_, Looked> {
        self.write(move |db| alarms::acknowledge(db, &host, seen, &note))
    }

    fn retire(&self, host: String, note: Note) -> Answer<'_, Gone> {
        self.write(move |db| people::retire(db, &host, &note))
    }

    fn resume(&self, host: String, from: u64, note: Note) -> Answer<'_, Resumed> {
        self.write(move |db| people::resume(db, &host, from, &note))
    }

    fn faults(&self, host: String, part: Newest) -> Answer<'_, Option<Page<Fault>>> {
        self.read(move |db| alarms::faults(db, &host, part))
    }

    fn told_otherwise(&self, host: String, fault: u64) -> Answer<'_, Option<Otherwise>> {
        self.read(move |db| alarms::told_otherwise(db, &host, fault))
    }

    fn waiting(&self, limit: u32) -> Answer<'_, Vec<Waiting>> {
        self.read(move |db| people::waiting(db, limit))
    }

    fn key(&self, fingerprint: String) -> Answer<'_, Option<HostKey>> {
        self.look_up(move |db| people::key(db, &fingerprint))
    }

    fn append(&self, batch: Batch, now: i64) -> Answer<'_, Appended> {
        self.write(move |db| intake::append(db, &batch, now))
    }

    fn envelope(&self, key: i64, seq: u64) -> Answer<'_, Option<Vec<u8>>> {
        self.read(move |db| proof::envelope(db, key, seq))
    }

    fn kept(&self, host: String, which: Which, part: Newest) -> Answer<'_, Page<Kept>> {
        self.read(move |db| proof::kept(db, &host, &which, part))
    }

    fn hosts(&self, picked: Picked, part: Named) -> Answer<'_, Page<Host>> {
        self.read(move |db| reading::hosts(db, &picked, &part))
    }

    fn host(&self, name: String) -> Answer<'_, Option<HostDetail>> {
        self.read(move |db| reading::host(db, &name))
    }

    fn deployments(&self, wanted: Wanted, part: Newest) -> Answer<'_, Page<Deployment>> {
        self.read(move |db| matrix::deployments(db, &wanted, part))
    }

    fn commits(&self, part: Newest) -> Answer<'_, Page<Commit>> {
        self.read(move |db| matrix::commits(db, part))
    }

    fn matrix(&self, hosts: Named, commits: Newest) -> Answer<'_, Matrix> {
        self.read(move |db| matrix::matrix(db, &hosts, commits))
    }

    fn whereabouts(&self, commit: String, part: Named) -> Answer<'_, Found> {
        self.read(move |db| matrix::whereabouts(db, &commit, &part))
    }

    fn census(&self) -> Answer<'_, Census> {
        self.read(reading::census)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(worker) = self.worker.take() {
            // What was asked for is done first; the last connection folds the log into the file.
            drop(worker.join());
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sqlite({})", self.path.display())
    }
}
