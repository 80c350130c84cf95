//! The database's schema: numbered files, applied in order, never taken back.
//!
//! **Invariant:** a file that was released is never edited; the next change is the next file.
//! **Invariant:** a database of a newer program, or of another one, is left as it is.

use std::cmp::Ordering;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::super::failure::{StoreFailure, doing};
use super::reread;

/// Every step, in order: the first one makes schema 1.
const STEPS: &[&str] = &[
    include_str!("0001.sql"),
    include_str!("0002.sql"),
    include_str!("0003.sql"),
    include_str!("0004.sql"),
    include_str!("0005.sql"),
    include_str!("0006.sql"),
];

/// The first schema beside whose records stands everything that is shown.
const READ_OUT: usize = 3;

/// `BWLC`, which tells `SQLite`'s tools and us whose file it is.
const APPLICATION: i64 = 0x4257_4c43;

/// The schema that this program writes.
pub(super) const SCHEMA: i64 = 6;

/// How a database stands to the schema of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It has none yet: the file is empty.
    New,
    /// It has an older one.
    Older(i64),
    /// It has this one.
    Newest,
}

/// How a database stands; an error for one that is not ours, or newer. Reads only.
pub(super) fn stand(db: &Connection, path: &Path) -> Result<Stand, StoreFailure> {
    let fail = doing("read the database's schema");
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(&fail)?;
    let found = number("user_version").map_err(&fail)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = db.query_row(tables, [], |row| row.get(0)).map_err(&fail)?;
    if application == 0 && found == 0 && tables == 0 {
        return Ok(Stand::New);
    }
    if application != APPLICATION {
        return Err(StoreFailure::NotOurs { path: path.to_owned() });
    }
    match found.cmp(&SCHEMA) {
        Ordering::Equal => Ok(Stand::Newest),
        Ordering::Less => Ok(Stand::Older(found)),
        Ordering::Greater => {
            Err(StoreFailure::Newer { path: path.to_owned(), found, known: SCHEMA })
        }
    }
}

/// Brings a database to the newest schema.
pub(super) fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreFailure> {
    let fail = doing("bring the database to its schema");
    // Most starts have nothing to do: they write nothing, and wait for nobody's lock.
    if stand(db, path)? == Stand::Newest {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
    let done = match stand(&tx, path)? {
        Stand::New => 0,
        Stand::Older(found) => usize::try_from(found).unwrap_or_default(),
        Stand::Newest => return Ok(()),
    };
    for step in STEPS.iter().skip(done) {
        tx.execute_batch(step).map_err(&fail)?;
    }
    if (1..READ_OUT).contains(&done) {
        // What earlier schemas did not read out of records is read now.
        reread::hosts(&tx)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION).map_err(&fail)?;
    tx.pragma_update(None, "user_version", SCHEMA).map_err(&fail)?;
    tx.commit().map_err(&fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn the_steps_lead_to_the_schema_once() {
        assert_eq!(i64::try_from(STEPS.len()), Ok(SCHEMA));
        let mut db = open();
        for _ in 0..2 {
            migrate(&mut db, Path::new("x")).unwrap();
        }
    }

    #[test]
    fn what_an_earlier_schema_holds_stays() {
        let mut db = open();
        db.execute_batch(STEPS[0]).unwrap();
        db.execute_batch("INSERT INTO host (name, outcome) VALUES ('web-1', 'committed')").unwrap();
        db.pragma_update(None, "application_id", APPLICATION).unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        migrate(&mut db, Path::new("x")).unwrap();
        let sql = "SELECT name, outcome, since FROM host";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: (String, String, Option<String>) = db.query_row(sql, [], read).unwrap();
        assert_eq!(found, ("web-1".to_owned(), "committed".to_owned(), None));
    }

    #[test]
    fn what_the_schema_before_holds_stays_as_it_was_read_out() {
        let mut db = open();
        STEPS.iter().take(3).for_each(|step| db.execute_batch(step).unwrap());
        let rows = "INSERT INTO host (id, name) VALUES (1, 'web-1');
            INSERT INTO host_key (id, host, fingerprint, public, state, since, seq, digest, more)
              VALUES (1, 1, 'SHA256:a', zeroblob(32), 'enrolled', 5, 7, zeroblob(32), 3);
            INSERT INTO revision (id, sha, first, hosts, lone, place)
              VALUES (1, 'a1', 5, 1, 1, 1), (2, 'b2', 5, 1, 1, 2 + (1 << 40));";
        db.execute_batch(rows).unwrap();
        db.pragma_update(None, "application_id", APPLICATION).unwrap();
        db.pragma_update(None, "user_version", 3).unwrap();
        migrate(&mut db, Path::new("x")).unwrap();
        let one = |sql: &str| db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).unwrap();
        assert_eq!(one("SELECT more - more_last FROM host_key"), Some(3));
        assert_eq!(one("SELECT spoke FROM host"), None, "nothing is read again");
        let sql = "SELECT count(*) FROM revision INDEXED BY revision_first
                   WHERE lone = 1 AND place > 1099511627776";
        assert_eq!(one(sql), Some(1));
    }

    #[test]
    fn where_a_chain_went_on_is_read_out_of_the_records_that_are_there() {
        let mut db = open();
        STEPS.iter().take(4).for_each(|step| db.execute_batch(step).unwrap());
        let rows = "INSERT INTO host (id, name) VALUES (1, 'web-1');
            INSERT INTO host_key (id, host, fingerprint, public, state, since, seq, digest)
              VALUES (1, 1, 'SHA256:a', zeroblob(32), 'enrolled', 5, 9, zeroblob(32));
            INSERT INTO record (id, digest, signature, payload, received)
              SELECT (1 << 40) + value, x'', x'', x'', 7 FROM json_each('[1, 2, 5, 6, 7, 8, 9]');
            INSERT INTO fault (host_key, kind, place, digest, seq, expected, first, last)
              VALUES (1, 'gap', 3, x'', 5, 3, 1, 1), (1, 'gap', 6, x'', 8, 6, 1, 1),
                (1, 'gap', 10, x'', 12, 10, 1, 1), (1, 'fork', 3, x'01', 3, 10, 1, 1);";
        db.execute_batch(rows).unwrap();
        db.pragma_update(None, "application_id", APPLICATION).unwrap();
        db.pragma_update(None, "user_version", 4).unwrap();
        migrate(&mut db, Path::new("x")).unwrap();
        let mut statement = db.prepare("SELECT resumed FROM fault ORDER BY id").unwrap();
        let found = statement.query_map([], |row| row.get(0)).unwrap();
        let found: Vec<Option<i64>> = found.map(Result::unwrap).collect();
        assert_eq!(found, [Some(5), None, None, None]);
    }

    #[test]
    fn a_newer_or_foreign_database_is_left_as_it_is() {
        let mut db = open();
        migrate(&mut db, Path::new("x")).unwrap();
        db.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
        let found = migrate(&mut db, Path::new("x")).unwrap_err();
        assert!(matches!(found, StoreFailure::Newer { found: 7, known: 6, .. }), "{found}");
        let mut db = open();
        db.execute_batch("CREATE TABLE t (a)").unwrap();
        let found = migrate(&mut db, Path::new("x")).unwrap_err();
        assert!(matches!(found, StoreFailure::NotOurs { .. }), "{found}");
    }
}
