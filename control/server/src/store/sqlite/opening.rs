//! Opens the database: to serve from it, or for a person's command.
//!
//! **Invariant:** only the service makes a database or brings it to a newer schema; a command opens what is
//! there and fits, or nothing.
//! **Invariant:** a file that is not ours is not written, not even its head.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::failure::{StoreFailure, doing};
use super::Sqlite;
use super::lineage::{self, Kinship};
use super::readers::{INTAKE, Lane, PEOPLE, Readers, WAIT_TIME};
use super::schema::{self, Stand};
use crate::door;

/// How long a lock of another program is waited for: a person's command, a backup's last step.
pub(super) const LOCK_TIME: Duration = Duration::from_secs(5);

/// Databases up to this size are checked at each start, in a second or some; a thousand times that would keep hosts
/// waiting for minutes after each restart.
const CHECK_BYTES_MAX: i64 = 1 << 30;

impl Sqlite {
    /// Opens a database to serve from it: makes it when there is none, and brings an older one to this schema
    /// after a copy of it was put beside it.
    pub fn open(path: &Path) -> Result<Self, StoreFailure> {
        door::make_private(path).map_err(|it| not_opened(path, it))?;
        let mut db = connect(path)?;
        let kinship = lineage::judge(&db, path)?;
        let stand = schema::stand(&db, path).map_err(|failure| not_ours(failure, path))?;
        prepare(&db)?;
        check(&db, kinship)?;
        fold_at_the_end(&db)?;
        if let Stand::Older(found) = stand {
            let copy = beside(path, found);
            keep_copy(&db, path, &copy)?;
            tracing::info!("the database has schema {found}; a copy of it is {}", copy.display());
        }
        schema::migrate(&mut db, path)?;
        let lane = |number: usize| {
            let connections = (0..number).map(|_| reader(path)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, StoreFailure>(Lane::of(connections, WAIT_TIME))
        };
        let readers = Readers { people: lane(PEOPLE)?, intake: lane(INTAKE)? };
        Self::over(db, Some(readers), path)
    }

    /// Opens the database of a service for a person's command.
    pub fn open_existing(path: &Path) -> Result<Self, StoreFailure> {
        if !door::is_there(path) {
            return Err(StoreFailure::Absent { path: path.to_owned() });
        }
        let db = connect(path)?;
        let kinship = lineage::judge(&db, path)?;
        let stand = schema::stand(&db, path).map_err(|failure| not_ours(failure, path))?;
        match stand {
            Stand::New => return Err(StoreFailure::Absent { path: path.to_owned() }),
            Stand::Older(found) => {
                let path = path.to_owned();
                return Err(StoreFailure::Older { path, found, known: schema::SCHEMA });
            }
            Stand::Newest => {}
        }
        let db = match kinship {
            Kinship::Sure => db,
            Kinship::Likely => ascertain(db, path, CHECK_BYTES_MAX)?,
        };
        prepare(&db)?;
        fold_at_the_end(&db)?;
        Self::over(db, None, path)
    }

    /// A database that is gone when it is dropped.
    pub fn in_memory() -> Result<Self, StoreFailure> {
        let path = Path::new(":memory:");
        let mut db = Connection::open_in_memory().map_err(|it| not_opened(path, it))?;
        prepare(&db)?;
        schema::migrate(&mut db, path)?;
        // Nobody else can see such a database: the writer reads as well.
        Self::over(db, None, path)
    }
}

fn not_opened(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreFailure {
    StoreFailure::Open { path: path.to_owned(), source: source.into() }
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreFailure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|it| not_opened(path, it))?;
    let fail = doing("open the database");
    db.busy_timeout(LOCK_TIME).map_err(&fail)?;
    // Whoever closes it last would fold the log into the file, whosever that is.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(&fail)?;
    // A statement is planned once, not anew for each value that a partial index may ask about.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    Ok(db)
}

/// The log is the file's: whoever closes it last may fold it into the file.
fn fold_at_the_end(db: &Connection) -> Result<(), StoreFailure> {
    let set = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
    set.map(drop).map_err(doing("open the database"))
}

fn reader(path: &Path) -> Result<Connection, StoreFailure> {
    let reader = connect(path)?;
    prepare(&reader)?;
    fold_at_the_end(&reader)?;
    reader.pragma_update(None, "query_only", true).map_err(doing("open a reader"))?;
    Ok(reader)
}

/// What every connection is told.
fn prepare(db: &Connection) -> Result<(), StoreFailure> {
    let fail = doing("open the database");
    db.set_prepared_statement_cache_capacity(64);
    for (pragma, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("temp_store", "MEMORY"),
        // A log that grew is cut back to this at a checkpoint.
        ("journal_size_limit", "67108864"),
        // The writer does that, with a mark.
        ("wal_autocheckpoint", "0"),
        ("cache_size", "-16384"),
    ] {
        db.pragma_update(None, pragma, value).map_err(&fail)?;
    }
    Ok(())
}

/// What a command does where only the file and the log together can tell whose the log is. So it stands beside a
/// service, too, while a reader keeps it from folding the rest.
pub(super) fn ascertain(
    db: Connection,
    path: &Path,
    bytes_max: i64,
) -> Result<Connection, StoreFailure> {
    if size(&db)? <= bytes_max {
        // It only reads: a service goes on meanwhile.
        check(&db, Kinship::Likely)?;
        return Ok(db);
    }
    drop(db);
    // A person is not kept waiting for minutes. A service that runs has checked it at its start.
    if is_alone(path)? {
        return Err(StoreFailure::Doubtful { path: path.to_owned() });
    }
    connect(path)
}

/// Whether no other program has the database open; to be asked without a connection of one's own.
fn is_alone(path: &Path) -> Result<bool, StoreFailure> {
    let db = connect(path)?;
    let fail = doing("look whether the service runs");
    db.busy_timeout(Duration::ZERO).map_err(&fail)?;
    // Whoever asks for it so before reading gets a lock that nobody else's connection leaves free.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(&fail)?;
    match db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map_err(fail) {
        Ok(_version) => Ok(true),
        Err(StoreFailure::Locked { .. }) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// How many bytes the database has, with what is in its log.
fn size(db: &Connection) -> Result<i64, StoreFailure> {
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let fail = doing("look how large the database is");
    let pages = number("page_count").map_err(&fail)?;
    Ok(pages.saturating_mul(number("page_size").map_err(fail)?))
}

/// Looks whether the file is whole.
fn check(db: &Connection, kinship: Kinship) -> Result<(), StoreFailure> {
    let fail = doing("check the database");
    let bytes = size(db)?;
    let doubtful = kinship == Kinship::Likely;
    if bytes > CHECK_BYTES_MAX && !doubtful {
        tracing::info!(bytes, "the database is too large to be checked at each start");
        return Ok(());
    }
    // Where it is in doubt whose log it is, tables and their indexes are compared as well.
    let look = if doubtful { "PRAGMA integrity_check(1)" } else { "PRAGMA quick_check(1)" };
    let found = db.query_row(look, [], |row| row.get::<_, String>(0));
    let found = found.map_err(&fail)?;
    if found == "ok" { Ok(()) } else { Err(StoreFailure::Damaged { what: found }) }
}

/// A file that is no database at all is not ours.
fn not_ours(failure: StoreFailure, path: &Path) -> StoreFailure {
    match failure {
        StoreFailure::Other { source: rusqlite::Error::SqliteFailure(error, _), .. }
            if error.code == ErrorCode::NotADatabase =>
        {
            StoreFailure::NotOurs { path: path.to_owned() }
        }
        other => other,
    }
}

/// Where the copy of an older schema lies.
fn beside(path: &Path, schema: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".schema-{schema}"));
    PathBuf::from(name)
}

/// Copies the database as it stands, or leaves nothing but what was there. What an earlier try left is replaced: the
/// database is still as old.
pub(super) fn keep_copy(db: &Connection, path: &Path, copy: &Path) -> Result<(), StoreFailure> {
    let fail = |it| not_opened(copy, it);
    let [part, journal] = [".part", ".part-journal"].map(|more| {
        let mut name = copy.as_os_str().to_owned();
        name.push(more);
        PathBuf::from(name)
    });
    let clear = || door::take_away(&part).and_then(|()| door::take_away(&journal));
    clear().map_err(fail)?;
    // It may become smaller; but the schema's change takes room as well.
    let needed = u64::try_from(size(db)?).unwrap_or_default();
    // The copy lies beside the path's own name, wherever a link leads.
    let folder = copy.parent().filter(|it| !it.as_os_str().is_empty());
    let free = door::room_beside(folder.unwrap_or(Path::new("."))).map_err(fail)?;
    if free < needed {
        return Err(StoreFailure::NoRoom { path: path.to_owned(), needed, free });
    }
    let ended = copy_by(db, &part, copy);
    if ended.is_err() {
        // Why there is no copy says more than why a part of it stays.
        drop(clear());
    }
    ended
}

fn copy_by(db: &Connection, part: &Path, copy: &Path) -> Result<(), StoreFailure> {
    let fail = |it| not_opened(copy, it);
    door::begin_anew(part).map_err(fail)?;
    let shown = part.to_string_lossy();
    db.execute("VACUUM INTO ?1", [&shown]).map_err(doing("copy the database beside it"))?;
    door::settle(part, copy).map_err(fail)
}
