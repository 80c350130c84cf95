//! The store in one `SQLite` file: one writer with group commit, readers with connections of their own.
//!
//! **Invariant:** the write-ahead log is synced at every commit (`synchronous=FULL`).

mod schema;
mod writer;
mod people;
mod intake;
mod words;
mod reading;
mod matrix;
mod proof;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Commit, Deployment, Host, HostDetail, Page};
use bowline_api::page::{Matrix, Waiting};
use bowline_fleet::claim::Denied;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, mpsc};

use super::failure::doing;
use super::{
    Answer, Appended, Batch, Census, Claimant, Decided, Decision, Found, HostKey, Kept, Named,
    NewToken, Newest, Note, Picked, Store, StoreFailure, Wanted, Which,
};
use crate::door;
use writer::{Job, job};

/// Queries answered at once; more wait.
const READERS: usize = 4;

/// How long a lock of another program is waited for: a person's command, a backup's last step.
const LOCK_TIME: Duration = Duration::from_secs(5);

/// The store.
pub struct Sqlite {
    path: PathBuf,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    worker: Option<JoinHandle<()>>,
    readers: Option<Readers>,
}

struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
}

impl Sqlite {
    /// Opens a database, and makes it when there is none.
    pub fn open(path: &Path) -> Result<Self, StoreFailure> {
        let fail = |source| StoreFailure::Open { path: path.to_owned(), source };
        door::make_private(path).map_err(|it| fail(Box::new(it)))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || Connection::open_with_flags(path, flags).map_err(|it| fail(Box::new(it)));
        let mut db = open()?;
        prepare(&db).map_err(|failure| not_ours(failure, path))?;
        schema::migrate(&mut db, path)?;
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let reader = open()?;
                prepare(&reader)?;
                reader.pragma_update(None, "query_only", true).map_err(doing("open a reader"))?;
                Ok(reader)
            })
            .collect::<Result<_, StoreFailure>>()?;
        let places = Arc::new(Semaphore::new(readers.len()));
        let readers = Readers { idle: Arc::new(Mutex::new(readers)), places };
        Self::over(db, Some(readers), path)
    }

    /// A database that is gone when it is dropped.
    pub fn in_memory() -> Result<Self, StoreFailure> {
        let path = Path::new(":memory:");
        let fail = |source| StoreFailure::Open { path: path.to_owned(), source };
        let mut db = Connection::open_in_memory().map_err(|it| fail(Box::new(it)))?;
        prepare(&db)?;
        schema::migrate(&mut db, path)?;
        // Nobody else can see such a database: the writer reads as well.
        Self::over(db, None, path)
    }

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
            queue.send(job).await.map_err(|_gone| StoreFailure::Closed)?;
            answer.await.map_err(|_gone| StoreFailure::Closed)?
        })
    }

    fn read<T, F>(&self, mut work: F) -> Answer<'_, T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreFailure> + Send + 'static,
    {
        let Some(readers) = &self.readers else {
            return self.write(work);
        };
        Box::pin(async move {
            let place = Arc::clone(&readers.places).acquire_owned().await;
            let place = place.map_err(|_closed| StoreFailure::Closed)?;
            let idle = Arc::clone(&readers.idle);
            let asked = tokio::task::spawn_blocking(move || {
                let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
                let db = lock().pop().ok_or(StoreFailure::Closed)?;
                let found = work(&db);
                lock().push(db);
                drop(place);
                found
            });
            asked.await.map_err(|_gone| StoreFailure::Closed)?
        })
    }
}

/// What every connection is told.
fn prepare(db: &Connection) -> Result<(), StoreFailure> {
    let fail = doing("open the database");
    db.busy_timeout(LOCK_TIME).map_err(&fail)?;
    db.set_prepared_statement_cache_capacity(64);
    for (pragma, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("temp_store", "MEMORY"),
        // A log that grew is cut back to this at a checkpoint.
        ("journal_size_limit", "67108864"),
        ("wal_autocheckpoint", "4000"),
        ("cache_size", "-16384"),
    ] {
        db.pragma_update(None, pragma, value).map_err(&fail)?;
    }
    Ok(())
}

/// A file that is no database at all is not ours.
fn not_ours(failure: StoreFailure, path: &Path) -> StoreFailure {
    match failure {
        StoreFailure::Other { source: rusqlite::Error::SqliteFailure(error, _), .. }
            if error.code == rusqlite::ErrorCode::NotADatabase =>
        {
            StoreFailure::NotOurs { path: path.to_owned() }
        }
        other => other,
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
        now: i64,
    ) -> Answer<'_, Decided> {
        self.write(move |db| people::decide(db, &host, &fingerprint, decision, now))
    }

    fn acknowledge(&self, host: String, note: Note) -> Answer<'_, Option<u64>> {
        self.write(move |db| people::acknowledge(db, &host, &note))
    }

    fn waiting(&self, limit: u32) -> Answer<'_, Vec<Waiting>> {
        self.read(move |db| people::waiting(db, limit))
    }

    fn key(&self, fingerprint: String) -> Answer<'_, Option<HostKey>> {
        self.read(move |db| people::key(db, &fingerprint))
    }

    fn append(&self, batch: Batch, now: i64) -> Answer<'_, Appended> {
        self.write(move |db| intake::append(db, &batch, now))
    }

    fn envelopes(&self, key: i64, after: u64, limit: u32) -> Answer<'_, Vec<Vec<u8>>> {
        self.read(move |db| proof::envelopes(db, key, after, limit))
    }

    fn kept(&self, host: String, which: Which, limit: u32) -> Answer<'_, Vec<Kept>> {
        self.read(move |db| proof::kept(db, &host, &which, limit))
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
