//! Reads deployments and commits, and which host stands where.
//!
//! **Invariant:** reads only, and never more than was asked for.

use std::collections::BTreeMap;

use bowline_api::fleet::{Commit, Deployment, Landing, Page, Where};
use bowline_api::outcome::Outcome;
use bowline_api::page::{Matrix, Row, Word};
use rusqlite::{Connection, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Found, Named, Newest, Wanted};
use super::reading::next_of;
use super::words::{column, moment_of, number, outcome, signed};

pub(super) fn deployments(
    db: &Connection,
    wanted: &Wanted,
    part: Newest,
) -> Result<Page<Deployment>, StoreFailure> {
    let fail = doing("read deployments");
    // Each filter only where it is asked for, so that its index is used.
    let host = "AND d.host = (SELECT id FROM host WHERE name = ?3)";
    let host = if wanted.host.is_some() { host } else { "AND ?3 IS NULL" };
    let ended = if wanted.outcome.is_some() { "AND d.outcome = ?4" } else { "AND ?4 IS NULL" };
    let sql = format!(
        "SELECT d.id, h.name AS host, d.record & ((1 << 40) - 1) AS seq, d.deployment, d.kind,
           v.name AS revision, v.subject, d.outcome, d.reason, d.at
         FROM deployment d JOIN host h ON h.id = d.host JOIN revision v ON v.id = d.revision
         WHERE d.id < ?1 {host} {ended} ORDER BY d.id DESC LIMIT ?2"
    );
    let mut statement = db.prepare_cached(&sql).map_err(&fail)?;
    let ended = wanted.outcome.map(Outcome::word);
    let values = params![before(part), part.limit + 1, wanted.host, ended];
    let mut rows = statement.query(values).map_err(&fail)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        items.push(Deployment {
            id: number(row, "id")?,
            host: column(row, "host")?,
            seq: number(row, "seq")?,
            deployment: column(row, "deployment")?,
            kind: column(row, "kind")?,
            revision: column(row, "revision")?,
            subject: column(row, "subject")?,
            outcome: outcome(&column::<String>(row, "outcome")?)?,
            reason: column(row, "reason")?,
            at: column(row, "at")?,
        });
    }
    let next = next_of(&mut items, part.limit, |it| it.id.to_string());
    Ok(Page { items, next })
}

fn before(part: Newest) -> i64 {
    part.after.map_or(i64::MAX, signed)
}

pub(super) fn commits(db: &Connection, part: Newest) -> Result<Page<Commit>, StoreFailure> {
    let fail = doing("read commits");
    let sql = "SELECT v.id, v.sha, v.name, v.subject, v.first,
                 (SELECT count(*) FROM host h WHERE h.revision = v.id) AS running
               FROM revision v WHERE v.id < ?1 ORDER BY v.id DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query(params![before(part), part.limit + 1]).map_err(&fail)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        let id: i64 = column(row, "id")?;
        items.push(Commit {
            id: number(row, "id")?,
            commit: column(row, "sha")?,
            revision: column(row, "name")?,
            subject: column(row, "subject")?,
            first: moment_of(row, "first")?,
            running: number(row, "running")?,
            hosts: last_words(db, id)?,
        });
    }
    let next = next_of(&mut items, part.limit, |it| it.id.to_string());
    Ok(Page { items, next })
}

/// Hosts by their last word on a commit.
fn last_words(db: &Connection, revision: i64) -> Result<BTreeMap<String, u64>, StoreFailure> {
    let fail = doing("count hosts of a commit");
    let sql = "SELECT outcome, count(*) AS number FROM landing WHERE revision = ?1
               GROUP BY outcome";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([revision]).map_err(&fail)?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        found.insert(column(row, "outcome")?, number(row, "number")?);
    }
    Ok(found)
}

pub(super) fn matrix(
    db: &Connection,
    hosts: &Named,
    newest: Newest,
) -> Result<Matrix, StoreFailure> {
    let fail = doing("read the matrix");
    let Page { items: commits, next: older } = commits(db, newest)?;
    let sql = "SELECT h.id, h.name, v.sha FROM host h LEFT JOIN revision v ON v.id = h.revision
               WHERE h.name > ?1 ORDER BY h.name LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let after = hosts.after.as_deref().unwrap_or_default();
    let mut rows = statement.query(params![after, hosts.limit + 1]).map_err(&fail)?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        let id: i64 = column(row, "id")?;
        let words = commits.iter().map(|it| word(db, it.id, id)).collect::<Result<_, _>>()?;
        lines.push(Row { host: column(row, "name")?, runs: column(row, "sha")?, words });
    }
    let next = next_of(&mut lines, hosts.limit, |it| it.host.clone());
    Ok(Matrix { now: String::new(), commits, older, hosts: lines, next })
}

/// A host's last word on a commit: one look into the tree of landings.
fn word(db: &Connection, commit: u64, host: i64) -> Result<Option<Word>, StoreFailure> {
    let fail = doing("read a host's last word");
    let sql = "SELECT outcome, seq FROM landing WHERE revision = ?1 AND host = ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query(params![signed(commit), host]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let outcome = outcome(&column::<String>(row, "outcome")?)?;
    Ok(Some(Word { outcome, seq: number(row, "seq")? }))
}

pub(super) fn whereabouts(
    db: &Connection,
    commit: &str,
    part: &Named,
) -> Result<Found, StoreFailure> {
    let fail = doing("look for a commit");
    // Behind every hexadecimal digit comes `g`.
    let sql = "SELECT id, sha, name FROM revision WHERE sha >= ?1 AND sha < ?1 || 'g' LIMIT 2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([commit]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(Found::None);
    };
    let id: i64 = column(row, "id")?;
    let (sha, name): (String, String) = (column(row, "sha")?, column(row, "name")?);
    if sha != commit && rows.next().map_err(&fail)?.is_some() {
        return Ok(Found::Several);
    }
    let mut hosts = landings(db, id, part)?;
    let next = next_of(&mut hosts, part.limit, |it| it.host.clone());
    Ok(Found::One(Where { commit: sha, revision: name, hosts, next }))
}

fn landings(db: &Connection, revision: i64, part: &Named) -> Result<Vec<Landing>, StoreFailure> {
    let fail = doing("read where a commit is");
    let sql = "SELECT h.name, l.outcome, l.seq, l.at, h.revision IS l.revision AS running
               FROM landing l JOIN host h ON h.id = l.host
               WHERE l.revision = ?1 AND h.name > ?2 ORDER BY h.name LIMIT ?3";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let after = part.after.as_deref().unwrap_or_default();
    let mut rows = statement.query(params![revision, after, part.limit + 1]).map_err(&fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        found.push(Landing {
            host: column(row, "name")?,
            outcome: outcome(&column::<String>(row, "outcome")?)?,
            running: column(row, "running")?,
            seq: number(row, "seq")?,
            at: column(row, "at")?,
        });
    }
    Ok(found)
}
