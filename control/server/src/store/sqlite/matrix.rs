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
           coalesce(w.name, v.sha) AS revision, nullif(w.subject, '') AS subject, d.outcome, d.reason,
           d.at, iif(k.state = 'enrolled', NULL, k.fingerprint) AS key,
           EXISTS (SELECT 1 FROM late l WHERE l.record = d.record) AS late
         FROM deployment d JOIN host h ON h.id = d.host JOIN revision v ON v.id = d.revision
           LEFT JOIN wording w ON w.id = d.wording LEFT JOIN host_key k ON k.id = d.record >> 40
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
            key: column(row, "key")?,
            deployment: column(row, "deployment")?,
            kind: column(row, "kind")?,
            revision: column(row, "revision")?,
            subject: column(row, "subject")?,
            outcome: outcome(&column::<String>(row, "outcome")?)?,
            reason: column(row, "reason")?,
            at: column(row, "at")?,
            late: column(row, "late")?,
        });
    }
    let next = next_of(&mut items, part.limit, |it| it.id.to_string());
    Ok(Page { items, next })
}

fn before(part: Newest) -> i64 {
    part.after.map_or(i64::MAX, signed)
}

pub(super) fn commits(db: &Connection, part: Newest) -> Result<Page<Commit>, StoreFailure> {
    Ok(columns(db, part)?.0)
}

/// Commits in the order of their places, and their numbers.
fn columns(db: &Connection, part: Newest) -> Result<(Page<Commit>, Vec<i64>), StoreFailure> {
    let fail = doing("read commits");
    // Of what only hosts spoke that were retired since, nothing is left to show.
    let sql = "SELECT v.id, v.place, v.sha, v.first,
                 (SELECT count(*) FROM host h WHERE h.revision = v.id AND h.retired IS NULL) AS running
               FROM revision v WHERE v.place < ?1 AND (v.hosts > 0 OR EXISTS
                 (SELECT 1 FROM host h WHERE h.revision = v.id AND h.retired IS NULL))
               ORDER BY v.place DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query(params![before(part), part.limit + 1]).map_err(&fail)?;
    let (mut items, mut ids) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().map_err(&fail)? {
        let id: i64 = column(row, "id")?;
        let commit: String = column(row, "sha")?;
        let told = told_of(db, id)?;
        let (revision, subject) = told.words(commit.clone());
        items.push(Commit {
            id: number(row, "place")?,
            commit,
            revision,
            subject,
            first: moment_of(row, "first")?,
            running: number(row, "running")?,
            hosts: told.outcomes,
        });
        ids.push(id);
    }
    let next = next_of(&mut items, part.limit, |it| it.id.to_string());
    Ok((Page { items, next }, ids))
}

/// What all hosts together say of a commit.
#[derive(Default)]
struct ToldOf {
    outcomes: BTreeMap<String, u64>,
    /// By name and subject, how many hosts say so.
    wordings: BTreeMap<(String, String), u64>,
}

impl ToldOf {
    /// What most hosts call it, and the subject that most of those have who know one.
    fn words(&self, commit: String) -> (String, Option<String>) {
        let most = |is_wanted: fn(&(String, String)) -> bool| {
            let wanted = self.wordings.iter().filter(|(it, _)| is_wanted(it));
            wanted.max_by_key(|(_, number)| **number).map(|(it, _)| it.clone())
        };
        let name = most(|_| true).map_or(commit, |(name, _)| name);
        (name, most(|(_, subject)| !subject.is_empty()).map(|(_, subject)| subject))
    }
}

fn told_of(db: &Connection, revision: i64) -> Result<ToldOf, StoreFailure> {
    let fail = doing("count hosts of a commit");
    // Words are looked up for groups, not for each of a fleet's hosts.
    let sql = "SELECT g.outcome, w.name, w.subject, g.number FROM
                 (SELECT l.outcome, l.wording, count(*) AS number FROM landing l
                  WHERE l.revision = ?1
                    AND l.host NOT IN (SELECT id FROM host WHERE retired IS NOT NULL)
                  GROUP BY l.outcome, l.wording) g
               LEFT JOIN wording w ON w.id = g.wording";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([revision]).map_err(&fail)?;
    let mut found = ToldOf::default();
    while let Some(row) = rows.next().map_err(&fail)? {
        let count = number(row, "number")?;
        *found.outcomes.entry(column(row, "outcome")?).or_default() += count;
        if let Some(name) = column::<Option<String>>(row, "name")? {
            *found.wordings.entry((name, column(row, "subject")?)).or_default() += count;
        }
    }
    Ok(found)
}

pub(super) fn matrix(
    db: &Connection,
    hosts: &Named,
    newest: Newest,
) -> Result<Matrix, StoreFailure> {
    let fail = doing("read the matrix");
    let (Page { items: commits, next: older }, ids) = columns(db, newest)?;
    let sql = "SELECT h.id, h.name, v.sha FROM host h LEFT JOIN revision v ON v.id = h.revision
               WHERE h.name > ?1 AND h.retired IS NULL ORDER BY h.name LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let after = hosts.after.as_deref().unwrap_or_default();
    let mut rows = statement.query(params![after, hosts.limit + 1]).map_err(&fail)?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        let id: i64 = column(row, "id")?;
        let words = ids.iter().zip(&commits).map(|(commit, _)| word(db, *commit, id));
        let words = words.collect::<Result<_, _>>()?;
        lines.push(Row { host: column(row, "name")?, runs: column(row, "sha")?, words });
    }
    let next = next_of(&mut lines, hosts.limit, |it| it.host.clone());
    Ok(Matrix { now: String::new(), commits, older, hosts: lines, next })
}

/// A host's last word on a commit: one look into the tree of landings.
fn word(db: &Connection, commit: i64, host: i64) -> Result<Option<Word>, StoreFailure> {
    let fail = doing("read a host's last word");
    let sql = "SELECT l.outcome, l.seq, iif(k.state = 'enrolled', NULL, k.fingerprint) AS key
               FROM landing l LEFT JOIN host_key k ON k.id = l.host_key
               WHERE l.revision = ?1 AND l.host = ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([commit, host]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let outcome = outcome(&column::<String>(row, "outcome")?)?;
    Ok(Some(Word { outcome, seq: number(row, "seq")?, key: column(row, "key")? }))
}

pub(super) fn whereabouts(
    db: &Connection,
    commit: &str,
    part: &Named,
) -> Result<Found, StoreFailure> {
    let fail = doing("look for a commit");
    // Behind every hexadecimal digit comes `g`.
    let sql = "SELECT id, sha FROM revision WHERE sha >= ?1 AND sha < ?1 || 'g' LIMIT 2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([commit]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(Found::None);
    };
    let id: i64 = column(row, "id")?;
    let sha: String = column(row, "sha")?;
    if sha != commit && rows.next().map_err(&fail)?.is_some() {
        return Ok(Found::Several);
    }
    let mut hosts = landings(db, id, part)?;
    let next = next_of(&mut hosts, part.limit, |it| it.host.clone());
    let (revision, _) = told_of(db, id)?.words(sha.clone());
    Ok(Found::One(Where { commit: sha, revision, hosts, next }))
}

fn landings(db: &Connection, revision: i64, part: &Named) -> Result<Vec<Landing>, StoreFailure> {
    let fail = doing("read where a commit is");
    let sql = "SELECT h.name, l.outcome, l.seq, l.at, h.revision IS l.revision AS running,
                 iif(k.state = 'enrolled', NULL, k.fingerprint) AS key
               FROM landing l JOIN host h ON h.id = l.host LEFT JOIN host_key k ON k.id = l.host_key
               WHERE h.retired IS NULL AND l.revision = ?1 AND h.name > ?2 ORDER BY h.name LIMIT ?3";
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
            key: column(row, "key")?,
            at: column(row, "at")?,
        });
    }
    Ok(found)
}
