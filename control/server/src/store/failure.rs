//! Why the store could not do what it was asked for.
//!
//! **Invariant:** whoever reads it knows whether asking again can help, and who must act.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use thiserror::Error;

/// The store did not do it; nothing was changed.
#[derive(Debug, Error)]
pub enum StoreFailure {
    /// No room is left.
    #[error("the disk of the database is full: {doing}")]
    Full {
        /// What was being done.
        doing: &'static str,
    },
    /// A copy that comes before a change of its schema does not fit beside it.
    #[error("a copy of {} needs {needed} bytes, and {free} are free", path.display())]
    NoRoom {
        /// The database.
        path: PathBuf,
        /// How large a copy may become.
        needed: u64,
        /// How much room is there.
        free: u64,
    },
    /// Somebody else holds it.
    #[error("the database is locked by another program: {doing}")]
    Locked {
        /// What was being done.
        doing: &'static str,
    },
    /// A sync failed: what is on the disk is unknown, and nothing more is written.
    #[error("the disk of the database failed a sync; nothing more is written until a restart")]
    SyncFailed,
    /// The service is ending.
    #[error("the store is closed")]
    Closed,
    /// It was made by a program that is newer than this one.
    #[error("{} has schema {found}; this version knows up to {known}", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one that is known here.
        known: i64,
    },
    /// It was made by a program that is older than this one, and a command does not change that.
    #[error("{} has schema {found}, and this command knows {known}", path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one that is known here.
        known: i64,
    },
    /// A command found none.
    #[error("there is no database {}", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// More is asked at once than is answered in time.
    #[error("too many questions wait for the database")]
    Busy,
    /// It is something else.
    #[error("{} is not a database of bowline-control", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made or opened.
    #[error("open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A log lies beside it that belongs to another.
    #[error("the log beside {} is not its own", path.display())]
    Mixed {
        /// The database.
        path: PathBuf,
    },
    /// A log lies beside it that may belong to another, and it is too large for a command to check.
    #[error("the log beside {} may not be its own", path.display())]
    Doubtful {
        /// The database.
        path: PathBuf,
    },
    /// What is kept does not fit together.
    #[error("the database is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: String,
    },
    /// A record's place that no key's chain has.
    #[error("no key has a record {seq}")]
    NoSuchPlace {
        /// The sequence.
        seq: u64,
    },
    /// Anything else.
    #[error("{doing}")]
    Other {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreFailure {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full { .. } => "free space on its filesystem; hosts send their records again",
            Self::NoRoom { .. } => {
                "free space on its filesystem, or move it to a larger one: a copy is kept beside it before it is \
                 brought to a newer schema; nothing was changed"
            }
            Self::Locked { .. } => "end the other program, a backup or a shell of SQLite, say",
            Self::SyncFailed => "look after the disk, then start the service again",
            Self::Newer { .. } => "start the newer version; a schema is never taken back",
            Self::Older { .. } => {
                "start the service of this version first: it keeps a copy and brings it to its schema; or use \
                 the command of the version that serves"
            }
            Self::Absent { .. } => {
                "name the service's settings with --config; the service makes its database at its first start"
            }
            Self::Busy => "ask again in a few seconds",
            Self::NotOurs { .. } => "name another file under [store] file",
            Self::Mixed { .. } => {
                "it is of another database, or of another time of this one, which was replaced by a copy: move \
                 the files beside it that end in -wal and -shm away, and start again; nothing was written"
            }
            Self::Doubtful { .. } => {
                "start the service, which checks the database, and try again beside it; it is too large to be \
                 checked for a command; nothing was written"
            }
            Self::Damaged { .. } => "keep a copy, and restore a backup; hosts keep their records",
            Self::NoSuchPlace { .. } => "look at what wrote that record: no chain is so long",
            Self::Open { .. } => {
                "let [store] file name a file in a folder that the service's account owns; what another account \
                 made there, by starting the service once, is to be given to it: chown"
            }
            Self::Closed | Self::Other { .. } => "",
        }
    }
}

/// Puts a failure of `SQLite` into words.
pub(super) fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreFailure {
    move |source| {
        let rusqlite::Error::SqliteFailure(error, _) = &source else {
            return StoreFailure::Other { doing, source };
        };
        if [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC].contains(&error.extended_code) {
            return StoreFailure::SyncFailed;
        }
        match error.code {
            ErrorCode::DiskFull => StoreFailure::Full { doing },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreFailure::Locked { doing },
            ErrorCode::DatabaseCorrupt => StoreFailure::Damaged { what: source.to_string() },
            _ => StoreFailure::Other { doing, source },
        }
    }
}
