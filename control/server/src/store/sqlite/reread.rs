//! Reads out of kept records what an earlier schema did not keep beside them.
//!
//! **Invariant:** only what records say is filled in; how long ago something began that none of those that are
//! read tells stays unknown.

use std::collections::BTreeMap;

use bowline_api::record::Record;
use bowline_fleet::landing::{Says, Stands, health, stands};
use bowline_model::shown::one_line;
use rusqlite::{Connection, Row, params};

use super::super::failure::{StoreFailure, doing};
use super::intake::{WORDS_MAX, id_of};
use super::wording::{self, Said};
use super::words::{column, signed};

/// Records of one host that are read again, the newest: 100,000 hosts of them take some minutes, once.
const RECORDS_MAX: u64 = 100;

/// Reads every host's newest records again.
pub(super) fn hosts(db: &Connection) -> Result<(), StoreFailure> {
    let fail = doing("read records again");
    // The key that spoke last: the one that is taken, else the one that was retired last.
    let sql =
        "UPDATE host SET spoke = (SELECT k.id FROM host_key k WHERE k.host = host.id AND k.seq > 0
                 ORDER BY k.state = 'enrolled' DESC, k.since DESC, k.id DESC LIMIT 1)";
    db.execute(sql, []).map_err(&fail)?;
    let sql = "SELECT h.id, k.id AS key, k.seq FROM host h JOIN host_key k ON k.id = h.spoke";
    let mut statement = db.prepare(sql).map_err(&fail)?;
    let mut rows = statement.query([]).map_err(&fail)?;
    while let Some(row) = rows.next().map_err(&fail)? {
        let (host, key, newest): (i64, i64, i64) =
            (column(row, "id")?, column(row, "key")?, column(row, "seq")?);
        let newest = u64::try_from(newest).unwrap_or_default();
        let first = newest.saturating_sub(RECORDS_MAX - 1).max(1);
        let indexed = deployments(db, host)?;
        let mut sum = Sum::begin(first == 1);
        for seq in first..=newest {
            let id = id_of(key, seq)?;
            if let Some(record) = read(db, id)? {
                let said = sum.add(db, host, &record)?;
                keep_words(db, host, indexed.get(&id).copied(), said)?;
            }
        }
        sum.keep(db, host)?;
    }
    Ok(())
}

fn read(db: &Connection, id: i64) -> Result<Option<Record>, StoreFailure> {
    let fail = doing("read a record again");
    let mut statement =
        db.prepare_cached("SELECT payload FROM record WHERE id = ?1").map_err(&fail)?;
    let mut rows = statement.query([id]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let payload: Vec<u8> = column(row, "payload")?;
    // What was taken was read as a record then; what cannot be read says nothing here.
    Ok(serde_json::from_slice(&payload).ok())
}

/// The newest deployments of a host in the list of all, by their records.
fn deployments(db: &Connection, host: i64) -> Result<BTreeMap<i64, i64>, StoreFailure> {
    let fail = doing("look for deployments");
    let sql = "SELECT record, id FROM deployment WHERE host = ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found = statement.query_map([host, signed(RECORDS_MAX)], read).map_err(&fail)?;
    found.collect::<Result<_, _>>().map_err(fail)
}

/// Keeps what a host called a revision, beside what lists and the matrix are made of.
fn keep_words(
    db: &Connection,
    host: i64,
    deployment: Option<i64>,
    said: Option<Said>,
) -> Result<(), StoreFailure> {
    let fail = doing("keep a host's own words");
    let (Some(Said { revision, wording }), Some(deployment)) = (said, deployment) else {
        return Ok(());
    };
    let sql = "UPDATE deployment SET wording = ?2 WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    statement.execute([deployment, wording]).map_err(&fail)?;
    let sql = "UPDATE landing SET wording = ?3 WHERE revision = ?1 AND host = ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    statement.execute([revision, host, wording]).map(drop).map_err(fail)
}

/// What records say one after the other.
struct Sum {
    /// Whether the chain is read from its first record on.
    is_whole: bool,
    environment: Option<String>,
    health: Says,
    /// The outcome, and since when it is so; `None` for a time that lies before what was read.
    outcome: Option<(&'static str, Option<String>)>,
    runs: Option<Said>,
}

impl Sum {
    fn begin(is_whole: bool) -> Self {
        Self { is_whole, environment: None, health: Says::AsBefore, outcome: None, runs: None }
    }

    /// Adds a record; gives what its host calls the revision that was tried.
    fn add(
        &mut self,
        db: &Connection,
        host: i64,
        record: &Record,
    ) -> Result<Option<Said>, StoreFailure> {
        let at = || Some(one_line(&record.at, WORDS_MAX));
        if let Some(word) = &record.environment {
            self.environment = Some(one_line(word, WORDS_MAX));
        }
        let word = record.outcome.word();
        let was_stranded = matches!(self.outcome, Some((before, _)) if before == "stranded");
        // What only came from not knowing how the host stood is over.
        let before = if was_stranded { Says::NoProbe } else { self.health };
        self.health = before.then(health(record));
        let mut since = match self.outcome.take() {
            Some((same, since)) if same == word => since,
            None if !self.is_whole => None,
            _ => at(),
        };
        let said = |name: &str, subject| wording::said(db, host, name, subject, 0);
        let tried = match &record.revision {
            Some(name) => Some(said(name, record.subject.as_deref())?),
            None => None,
        };
        let runs = match stands(record) {
            Stands::On(name) if Some(name) == record.revision.as_deref() => tried,
            Stands::On(name) => Some(said(name, None)?),
            Stands::Unknown => None,
            Stands::AsBefore => self.runs,
        };
        let number = |it: Option<Said>| it.map(|it| it.revision);
        if self.runs.is_some() && number(runs) != number(self.runs) {
            since = at();
        }
        (self.runs, self.outcome) = (runs, Some((word, since)));
        Ok(tried)
    }

    fn keep(self, db: &Connection, host: i64) -> Result<(), StoreFailure> {
        let Some((_, since)) = self.outcome else {
            return Ok(());
        };
        let sql = "UPDATE host SET since = ?2, environment = coalesce(?3, environment),
                     health = iif(?6, ?4, health), wording = coalesce(?5, wording) WHERE id = ?1";
        let wording = self.runs.map(|it| it.wording);
        let (is_told, health) = match self.health {
            Says::Health(it) => (true, Some(it.word())),
            Says::NoProbe => (true, None),
            Says::NoComplaint | Says::AsBefore => (false, None),
        };
        let values = params![host, since, self.environment, health, wording, is_told];
        db.execute(sql, values).map(drop).map_err(doing("keep what was read again"))
    }
}
