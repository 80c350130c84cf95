//! Tries what lies beside a database's file: its log, another's, and a copy.
//!
//! **Invariant:** each try has a folder of its own, removed at the end.
#![allow(clippy::disallowed_methods, reason = "a test puts files beside each other")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, TransactionBehavior};

use super::Sqlite;
use super::lineage::{self, Kinship, Log};
use super::opening;
use crate::store::StoreFailure;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bowline-store-{name}-{}", process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Copies a database and its log as they are now: what a kill would leave.
    fn kill(&self, file: &Path, name: &str) -> PathBuf {
        let killed = self.file(name);
        fs::copy(file, &killed).unwrap();
        fs::copy(log_of(file), log_of(&killed)).unwrap();
        killed
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn log_of(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", file.display()))
}

fn judge(file: &Path) -> Result<Kinship, StoreFailure> {
    lineage::judge(&opening::connect(file).unwrap(), file)
}

/// What the writer does with a job.
fn write(db: &mut Connection, log: &mut Log, sql: &str) {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    log.begin(&tx).unwrap();
    tx.execute_batch(sql).unwrap();
    tx.commit().unwrap();
    log.committed();
    log.fold(db).unwrap();
}

/// More than the pages of a log that is folded.
const MUCH: &str = "REPLACE INTO setting VALUES (1, zeroblob(17 << 20))";
const LITTLE: &str = "REPLACE INTO setting VALUES (2, 'a')";

/// A database with its service's writer, and a table to fill.
fn made(file: &Path) -> (Connection, Log) {
    drop(Sqlite::open(file).unwrap());
    let mut db = opening::connect(file).unwrap();
    db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    db.execute_batch("CREATE TABLE setting (id INTEGER PRIMARY KEY, value)").unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let log = Log::of(&mut db);
    (db, log)
}

/// Something to do, once, before a statement is planned that asks for this pragma or changes this column.
type Act = (&'static str, Box<dyn FnOnce() + Send>);

/// Does them one after the other.
fn before<const N: usize>(db: &mut Connection, acts: [Act; N]) {
    let mut acts = acts.into_iter().peekable();
    let look = move |it: AuthContext<'_>| {
        let asked = match it.action {
            AuthAction::Pragma { pragma_name, .. } => pragma_name,
            AuthAction::Update { column_name, .. } => column_name,
            _ => "",
        };
        if let Some((_, act)) = acts.next_if(|(name, _)| *name == asked) {
            act();
        }
        Authorization::Allow
    };
    db.authorizer(Some(look)).unwrap();
}

fn read(db: &Connection) {
    db.execute_batch("BEGIN; SELECT mark FROM lineage").unwrap();
}

#[test]
fn a_log_is_named_also_when_the_newest_was_read_while_it_was_folded() {
    let folder = Folder::new("named");
    let file = folder.file("control.db");
    let (mut db, mut log) = made(&file);
    let older = folder.file("older.db");
    fs::copy(&file, &older).unwrap();
    write(&mut db, &mut log, LITTLE);
    // It begins to read once the file is marked, and before the log is folded.
    let reader = Arc::new(Mutex::new(opening::connect(&file).unwrap()));
    let shared = Arc::clone(&reader);
    let begin = move || read(&shared.lock().unwrap());
    before(&mut db, [("wal_checkpoint", Box::new(begin))]);
    write(&mut db, &mut log, MUCH);
    for what in ["while it is read", "when nobody reads it any more"] {
        write(&mut db, &mut log, LITTLE);
        let killed = folder.kill(&file, "killed.db");
        assert_eq!(judge(&killed).unwrap(), Kinship::Sure, "{what}");
        fs::copy(&older, &killed).unwrap();
        let found = judge(&killed);
        assert!(matches!(found, Err(StoreFailure::Mixed { .. })), "{what}: {found:?}");
        drop(reader.lock().unwrap().execute_batch("COMMIT"));
    }
    let first = fs::metadata(log_of(&file)).unwrap().len();
    (0..2).for_each(|_| write(&mut db, &mut log, MUCH));
    let killed = folder.kill(&file, "killed.db");
    assert_eq!(judge(&killed).unwrap(), Kinship::Sure);
    let after = fs::metadata(log_of(&file)).unwrap().len();
    assert!(after < 3 * first, "it began anew: {after}");
}

#[test]
fn a_log_that_two_programs_fold_at_once_is_the_files_own() {
    let folder = Folder::new("two");
    let file = folder.file("control.db");
    let (mut db, mut log) = made(&file);
    write(&mut db, &mut log, LITTLE);
    let reader = Arc::new(Mutex::new(opening::connect(&file).unwrap()));
    let shared = Arc::clone(&reader);
    let mut other = opening::connect(&file).unwrap();
    let mut others = Log::of(&mut other);
    let begin = move || read(&shared.lock().unwrap());
    // The one has folded it, and not named the file yet.
    let fold = move || write(&mut other, &mut others, LITTLE);
    before(&mut db, [("wal_checkpoint", Box::new(begin)), ("base", Box::new(fold))]);
    write(&mut db, &mut log, MUCH);
    // The other marked it once more, and found somebody who reads.
    assert_eq!(judge(&folder.kill(&file, "killed.db")).unwrap(), Kinship::Likely);
    drop(reader.lock().unwrap().execute_batch("COMMIT"));
    write(&mut db, &mut log, MUCH);
    assert_eq!(judge(&folder.kill(&file, "killed.db")).unwrap(), Kinship::Sure);
}

/// Makes a file and a log of which only both together can tell that they do not belong together.
fn mix(file: &Path) {
    let (mut db, mut log) = made(file);
    write(&mut db, &mut log, LITTLE);
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let copy = fs::read(file).unwrap();
    let hosts = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT INTO host (name) SELECT 'host-' || i FROM n";
    db.execute_batch(hosts).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    // A log that nobody named.
    db.execute_batch("UPDATE host SET name = 'web-' || id WHERE id % 100 = 7").unwrap();
    drop(db);
    fs::write(file, copy).unwrap();
}

#[test]
fn a_command_writes_into_nothing_that_does_not_fit_together() {
    let folder = Folder::new("command");
    let file = folder.file("control.db");
    mix(&file);
    assert_eq!(judge(&file).unwrap(), Kinship::Likely);
    let before = fs::read(&file).unwrap();
    let found = Sqlite::open_existing(&file).map(drop);
    assert!(matches!(found, Err(StoreFailure::Damaged { .. })), "{found:?}");
    assert!(fs::read(&file).unwrap() == before, "it was written");
}

#[test]
fn what_is_too_large_for_a_command_to_check_is_left_to_the_service() {
    let folder = Folder::new("large");
    let file = folder.file("control.db");
    mix(&file);
    let ascertain = || opening::ascertain(opening::connect(&file).unwrap(), &file, 4096).map(drop);
    let found = ascertain();
    assert!(matches!(found, Err(StoreFailure::Doubtful { .. })), "{found:?}");
    assert!(fs::metadata(log_of(&file)).unwrap().len() > 0, "the log was folded");
    // Beside a service that has it open, and checked it.
    let service = opening::connect(&file).unwrap();
    service.execute_batch("SELECT count(*) FROM sqlite_schema").unwrap();
    ascertain().unwrap();
    drop(service);
    assert!(ascertain().is_err());
}

#[test]
fn a_copy_that_fails_leaves_nothing() {
    let folder = Folder::new("copy");
    let file = folder.file("control.db");
    let (db, _log) = made(&file);
    let [copy, part, journal] = ["it", "it.part", "it.part-journal"].map(|it| folder.file(it));
    fs::write(&journal, "of an earlier try").unwrap();
    // Nothing is copied so inside of a transaction.
    db.execute_batch("BEGIN").unwrap();
    assert!(opening::keep_copy(&db, &file, &copy).is_err());
    assert!(!part.exists() && !journal.exists() && !copy.exists());
    db.execute_batch("COMMIT").unwrap();
    opening::keep_copy(&db, &file, &copy).unwrap();
    assert!(!part.exists() && !journal.exists() && copy.exists());
}
