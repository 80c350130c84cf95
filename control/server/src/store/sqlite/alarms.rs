//! Gaps and forks: what did not continue a chain, and that a person looked after it.
//!
//! **Invariant:** what was signed and is another story than the one that was taken is kept as it came, for each
//! story once.
//! **Invariant:** a person's word covers what they saw: up to the fault that they name, and no later one.

use bowline_api::fleet::{Acknowledged, Fault, Page};
use bowline_model::digest::hex;
use bowline_model::shown::one_line;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Break, Entry, Looked, Newest, Note, Otherwise};
use super::account::{self, Deed};
use super::intake::Owner;
use super::people::host_of;
use super::reading::next_of;
use super::words::{column, moment, moment_of, number, signed};

/// Breaks of one key that are kept one by one: a chain that breaks at more places is no accident of a host. Of
/// more of them the newest one is kept, the others are only counted. A gap that is open is kept in any case:
/// its chain goes on from there, or not at all.
const FAULTS_MAX: i64 = 1000;

/// Breaks of one key that are known again though they are only counted: whoever sends one anew makes no other.
const STORIES_MAX: i64 = 1000;

/// Bytes of records that were told otherwise, kept for one key: sixteen of the largest, thousands of usual ones.
const EVIDENCE_BYTES_MAX: i64 = 16 << 20;

/// Characters of what such a record says in short.
const SAID_CHARS_MAX: usize = 300;

/// Those that are open and that nobody looked after, of a host's line `h`.
pub(super) const OPEN: &str = "(SELECT count(*) FROM fault a JOIN host_key k ON k.id = a.host_key
     WHERE k.host = h.id AND a.acknowledged IS NULL
     AND (a.kind = 'fork' OR a.expected = k.seq + 1))
   + (SELECT coalesce(sum(k.more - k.more_seen), 0) FROM host_key k WHERE k.host = h.id)";

/// One more of a break that is kept.
const KNOWN: &str = "UPDATE fault SET count = count + 1, seq = ?5, last = ?6
     WHERE host_key = ?1 AND kind = ?2 AND place = ?3 AND digest = ?4";

/// How much is kept of one key.
const HELD: &str =
    "SELECT count(*), coalesce(sum(length(payload)), 0) FROM fault WHERE host_key = ?1";

/// Keeps that the chain is broken: a gap once for each place, a fork once for each story.
pub(super) fn sound(
    db: &Connection,
    owner: &Owner,
    how: Break,
    entry: &Entry,
    now: i64,
) -> Result<(), StoreFailure> {
    let fail = doing("keep an alarm");
    let (expected, seq) = (signed(owner.tip.expected()), signed(entry.record.seq));
    let (place, digest, said) = match how {
        Break::Gap => (expected, [].as_slice(), None),
        Break::Fork => (seq, entry.digest.as_bytes().as_slice(), Some(in_short(entry))),
    };
    let mut statement = db.prepare_cached(KNOWN).map_err(&fail)?;
    let values = params![owner.key, how.word(), place, digest, seq, now];
    if statement.execute(values).map_err(&fail)? > 0 {
        return Ok(());
    }
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (rows, bytes): (i64, i64) = db.query_row(HELD, [owner.key], read).map_err(&fail)?;
    if rows >= FAULTS_MAX {
        // A gap that has no row is open for the first time: its place never comes again.
        if how == Break::Fork && is_only_counted(db, owner.key, seq, digest)? {
            return Ok(());
        }
        only_count_newest(db, owner.key)?;
    }
    let length = i64::try_from(entry.payload.len()).unwrap_or(i64::MAX);
    let fits = said.is_some() && bytes.saturating_add(length) <= EVIDENCE_BYTES_MAX;
    let (payload, signature) = (entry.payload.as_slice(), entry.signature.as_slice());
    let sql = "INSERT INTO fault (host_key, kind, place, digest, seq, expected, first, last, said,
                 payload, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10)";
    let values = params![
        owner.key,
        how.word(),
        place,
        digest,
        seq,
        expected,
        now,
        said,
        fits.then_some(payload),
        fits.then_some(signature)
    ];
    db.execute(sql, values).map(drop).map_err(fail)
}

/// Keeps with which record the chain went on over the gap at its end.
pub(super) fn resumed(db: &Connection, owner: &Owner, from: u64) -> Result<(), StoreFailure> {
    let sql = "UPDATE fault SET resumed = ?3
               WHERE host_key = ?1 AND kind = 'gap' AND place = ?2 AND digest = x''";
    let values = [owner.key, signed(owner.tip.expected()), signed(from)];
    db.execute(sql, values).map(drop).map_err(doing("keep where a chain went on"))
}

/// Whether a story was told before, and has no row any more.
fn is_only_counted(
    db: &Connection,
    key: i64,
    place: i64,
    digest: &[u8],
) -> Result<bool, StoreFailure> {
    let sql = "SELECT count(*) FROM story
               WHERE host_key = ?1 AND kind = 'fork' AND place = ?2 AND digest = ?3";
    let found = db.query_row(sql, params![key, place, digest], |row| row.get::<_, i64>(0));
    Ok(found.map_err(doing("look for a story"))? > 0)
}

/// Which break of a key is only counted from now on: the newest fork, then the newest gap whose records came. One
/// that a person let go proves why records are missing, so it goes last; one that is open does not go.
const LEAST: &str = "SELECT a.id FROM fault a JOIN host_key k ON k.id = a.host_key
  WHERE a.host_key = ?1 AND (a.kind = 'fork' OR a.expected <> k.seq + 1)
  ORDER BY a.kind = 'fork' DESC, a.resumed IS NULL DESC, a.id DESC LIMIT 1";

/// Makes room for a break that is the newest: the one that was, is only counted from now on.
fn only_count_newest(db: &Connection, key: i64) -> Result<(), StoreFailure> {
    let fail = doing("count an alarm");
    let least: i64 = db.query_row(LEAST, [key], |row| row.get(0)).map_err(&fail)?;
    // What rests, or is closed, rings no more: of gaps only those that are closed come here.
    let sql = "UPDATE host_key SET more = more + 1, more_last = max(more_last, ?2),
                 more_seen = more_seen + (SELECT a.acknowledged IS NOT NULL OR a.kind = 'gap'
                                          FROM fault a WHERE a.id = ?2) WHERE id = ?1";
    db.execute(sql, [key, least]).map_err(&fail)?;
    let sql = "INSERT INTO story (host_key, kind, place, digest)
               SELECT host_key, kind, place, digest FROM fault WHERE id = ?1 AND kind = 'fork'";
    db.execute(sql, [least]).map_err(&fail)?;
    db.execute("DELETE FROM fault WHERE id = ?1", [least]).map_err(&fail)?;
    let sql = "DELETE FROM story WHERE id IN
                 (SELECT id FROM story WHERE host_key = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";
    db.execute(sql, [key, STORIES_MAX]).map(drop).map_err(fail)
}

/// What a record says, in one line.
fn in_short(entry: &Entry) -> String {
    let record = &entry.record;
    let revision = record.revision.as_deref().unwrap_or("no revision");
    let text = format!("{} ({}), {revision}, {}", record.outcome.word(), record.reason, record.at);
    one_line(&text, SAID_CHARS_MAX)
}

/// One line of a fault; its record, which may be long, is read for one of them only.
const FAULT: &str =
    "SELECT a.id, a.kind, a.seq, a.expected, a.digest, a.said, a.count, a.first, a.last,
    k.fingerprint, a.acknowledged, a.acknowledged_by, a.note, a.payload IS NOT NULL AS kept,
    (a.kind = 'fork' OR a.expected = k.seq + 1) AS open,
    a.resumed - 1 AS lost_to, (SELECT count(*) FROM late l
      WHERE l.record >= (a.host_key << 40 | a.expected) AND l.record < (a.host_key << 40 | a.resumed)) AS late
  FROM fault a JOIN host_key k ON k.id = a.host_key JOIN host h ON h.id = k.host";

/// A host's gaps and forks, newest first.
pub(super) fn faults(
    db: &Connection,
    host: &str,
    part: Newest,
) -> Result<Option<Page<Fault>>, StoreFailure> {
    if host_of(db, host)?.is_none() {
        return Ok(None);
    }
    let fail = doing("read a host's faults");
    let sql = format!("{FAULT} WHERE h.name = ?1 AND a.id < ?2 ORDER BY a.id DESC LIMIT ?3");
    let mut statement = db.prepare_cached(&sql).map_err(&fail)?;
    let before = part.after.map_or(i64::MAX, signed);
    let mut rows = statement.query(params![host, before, part.limit + 1]).map_err(&fail)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        items.push(fault(row)?);
    }
    let next = next_of(&mut items, part.limit, |it| it.id.to_string());
    Ok(Some(Page { items, next }))
}

/// A record that was not taken, as it came.
pub(super) fn told_otherwise(
    db: &Connection,
    host: &str,
    id: u64,
) -> Result<Option<Otherwise>, StoreFailure> {
    let fail = doing("read a record that was not taken");
    let sql = format!("{FAULT} WHERE h.name = ?1 AND a.id = ?2 AND a.payload IS NOT NULL");
    let mut statement = db.prepare_cached(&sql).map_err(&fail)?;
    let mut rows = statement.query(params![host, signed(id)]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let fault = fault(row)?;
    let sql = "SELECT k.public, a.payload, a.signature FROM fault a
               JOIN host_key k ON k.id = a.host_key WHERE a.id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([signed(id)]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    Ok(Some(Otherwise {
        fault,
        public: column(row, "public")?,
        payload: column(row, "payload")?,
        signature: column(row, "signature")?,
    }))
}

fn fault(row: &Row<'_>) -> Result<Fault, StoreFailure> {
    // A gap has none, and what an earlier schema kept has none either.
    let digest: Vec<u8> = column(row, "digest")?;
    let digest = (!digest.is_empty()).then(|| hex(&digest));
    Ok(Fault {
        id: number(row, "id")?,
        kind: column(row, "kind")?,
        open: column(row, "open")?,
        lost_to: column::<Option<i64>>(row, "lost_to")?.and_then(|it| u64::try_from(it).ok()),
        late: number(row, "late")?,
        key: column(row, "fingerprint")?,
        seq: number(row, "seq")?,
        expected: number(row, "expected")?,
        digest,
        said: column(row, "said")?,
        kept: column(row, "kept")?,
        count: number(row, "count")?,
        first: moment_of(row, "first")?,
        last: moment_of(row, "last")?,
        acknowledged: acknowledged(row)?,
    })
}

fn acknowledged(row: &Row<'_>) -> Result<Option<Acknowledged>, StoreFailure> {
    let Some(at) = column::<Option<i64>>(row, "acknowledged")? else {
        return Ok(None);
    };
    let (by, note) = (column(row, "acknowledged_by")?, column(row, "note")?);
    Ok(Some(Acknowledged { at: moment(at), by, note }))
}

pub(super) fn acknowledge(
    db: &Connection,
    host: &str,
    seen: u64,
    note: &Note,
) -> Result<Looked, StoreFailure> {
    let fail = doing("keep that a fault was looked after");
    let Some(id) = host_of(db, host)? else {
        return Ok(Looked::NoSuchHost);
    };
    // A number that no fault of this host has is a slip, or of a fault that was only counted since.
    let sql = "SELECT count(*) FROM fault a JOIN host_key k ON k.id = a.host_key
               WHERE k.host = ?1 AND a.id = ?2";
    let known: i64 = db.query_row(sql, [id, signed(seen)], |row| row.get(0)).map_err(&fail)?;
    let before = open(db, id)?;
    if known == 0 || before == 0 {
        return Ok(Looked::Nothing { open: before });
    }
    let Note { by, text } = note;
    let sql = "UPDATE fault SET acknowledged = ?2, acknowledged_by = ?3, note = ?4
               WHERE acknowledged IS NULL AND id IN
                 (SELECT a.id FROM fault a JOIN host_key k ON k.id = a.host_key
                  WHERE k.host = ?1 AND a.id <= ?5
                    AND (a.kind = 'fork' OR a.expected = k.seq + 1))";
    db.execute(sql, params![id, by.at, by.account, text, signed(seen)]).map_err(&fail)?;
    let sql = "UPDATE host_key SET more_seen = more WHERE host = ?1 AND more_last <= ?2";
    db.execute(sql, [id, signed(seen)]).map_err(&fail)?;
    let left = open(db, id)?;
    let done = before.saturating_sub(left);
    if done == 0 {
        return Ok(Looked::Nothing { open: left });
    }
    let what = format!("{done} gaps and forks, up to {seen}");
    account::keep(db, id, by, &Deed { verb: "acknowledge", what: &what, note: Some(text) })?;
    Ok(Looked::After { done, left })
}

/// How many of a host's are open and were not looked after.
fn open(db: &Connection, host: i64) -> Result<u64, StoreFailure> {
    let sql = format!("SELECT {OPEN} FROM host h WHERE h.id = ?1");
    let open = db.query_row(&sql, [host], |row| row.get::<_, i64>(0));
    Ok(u64::try_from(open.map_err(doing("count a host's faults"))?).unwrap_or_default())
}

/// The sequence behind the gap at which a key's chain stands now.
pub(super) fn gap_of(db: &Connection, key: i64) -> Result<Option<u64>, StoreFailure> {
    let fail = doing("look for a gap");
    let sql = "SELECT a.seq FROM fault a JOIN host_key k ON k.id = a.host_key
               WHERE k.id = ?1 AND a.kind = 'gap' AND a.expected = k.seq + 1";
    let found = db.query_row(sql, [key], |row| row.get::<_, i64>(0)).optional();
    Ok(found.map_err(fail)?.and_then(|it| u64::try_from(it).ok()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::schema;
    use super::*;

    #[test]
    fn a_fault_of_one_host_costs_no_look_at_those_of_others() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db, Path::new("x")).unwrap();
        for sql in [
            format!("SELECT {OPEN} FROM host h WHERE h.id = 1"),
            format!("{FAULT} WHERE h.name = 'a' AND a.id < 9 ORDER BY a.id DESC LIMIT 9"),
            format!("{FAULT} WHERE h.name = 'a' AND a.id = 9"),
            KNOWN.to_owned(),
            HELD.to_owned(),
        ] {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            for at in 1..=statement.parameter_count() {
                statement.raw_bind_parameter(at, 1).unwrap();
            }
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().unwrap() {
                let step: String = row.get("detail").unwrap();
                assert!(!step.starts_with("SCAN"), "{step}: {sql}");
            }
        }
    }
}
