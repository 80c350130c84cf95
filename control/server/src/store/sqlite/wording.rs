//! What hosts call revisions, and in which order commits stand.
//!
//! **Invariant:** a host's words for a revision are shown for that host; for a commit, those of most hosts.
//! **Invariant:** whatever one host alone invents takes one of the first places, never all of them.

use bowline_fleet::landing::commit_of;
use bowline_model::shown::one_line;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::failure::{StoreFailure, doing};
use super::intake::{Arrival, WORDS_MAX};

/// Characters of a revision: a branch, a format and a digest.
const REVISION_CHARS_MAX: usize = 400;

/// A revision, and what a host called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// The revision's number.
    pub(super) revision: i64,
    /// The words' number.
    pub(super) wording: i64,
}

/// Keeps what a host calls a revision. Of a subject that it does not tell now, what it told before counts.
pub(super) fn said(
    db: &Connection,
    host: i64,
    name: &str,
    subject: Option<&str>,
    now: i64,
) -> Result<Said, StoreFailure> {
    let name = one_line(name, REVISION_CHARS_MAX);
    let revision = revision(db, commit_of(&name), now)?;
    if subject.is_none()
        && let Some(wording) = told_before(db, revision, host, &name)?
    {
        return Ok(Said { revision, wording });
    }
    let fail = doing("keep what a host calls a revision");
    let subject = one_line(subject.unwrap_or_default(), WORDS_MAX);
    let sql = "SELECT id FROM wording WHERE revision = ?1 AND name = ?2 AND subject = ?3";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let known = statement.query_row(params![revision, name, subject], |row| row.get(0));
    if let Some(wording) = known.optional().map_err(&fail)? {
        return Ok(Said { revision, wording });
    }
    let sql = "INSERT INTO wording (revision, name, subject) VALUES (?1, ?2, ?3)";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    statement.execute(params![revision, name, subject]).map_err(&fail)?;
    Ok(Said { revision, wording: db.last_insert_rowid() })
}

fn told_before(
    db: &Connection,
    revision: i64,
    host: i64,
    name: &str,
) -> Result<Option<i64>, StoreFailure> {
    let fail = doing("look for what a host called a revision");
    let sql = "SELECT w.id FROM landing l JOIN wording w ON w.id = l.wording
               WHERE l.revision = ?1 AND l.host = ?2 AND w.name = ?3";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let found = statement.query_row(params![revision, host, name], |row| row.get(0));
    found.optional().map_err(fail)
}

/// A revision's number; it gets one when it is new.
fn revision(db: &Connection, sha: &str, now: i64) -> Result<i64, StoreFailure> {
    let fail = doing("keep a revision");
    let mut statement =
        db.prepare_cached("SELECT id FROM revision WHERE sha = ?1").map_err(&fail)?;
    if let Some(id) = statement.query_row([sha], |row| row.get(0)).optional().map_err(&fail)? {
        return Ok(id);
    }
    let sql = "INSERT INTO revision (sha, first) VALUES (?1, ?2)";
    db.prepare_cached(sql).and_then(|mut it| it.execute(params![sha, now])).map_err(&fail)?;
    let id = db.last_insert_rowid();
    let sql = "UPDATE revision SET place = ?1 WHERE id = ?1";
    db.prepare_cached(sql).and_then(|mut it| it.execute([id])).map_err(fail)?;
    Ok(id)
}

/// Keeps that a host spoke of a revision for the first time.
pub(super) fn spoke(
    db: &Connection,
    revision: i64,
    host: i64,
    arrival: Arrival,
) -> Result<(), StoreFailure> {
    let fail = doing("keep how many hosts spoke of a commit");
    let sql = "UPDATE revision SET hosts = hosts + 1, lone = iif(hosts = 0, ?2, NULL),
                 place = iif(hosts = 0 AND ?3, id, id + (1 << 40)) WHERE id = ?1 RETURNING lone IS NOT NULL";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let is_late = arrival == Arrival::Late;
    let values = params![revision, host, is_late];
    let is_lone: bool = statement.query_row(values, |row| row.get(0)).map_err(&fail)?;
    // What came late is not its host's newest.
    if !is_lone || is_late {
        return Ok(());
    }
    // One host alone has one of the first places: its newest.
    // Found by an index of such places: a host may invent a commit with each of its records.
    let sql = "UPDATE revision INDEXED BY revision_first SET place = id
               WHERE lone = ?2 AND id <> ?1 AND place > 1099511627776";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    statement.execute([revision, host]).map(drop).map_err(fail)
}

/// Counts a host's words no longer; or, when it comes back, again.
pub(super) fn count_by(db: &Connection, host: i64, step: i64) -> Result<(), StoreFailure> {
    let fail = doing("count what a host spoke of");
    let sql = "UPDATE revision SET hosts = hosts + ?2
               WHERE id IN (SELECT revision FROM landing WHERE host = ?1)";
    db.execute(sql, [host, step]).map_err(&fail)?;
    // Who was alone with a commit, or is now, is looked for anew among those that this host spoke of.
    let sql = "UPDATE revision SET lone = iif(hosts = 1, (SELECT l.host FROM landing l
                   JOIN host h ON h.id = l.host
                   WHERE l.revision = revision.id AND h.retired IS NULL), NULL)
               WHERE id IN (SELECT revision FROM landing WHERE host = ?1)";
    db.execute(sql, [host]).map_err(&fail)?;
    let sql = "UPDATE revision SET place = id + iif(hosts > 1 OR hosts = 1 AND id =
                   (SELECT max(v.id) FROM revision v WHERE v.lone = revision.lone), 1 << 40, 0)
               WHERE id IN (SELECT revision FROM landing WHERE host = ?1)";
    db.execute(sql, [host]).map(drop).map_err(fail)
}
