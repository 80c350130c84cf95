//! Tells whether the write-ahead log beside a database file is its own.
//!
//! **Invariant:** a log's first change names the file on which it began, so one that belongs to another file, or to
//! another time of this one, is known before anything is written.
//! **Invariant:** only the writer folds the log into the file, and marks the file before.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bowline_model::digest::hex;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::failure::{StoreFailure, doing};
use super::opening::LOCK_TIME;
use crate::door;

/// Pages in a log that is folded into the file: 16 MiB, some tens of milliseconds' work.
const LOG_PAGES_MAX: u32 = 4000;

/// By how many it grows before that is tried again, when somebody was reading.
const LOG_PAGES_MORE: u32 = 256;

/// How sure it is that the log is the file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinship {
    /// There is none, or it began on this file as it is.
    Sure,
    /// The file holds a part of it already, or does not know logs yet: only what both make together can tell.
    Likely,
}

/// Where a file stands to logs.
#[derive(Debug, PartialEq, Eq)]
struct Marks {
    mark: Vec<u8>,
    base: Vec<u8>,
    /// The file's `schema_version` when the log began.
    cookie: i64,
    /// What it is now.
    version: i64,
}

/// Judges the log that lies beside a database, before anything is written. `db` is one that folds nothing into the
/// file when it is closed.
pub(super) fn judge(db: &Connection, path: &Path) -> Result<Kinship, StoreFailure> {
    if file_of(db).is_none_or(|it| door::size_of(&it) == 0) {
        return Ok(Kinship::Sure);
    }
    // A service that runs may fold its log into the file between the two looks, though hardly twice.
    let first = compare(db, path)?;
    if let Some(kinship) = first.map_or_else(|| compare(db, path), |it| Ok(Some(it)))? {
        return Ok(kinship);
    }
    Err(StoreFailure::Mixed { path: path.to_owned() })
}

/// Compares the file alone with the file and its log; `None` for a log that is not its own.
fn compare(db: &Connection, path: &Path) -> Result<Option<Kinship>, StoreFailure> {
    let Some(file) = alone(path) else {
        return Ok(Some(Kinship::Likely));
    };
    let both = match read(db) {
        Ok(both) => both,
        Err(rusqlite::Error::SqliteFailure(error, message))
            if [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked].contains(&error.code) =>
        {
            return Err(doing("read whose log it is")(rusqlite::Error::SqliteFailure(
                error, message,
            )));
        }
        // The file alone could be read.
        Err(_unreadable) => return Ok(None),
    };
    Ok(kinship(&file, &both))
}

fn kinship(file: &Marks, both: &Marks) -> Option<Kinship> {
    if file.mark == both.base && file.version == both.cookie {
        return Some(Kinship::Sure);
    }
    let is_it = file.version == both.cookie || file.version == both.version;
    (file.base == both.base && is_it).then_some(Kinship::Likely)
}

/// The file without its log; `None` where it cannot be read so, or has no marks yet.
fn alone(path: &Path) -> Option<Marks> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            _ => {
                uri.push('%');
                uri.push_str(&hex(&[*byte]));
            }
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let file = Connection::open_with_flags(uri, flags).ok()?;
    read(&file).ok()
}

fn read(db: &Connection) -> Result<Marks, rusqlite::Error> {
    let version = db.pragma_query_value(None, "schema_version", |row| row.get(0))?;
    db.query_row("SELECT mark, base, cookie FROM lineage", [], |row| {
        Ok(Marks { mark: row.get(0)?, base: row.get(1)?, cookie: row.get(2)?, version })
    })
}

/// The log of the writer's database.
pub(super) struct Log {
    /// `None` for a database in memory.
    file: Option<PathBuf>,
    /// Its pages, as of the last commit here; 0 before the first.
    pages: Arc<AtomicU32>,
    /// How many it may have before it is folded.
    next: u32,
    /// The mark under which all of it was folded, while nothing was written since: the next commit may begin it anew.
    folded: Option<Vec<u8>>,
}

impl Log {
    /// The log of a connection that was told all it is to be told.
    pub(super) fn of(db: &mut Connection) -> Self {
        let pages = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&pages);
        let hook = move |_: &mut Wal, number| {
            count.store(u32::try_from(number).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        let log = Self { file: file_of(db), pages, next: LOG_PAGES_MAX, folded: None };
        // Whoever closes it last folds a log that nobody counts.
        if let Err(error) = db.wal_hook(Some(hook)) {
            tracing::warn!(%error, "the log is not folded before the service ends");
        }
        log
    }

    fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Names the file in a log's first change; to be asked inside of a transaction that writes.
    pub(super) fn begin(&self, db: &Connection) -> Result<(), StoreFailure> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        if self.folded.is_none() && (self.pages() > 0 || door::size_of(file) > 0) {
            return Ok(());
        }
        // Where another program, a command, folded it meanwhile, the file has another mark, and that one names it.
        let sql = "UPDATE lineage SET base = mark, mark = randomblob(16),
                     cookie = (SELECT schema_version FROM pragma_schema_version)
                   WHERE mark = coalesce(?1, mark)";
        db.execute(sql, [&self.folded]).map(drop).map_err(doing("begin a log"))
    }

    /// Says that what was begun is durable.
    pub(super) fn committed(&mut self) {
        self.folded = None;
        if self.pages() < LOG_PAGES_MAX {
            self.next = LOG_PAGES_MAX;
        }
    }

    /// Folds a log that grew long into the file, unless somebody reads what was before. Only a failed sync is a
    /// failure: all else is tried again later, and what is in the log is durable.
    pub(super) fn fold(&mut self, db: &Connection) -> Result<(), StoreFailure> {
        if self.pages() < self.next {
            return Ok(());
        }
        // A log that somebody still reads goes on where it ends.
        self.next = self.pages().saturating_add(LOG_PAGES_MORE);
        match self.turn(db) {
            Err(failure @ StoreFailure::SyncFailed) => return Err(failure),
            Err(failure) => tracing::warn!(%failure, "the log is not folded into the database yet"),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Folds it, and names the file in what comes next at once: whoever writes first begins the log anew, and a
    /// command knows nothing of what was folded here.
    fn turn(&mut self, db: &Connection) -> Result<(), StoreFailure> {
        self.folded = fold(db)?;
        if self.folded.is_some() {
            self.begin(db)?;
            self.committed();
        }
        Ok(())
    }
}

/// Where a database's log lies; `None` for one in memory.
fn file_of(db: &Connection) -> Option<PathBuf> {
    let file = db.path().filter(|it| !it.is_empty())?;
    Some(PathBuf::from(format!("{file}-wal")))
}

/// Gives the log's mark when all of the log is in the file now, durably: what comes next may name the file by it,
/// whether that begins the log anew or goes on behind somebody who reads its end.
fn fold(db: &Connection) -> Result<Option<Vec<u8>>, StoreFailure> {
    let fail = doing("fold the log into the database");
    let mark = db.query_row("SELECT randomblob(16)", [], |row| row.get::<_, Vec<u8>>(0));
    let mark = mark.map_err(&fail)?;
    // A copy that was made before is told from the file as the next log finds it.
    db.execute("UPDATE lineage SET mark = ?1", [&mark]).map_err(&fail)?;
    // Hosts wait meanwhile: readers are not waited for.
    db.busy_timeout(Duration::ZERO).map_err(&fail)?;
    // RESTART is busy also for one who reads the end, though the log begins anew once they are gone. And where a
    // command writes just now, as many pages may be in the file as are told, and yet not be synced.
    let is_busy = db.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get::<_, bool>(0));
    db.busy_timeout(LOCK_TIME).map_err(&fail)?;
    is_busy.map(|it| (!it).then_some(mark)).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(mark: u8, base: u8, cookie: i64, version: i64) -> Marks {
        Marks { mark: vec![mark], base: vec![base], cookie, version }
    }

    #[test]
    fn a_log_is_known_by_the_file_on_which_it_began() {
        let cases = [
            ("it began here", marks(1, 0, 9, 9), marks(2, 1, 9, 9), Some(Kinship::Sure)),
            (
                "it was marked to be folded",
                marks(1, 0, 9, 9),
                marks(3, 1, 9, 9),
                Some(Kinship::Sure),
            ),
            ("a part was folded", marks(2, 1, 9, 9), marks(3, 1, 9, 9), Some(Kinship::Likely)),
            (
                "it holds a newer schema",
                marks(2, 1, 9, 9),
                marks(2, 1, 8, 9),
                Some(Kinship::Likely),
            ),
            ("it began on a later file", marks(1, 0, 9, 9), marks(5, 4, 9, 9), None),
            ("it began on an earlier file", marks(5, 4, 9, 9), marks(2, 1, 9, 9), None),
            ("it is another's", marks(1, 0, 9, 9), marks(7, 6, 9, 9), None),
            ("the file is a copy of the one", marks(1, 0, 9, 10), marks(2, 1, 9, 9), None),
            ("a copy of the one with a part", marks(2, 1, 9, 10), marks(3, 1, 9, 9), None),
            (
                "a copy that was opened",
                marks(1, 0, 9, 10),
                marks(2, 1, 10, 10),
                Some(Kinship::Sure),
            ),
        ];
        for (what, file, both, expected) in cases {
            assert_eq!(kinship(&file, &both), expected, "{what}");
        }
    }
}
