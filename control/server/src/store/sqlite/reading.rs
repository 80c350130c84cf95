//! Reads hosts, their keys, and figures of all of them.
//!
//! **Invariant:** reads only, and never more than was asked for.

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Health, Host, HostDetail, Key, Page};
use bowline_api::outcome::Outcome;
use rusqlite::{Connection, Row, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Break, Census, Named, Newest, Picked};
use super::account;
use super::alarms::{OPEN, faults};
use super::words::{
    column, damaged, digest, health, key_state, moment, moment_of, number, outcome,
};

/// Faults shown with a host; the list of its faults goes on.
const FAULTS_SHOWN: u32 = 100;

/// Environments offered to choose from; a fleet that names more of them names something else.
const ENVIRONMENTS_MAX: u32 = 50;

/// One line of a host. Its words are its own; its newest record is that of the key that spoke last.
const HOST: &str = "SELECT h.name, h.outcome, h.at, h.seen, h.environment, h.reason,
    h.since, h.health, h.retired, coalesce(w.name, v.sha) AS revision, nullif(w.subject, '') AS subject,
    coalesce(n.seq, 0) AS seq, iif(n.state = 'enrolled', NULL, n.fingerprint) AS key,
    (SELECT count(*) FROM host_key k WHERE k.host = h.id AND k.state = 'pending') AS pending,";

/// What a host's line is made of.
const HOST_FROM: &str = "FROM host h LEFT JOIN revision v ON v.id = h.revision
    LEFT JOIN wording w ON w.id = h.wording LEFT JOIN host_key n ON n.id = h.spoke";

pub(super) fn hosts(
    db: &Connection,
    picked: &Picked,
    part: &Named,
) -> Result<Page<Host>, StoreFailure> {
    let fail = doing("read hosts");
    let alarmed = if picked.alarmed { "AND alarms > 0" } else { "" };
    // Nothing that is counted counts them, so a list that a count leads to leaves them out.
    let retired = if picked.retired { "" } else { "AND h.retired IS NULL" };
    let sql = format!(
        "{HOST} {OPEN} AS alarms {HOST_FROM}
         WHERE h.name > ?1 AND (?3 IS NULL OR h.outcome = ?3)
           AND (?4 IS NULL OR h.environment = ?4) AND (?5 IS NULL OR h.health = ?5)
           AND (?6 IS NULL OR instr(h.name, ?6) > 0) {retired} {alarmed} ORDER BY h.name LIMIT ?2"
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
        key: column(row, "key")?,
        retired: column::<Option<i64>>(row, "retired")?.map(moment),
        pending_keys: number(row, "pending")?,
        alarms: number(row, "alarms")?,
    })
}

pub(super) fn host(db: &Connection, name: &str) -> Result<Option<HostDetail>, StoreFailure> {
    let fail = doing("read a host");
    let mut statement = db
        .prepare_cached(&format!("{HOST} {OPEN} AS alarms {HOST_FROM} WHERE h.name = ?1"))
        .map_err(&fail)?;
    let mut rows = statement.query([name]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let host = host_line(row)?;
    let newest = Newest { limit: FAULTS_SHOWN, after: None };
    let faults = faults(db, name, newest)?.unwrap_or(Page { items: Vec::new(), next: None });
    Ok(Some(HostDetail {
        host,
        keys: keys(db, name)?,
        faults: faults.items,
        faults_next: faults.next,
        more_faults: more_faults(db, name)?,
        decisions: account::of(db, name)?,
    }))
}

/// Gaps and forks that were only counted.
fn more_faults(db: &Connection, name: &str) -> Result<u64, StoreFailure> {
    let fail = doing("count a host's faults");
    let sql = "SELECT coalesce(sum(k.more), 0) AS more FROM host_key k
               JOIN host h ON h.id = k.host WHERE h.name = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([name]).map_err(&fail)?;
    rows.next().map_err(&fail)?.map_or(Ok(0), |row| number(row, "more"))
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
    let hosts = "SELECT 'all' AS word, count(*) AS number FROM host WHERE retired IS NULL";
    let hosts = counts(hosts)?;
    let outcomes = "SELECT outcome AS word, count(*) AS number FROM host
                    WHERE outcome IS NOT NULL AND retired IS NULL GROUP BY outcome";
    let outcomes = counts(outcomes)?;
    let keys = counts("SELECT state AS word, count(*) AS number FROM host_key GROUP BY state")?;
    let alarms = "SELECT a.kind AS word, count(*) AS number FROM fault a
                  JOIN host_key k ON k.id = a.host_key JOIN host h ON h.id = k.host
                  WHERE a.acknowledged IS NULL AND (a.kind = 'fork' OR a.expected = k.seq + 1)
                    AND h.retired IS NULL
                  GROUP BY a.kind";
    let alarms = counts(alarms)?;
    // What is only counted and rings is a fork: a gap that is open keeps its row.
    let more = "SELECT 'fork' AS word, coalesce(sum(k.more - k.more_seen), 0) AS number
                FROM host_key k JOIN host h ON h.id = k.host WHERE h.retired IS NULL";
    let more = of(&counts(more)?, "fork");
    if let Some((word, _)) = keys.iter().find(|(it, _)| key_state(it).is_err()) {
        return Err(damaged("the state of a key", word));
    }
    Ok(Census {
        hosts: of(&hosts, "all"),
        outcomes: Outcome::ALL.map(|it| (it, of(&outcomes, it.word()))).to_vec(),
        keys: KeyState::ALL.map(|it| (it, of(&keys, it.word()))).to_vec(),
        alarms: vec![
            (Break::Gap, of(&alarms, Break::Gap.word())),
            (Break::Fork, of(&alarms, Break::Fork.word()).saturating_add(more)),
        ],
        environments: environments(db)?,
    })
}

fn environments(db: &Connection) -> Result<Vec<String>, StoreFailure> {
    let fail = doing("read environments");
    let sql = "SELECT DISTINCT environment FROM host
               WHERE environment IS NOT NULL AND retired IS NULL
               ORDER BY environment LIMIT ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let found = statement.query_map([ENVIRONMENTS_MAX], |row| row.get(0)).map_err(&fail)?;
    found.collect::<Result<_, _>>().map_err(fail)
}
