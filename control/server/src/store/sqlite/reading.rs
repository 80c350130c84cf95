//! Reads hosts, their keys and what went wrong with their records.
//!
//! **Invariant:** reads only, and never more than was asked for.

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Acknowledged, Fault, Health, Host, HostDetail, Key, Page};
use bowline_api::outcome::Outcome;
use rusqlite::{Connection, Row, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Break, Census, Named, Picked};
use super::words::{
    column, damaged, digest, health, key_state, moment, moment_of, number, outcome,
};

/// Faults shown of one host: a chain that breaks at more places is no accident of a host.
const FAULTS_MAX: u32 = 100;

/// Environments offered to choose from; a fleet that names more of them names something else.
const ENVIRONMENTS_MAX: u32 = 50;

/// One line of a host; `?1` is the name behind which it begins, or its own.
const HOST: &str = "SELECT h.name, h.outcome, h.at, h.seen, h.environment, h.reason,
    h.since, h.health, v.name AS revision, v.subject,
    coalesce((SELECT k.seq FROM host_key k WHERE k.host = h.id AND k.state = 'enrolled'), 0) AS seq,
    (SELECT count(*) FROM host_key k WHERE k.host = h.id AND k.state = 'pending') AS pending,
    (SELECT count(*) FROM alarm a JOIN host_key k ON k.id = a.host_key
     WHERE k.host = h.id AND a.acknowledged IS NULL
     AND (a.kind = 'fork' OR a.expected = k.seq + 1)) AS alarms
  FROM host h LEFT JOIN revision v ON v.id = h.revision";

pub(super) fn hosts(
    db: &Connection,
    picked: &Picked,
    part: &Named,
) -> Result<Page<Host>, StoreFailure> {
    let fail = doing("read hosts");
    let alarmed = if picked.alarmed { "AND alarms > 0" } else { "" };
    let sql = format!(
        "{HOST} WHERE h.name > ?1 AND (?3 IS NULL OR h.outcome = ?3)
           AND (?4 IS NULL OR h.environment = ?4) AND (?5 IS NULL OR h.health = ?5)
           AND (?6 IS NULL OR instr(h.name, ?6) > 0) {alarmed} ORDER BY h.name LIMIT ?2"
    );
    let mut statement = db.prepare_cached(&sql).map_err(&fail)?;
    let after = part.after.as_deref().unwrap_or_default();
    let (outcome, health) = (picked.outcome.map(Outcome::word), picked.health.map(Health::word));
    let values = params![after, part.limit + 1, outcome, picked.environment, health, picked.name];
    let mut rows = statement.query(values).map_err(&fail)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        items.push(host_line(row)?);
    }
    let next = next_of(&mut items, part.limit, |it| it.name.clone());
    Ok(Page { items, next })
}

/// Cuts the one item more that was read, and says where to go on.
pub(super) fn next_of<T>(
    items: &mut Vec<T>,
    limit: u32,
    name: impl Fn(&T) -> String,
) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_more = items.len() > limit;
    items.truncate(limit);
    items.last().map(name).filter(|_| is_more)
}

fn host_line(row: &Row<'_>) -> Result<Host, StoreFailure> {
    let ended: Option<String> = column(row, "outcome")?;
    let probed: Option<String> = column(row, "health")?;
    Ok(Host {
        name: column(row, "name")?,
        revision: column(row, "revision")?,
        subject: column(row, "subject")?,
        environment: column(row, "environment")?,
        outcome: ended.as_deref().map(outcome).transpose()?,
        reason: column(row, "reason")?,
        at: column(row, "at")?,
        since: column(row, "since")?,
        health: probed.as_deref().map(health).transpose()?,
        seen: column::<Option<i64>>(row, "seen")?.map(moment),
        seq: number(row, "seq")?,
        pending_keys: number(row, "pending")?,
        alarms: number(row, "alarms")?,
    })
}

pub(super) fn host(db: &Connection, name: &str) -> Result<Option<HostDetail>, StoreFailure> {
    let fail = doing("read a host");
    let mut statement = db.prepare_cached(&format!("{HOST} WHERE h.name = ?1")).map_err(&fail)?;
    let mut rows = statement.query([name]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let host = host_line(row)?;
    Ok(Some(HostDetail { host, keys: keys(db, name)?, faults: faults(db, name)? }))
}

fn keys(db: &Connection, name: &str) -> Result<Vec<Key>, StoreFailure> {
    let fail = doing("read a host's keys");
    let sql = "SELECT k.fingerprint, k.state, k.since, k.seq, k.digest FROM host_key k
               JOIN host h ON h.id = k.host WHERE h.name = ?1 ORDER BY k.id";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([name]).map_err(&fail)?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        keys.push(Key {
            fingerprint: column(row, "fingerprint")?,
            state: key_state(&column::<String>(row, "state")?)?,
            since: moment_of(row, "since")?,
            seq: number(row, "seq")?,
            head: digest(row, "digest")?.to_string(),
        });
    }
    Ok(keys)
}

fn faults(db: &Connection, name: &str) -> Result<Vec<Fault>, StoreFailure> {
    let fail = doing("read a host's faults");
    let sql = "SELECT a.kind, a.seq, a.expected, a.count, a.first, a.last, k.fingerprint,
                 a.acknowledged, a.acknowledged_by, a.note,
                 (a.kind = 'fork' OR a.expected = k.seq + 1) AS open
               FROM alarm a JOIN host_key k ON k.id = a.host_key JOIN host h ON h.id = k.host
               WHERE h.name = ?1 ORDER BY a.id DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query(params![name, FAULTS_MAX]).map_err(&fail)?;
    let mut faults = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        faults.push(Fault {
            kind: column(row, "kind")?,
            open: column(row, "open")?,
            key: column(row, "fingerprint")?,
            seq: number(row, "seq")?,
            expected: number(row, "expected")?,
            count: number(row, "count")?,
            first: moment_of(row, "first")?,
            last: moment_of(row, "last")?,
            acknowledged: acknowledged(row)?,
        });
    }
    Ok(faults)
}

fn acknowledged(row: &Row<'_>) -> Result<Option<Acknowledged>, StoreFailure> {
    let Some(at) = column::<Option<i64>>(row, "acknowledged")? else {
        return Ok(None);
    };
    let (by, note) = (column(row, "acknowledged_by")?, column(row, "note")?);
    Ok(Some(Acknowledged { at: moment(at), by, note }))
}

pub(super) fn census(db: &Connection) -> Result<Census, StoreFailure> {
    let counts = |sql: &str| -> Result<Vec<(String, u64)>, StoreFailure> {
        let fail = doing("count");
        let mut statement = db.prepare_cached(sql).map_err(&fail)?;
        let mut rows = statement.query([]).map_err(&fail)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&fail)? {
            found.push((column(row, "word")?, number(row, "number")?));
        }
        Ok(found)
    };
    let of = |found: &[(String, u64)], word: &str| {
        found.iter().find(|(it, _)| it == word).map_or(0, |(_, number)| *number)
    };
    let hosts = counts("SELECT 'all' AS word, count(*) AS number FROM host")?;
    let outcomes = "SELECT outcome AS word, count(*) AS number FROM host
                    WHERE outcome IS NOT NULL GROUP BY outcome";
    let outcomes = counts(outcomes)?;
    let keys = counts("SELECT state AS word, count(*) AS number FROM host_key GROUP BY state")?;
    let alarms = "SELECT a.kind AS word, count(*) AS number FROM alarm a
                  JOIN host_key k ON k.id = a.host_key
                  WHERE a.acknowledged IS NULL AND (a.kind = 'fork' OR a.expected = k.seq + 1)
                  GROUP BY a.kind";
    let alarms = counts(alarms)?;
    if let Some((word, _)) = keys.iter().find(|(it, _)| key_state(it).is_err()) {
        return Err(damaged("the state of a key", word));
    }
    Ok(Census {
        hosts: of(&hosts, "all"),
        outcomes: Outcome::ALL.map(|it| (it, of(&outcomes, it.word()))).to_vec(),
        keys: KeyState::ALL.map(|it| (it, of(&keys, it.word()))).to_vec(),
        alarms: [Break::Gap, Break::Fork].map(|it| (it, of(&alarms, it.word()))).to_vec(),
        environments: environments(db)?,
    })
}

fn environments(db: &Connection) -> Result<Vec<String>, StoreFailure> {
    let fail = doing("read environments");
    let sql = "SELECT DISTINCT environment FROM host WHERE environment IS NOT NULL
               ORDER BY environment LIMIT ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let found = statement.query_map([ENVIRONMENTS_MAX], |row| row.get(0)).map_err(&fail)?;
    found.collect::<Result<_, _>>().map_err(fail)
}
