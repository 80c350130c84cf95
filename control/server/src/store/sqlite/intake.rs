//! Takes records that continue their key's chain, and reads out of them what is asked for.
//!
//! **Invariant:** chain, records and what was read out of them change together, or not at all.
//! **Invariant:** whether a record continues the chain is decided by bowline-fleet.

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::Health;
use bowline_api::record::Kind;
use bowline_fleet::chain::{Link, Tip};
use bowline_fleet::landing::{Stands, commit_of, health, stands};
use bowline_model::digest::Sha256;
use bowline_model::shown::one_line;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Appended, Batch, Break, Entry};
use super::words::{column, digest, key_state, number, signed};

/// Bits of a record's id that hold its sequence: a record each millisecond for 34 years.
const SEQ_BITS: u32 = 40;

/// Characters that lists hold of what a host calls things: more than agents send, and few enough that a
/// page of hundreds of them stays small. The record itself is kept whole.
const WORDS_MAX: usize = 200;

/// Characters of a revision: a branch, a format and a digest.
const REVISION_CHARS_MAX: usize = 400;

/// Whose records are taken.
struct Owner {
    key: i64,
    host: i64,
    tip: Tip,
}

pub(super) fn append(db: &Connection, batch: &Batch, now: i64) -> Result<Appended, StoreFailure> {
    let mut owner = match owner(db, batch.key)? {
        Ok(owner) => owner,
        Err(state) => return Ok(Appended::NotTaken(state)),
    };
    let mut taken = 0;
    for entry in &batch.entries {
        let kept = |seq| kept_digest(db, id_of(owner.key, seq));
        let how = match owner.tip.judge(&entry.record, entry.digest, kept)? {
            Link::Known => continue,
            Link::Next(tip) => {
                keep(db, &owner, entry, now)?;
                owner.tip = tip;
                taken += 1;
                continue;
            }
            Link::Gap => Break::Gap,
            Link::Fork => Break::Fork,
        };
        let seq = entry.record.seq;
        sound(db, &owner, how, seq, now)?;
        finish(db, &owner, taken, now)?;
        return Ok(Appended::Broken { how, seq, tip: owner.tip, taken });
    }
    finish(db, &owner, taken, now)?;
    Ok(Appended::Kept { tip: owner.tip, taken })
}

pub(super) fn id_of(key: i64, seq: u64) -> i64 {
    (key << SEQ_BITS) | signed(seq)
}

/// The key's chain as it stands in this transaction; how the key stands when its records do not count.
fn owner(db: &Connection, key: i64) -> Result<Result<Owner, KeyState>, StoreFailure> {
    let fail = doing("look for a key's chain");
    let sql = "SELECT host, state, seq, digest FROM host_key WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([key]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(Err(KeyState::Refused));
    };
    let state = key_state(&column::<String>(row, "state")?)?;
    if state != KeyState::Enrolled {
        return Ok(Err(state));
    }
    let tip = Tip { seq: number(row, "seq")?, digest: digest(row, "digest")? };
    Ok(Ok(Owner { key, host: column(row, "host")?, tip }))
}

fn kept_digest(db: &Connection, id: i64) -> Result<Option<Sha256>, StoreFailure> {
    let fail = doing("look for a record");
    let mut statement =
        db.prepare_cached("SELECT digest FROM record WHERE id = ?1").map_err(&fail)?;
    let found = statement.query_row([id], |row| row.get::<_, [u8; 32]>(0)).optional();
    Ok(found.map_err(fail)?.map(Sha256::from_bytes))
}

fn keep(db: &Connection, owner: &Owner, entry: &Entry, now: i64) -> Result<(), StoreFailure> {
    let fail = doing("keep a record");
    let record = &entry.record;
    let id = id_of(owner.key, record.seq);
    let sql = "INSERT INTO record (id, digest, signature, payload, received)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let values =
        params![id, entry.digest.as_bytes(), entry.signature, entry.payload.as_slice(), now];
    statement.execute(values).map_err(&fail)?;
    let revision = match &record.revision {
        Some(name) => Some(subject(db, revision(db, name, now)?, record.subject.as_deref())?),
        None => None,
    };
    let runs = match stands(record) {
        Stands::On(name) if Some(name) == record.revision.as_deref() => Some(revision),
        Stands::On(name) => Some(Some(self::revision(db, name, now)?)),
        Stands::Unknown => Some(None),
        Stands::AsBefore => None,
    };
    newest_word(db, owner, entry)?;
    if let Some(runs) = runs {
        let sql = "UPDATE host SET revision = ?2, since = ?3 WHERE id = ?1 AND revision IS NOT ?2";
        let mut statement = db.prepare_cached(sql).map_err(&fail)?;
        let at = one_line(&record.at, WORDS_MAX);
        statement.execute(params![owner.host, runs, at]).map_err(&fail)?;
    }
    if let (Some(revision), Kind::Deployment | Kind::Drift | Kind::Alarm) = (revision, record.kind)
    {
        index(db, owner, entry, revision)?;
    }
    Ok(())
}

/// Keeps how the host stands by its newest record; what that does not say stays as it was.
fn newest_word(db: &Connection, owner: &Owner, entry: &Entry) -> Result<(), StoreFailure> {
    let fail = doing("keep how a host stands");
    let record = &entry.record;
    let environment = record.environment.as_deref().map(|it| one_line(it, WORDS_MAX));
    let sql = "UPDATE host SET outcome = ?2, at = ?3, reason = ?4,
                 since = CASE WHEN outcome IS ?2 AND since IS NOT NULL THEN since ELSE ?3 END,
                 environment = coalesce(?5, environment), health = coalesce(?6, health)
               WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let (outcome, health) = (record.outcome.word(), health(record).map(Health::word));
    let [at, reason] = [&record.at, &record.reason].map(|it| one_line(it, WORDS_MAX));
    let values = params![owner.host, outcome, at, reason, environment, health];
    statement.execute(values).map(drop).map_err(fail)
}

/// Keeps what lists and the matrix are made of.
fn index(db: &Connection, owner: &Owner, entry: &Entry, revision: i64) -> Result<(), StoreFailure> {
    let fail = doing("keep what a record says");
    let record = &entry.record;
    let outcome = record.outcome.word();
    let [at, name, reason] =
        [&record.at, &record.deployment, &record.reason].map(|it| one_line(it, WORDS_MAX));
    let sql = "INSERT INTO deployment
                 (record, host, revision, kind, deployment, outcome, reason, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let kind = match record.kind {
        Kind::Deployment => "deployment",
        Kind::Drift => "drift",
        Kind::State => "state",
        Kind::Alarm => "alarm",
    };
    let id = id_of(owner.key, record.seq);
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    statement
        .execute(params![id, owner.host, revision, kind, name, outcome, reason, at])
        .map_err(&fail)?;
    let sql = "INSERT INTO landing (revision, host, outcome, seq, at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE
               SET outcome = excluded.outcome, seq = excluded.seq, at = excluded.at";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let seq = signed(record.seq);
    statement.execute(params![revision, owner.host, outcome, seq, at]).map(drop).map_err(fail)
}

/// A revision's number; it gets one when it is new.
fn revision(db: &Connection, name: &str, now: i64) -> Result<i64, StoreFailure> {
    let fail = doing("keep a revision");
    let name = one_line(name, REVISION_CHARS_MAX);
    let sha = commit_of(&name);
    let mut statement =
        db.prepare_cached("SELECT id FROM revision WHERE sha = ?1").map_err(&fail)?;
    if let Some(id) = statement.query_row([sha], |row| row.get(0)).optional().map_err(&fail)? {
        return Ok(id);
    }
    let sql = "INSERT INTO revision (sha, name, first) VALUES (?1, ?2, ?3)";
    db.execute(sql, params![sha, name, now]).map_err(&fail)?;
    Ok(db.last_insert_rowid())
}

/// Keeps a revision's subject, as the first host that knew it told it; gives the revision.
fn subject(db: &Connection, revision: i64, told: Option<&str>) -> Result<i64, StoreFailure> {
    if let Some(told) = told {
        let sql = "UPDATE revision SET subject = ?2 WHERE id = ?1 AND subject IS NULL";
        let fail = doing("keep a revision's subject");
        let mut statement = db.prepare_cached(sql).map_err(&fail)?;
        statement.execute(params![revision, one_line(told, WORDS_MAX)]).map_err(&fail)?;
    }
    Ok(revision)
}

/// Moves the chain's end to where it is now.
fn finish(db: &Connection, owner: &Owner, taken: u64, now: i64) -> Result<(), StoreFailure> {
    let fail = doing("keep where a chain ends");
    // What was known needs no room: a replay is answered on a full disk, too.
    if taken == 0 {
        return Ok(());
    }
    let sql = "UPDATE host_key SET seq = ?2, digest = ?3 WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let (seq, digest) = (signed(owner.tip.seq), owner.tip.digest);
    statement.execute(params![owner.key, seq, digest.as_bytes()]).map_err(&fail)?;
    let mut statement =
        db.prepare_cached("UPDATE host SET seen = ?2 WHERE id = ?1").map_err(&fail)?;
    statement.execute([owner.host, now]).map(drop).map_err(fail)
}

/// Keeps that the chain is broken, once for each place.
fn sound(
    db: &Connection,
    owner: &Owner,
    how: Break,
    seq: u64,
    now: i64,
) -> Result<(), StoreFailure> {
    let expected = owner.tip.expected();
    let place = match how {
        Break::Gap => expected,
        Break::Fork => seq,
    };
    let sql = "INSERT INTO alarm (host_key, kind, place, seq, expected, first, last)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
               ON CONFLICT DO UPDATE
               SET count = count + 1, seq = excluded.seq, last = excluded.last";
    let values = params![owner.key, how.word(), signed(place), signed(seq), signed(expected), now];
    db.execute(sql, values).map(drop).map_err(doing("keep an alarm"))
}
