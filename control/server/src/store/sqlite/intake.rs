//! Takes records that continue their key's chain, and reads out of them what is asked for.
//!
//! **Invariant:** chain, records and what was read out of them change together, or not at all.
//! **Invariant:** whether a record continues the chain is decided by bowline-fleet.
//! **Invariant:** what is shown of a host is that host's own word; no host speaks for another.

use bowline_api::enrolment::KeyState;
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record, SEQ_MAX};
use bowline_fleet::chain::{Link, Taken, Tip};
use bowline_fleet::landing::{Says, Stands, health, repeats_a_revert, stands};
use bowline_model::digest::Sha256;
use bowline_model::shown::one_line;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Appended, Batch, Break, Entry};
use super::alarms::{resumed, sound};
use super::wording::{self, Said};
use super::words::{column, damaged, digest, key_state, number, signed};

/// Bits of a record's id that hold its sequence, up to [`SEQ_MAX`].
const SEQ_BITS: u32 = 40;

/// Keys whose records have ids: what is left of a positive number, eight million.
const KEY_MAX: i64 = (1 << (63 - SEQ_BITS)) - 1;

/// Characters that lists hold of what a host calls things: more than agents send, and few enough that a
/// page of hundreds of them stays small. The record itself is kept whole.
pub(super) const WORDS_MAX: usize = 200;

/// Whose records are taken.
pub(super) struct Owner {
    pub(super) key: i64,
    pub(super) host: i64,
    pub(super) tip: Tip,
}

/// When a record came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// As the newest of its chain: how its host stands now.
    InTurn,
    /// After the chain went on without it: what its host said once.
    Late,
}

/// The records of a key that are kept.
struct Shelf<'a> {
    db: &'a Connection,
    key: i64,
}

pub(super) fn append(db: &Connection, batch: &Batch, now: i64) -> Result<Appended, StoreFailure> {
    let mut owner = match owner(db, batch.key)? {
        Ok(owner) => owner,
        Err(state) => return Ok(Appended::NotTaken(state)),
    };
    let mut taken = 0;
    for entry in &batch.entries {
        let shelf = Shelf { db, key: owner.key };
        let how = match owner.tip.judge(&entry.record, entry.digest, &shelf)? {
            Link::Known => continue,
            Link::Next(tip) => {
                if tip.seq > owner.tip.expected() {
                    resumed(db, &owner, tip.seq)?;
                }
                keep(db, &owner, entry, Arrival::InTurn, now)?;
                owner.tip = tip;
                taken += 1;
                continue;
            }
            Link::Late => {
                keep(db, &owner, entry, Arrival::Late, now)?;
                taken += 1;
                continue;
            }
            Link::Gap => Break::Gap,
            Link::Fork => Break::Fork,
        };
        let seq = entry.record.seq;
        sound(db, &owner, how, entry, now)?;
        finish(db, &owner, taken)?;
        return Ok(Appended::Broken { how, seq, tip: owner.tip, taken });
    }
    finish(db, &owner, taken)?;
    Ok(Appended::Kept { tip: owner.tip, taken })
}

/// A record's id: its key's number, and its sequence. A sequence that is too large would be the id of another
/// key's record.
pub(super) fn id_of(key: i64, seq: u64) -> Result<i64, StoreFailure> {
    if seq > SEQ_MAX || !(0..=KEY_MAX).contains(&key) {
        return Err(StoreFailure::NoSuchPlace { seq });
    }
    Ok((key << SEQ_BITS) | signed(seq))
}

/// The key's chain as it stands in this transaction; how the key stands when its records do not count.
fn owner(db: &Connection, key: i64) -> Result<Result<Owner, KeyState>, StoreFailure> {
    let fail = doing("look for a key's chain");
    let sql = "SELECT host, state, seq, digest, resume FROM host_key WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([key]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(Err(KeyState::Refused));
    };
    let state = key_state(&column::<String>(row, "state")?)?;
    if state != KeyState::Enrolled {
        return Ok(Err(state));
    }
    let resume = column::<Option<i64>>(row, "resume")?.and_then(|it| u64::try_from(it).ok());
    let tip = Tip { seq: number(row, "seq")?, digest: digest(row, "digest")?, resume };
    Ok(Ok(Owner { key, host: column(row, "host")?, tip }))
}

impl Taken for Shelf<'_> {
    type Failure = StoreFailure;

    fn digest(&self, seq: u64) -> Result<Option<Sha256>, StoreFailure> {
        let fail = doing("look for a record");
        let id = id_of(self.key, seq)?;
        let mut statement =
            self.db.prepare_cached("SELECT digest FROM record WHERE id = ?1").map_err(&fail)?;
        let found = statement.query_row([id], |row| row.get::<_, [u8; 32]>(0)).optional();
        Ok(found.map_err(fail)?.map(Sha256::from_bytes))
    }

    fn prev(&self, seq: u64) -> Result<Option<String>, StoreFailure> {
        let fail = doing("look for what a record names before it");
        let id = id_of(self.key, seq)?;
        let mut statement =
            self.db.prepare_cached("SELECT payload FROM record WHERE id = ?1").map_err(&fail)?;
        let found = statement.query_row([id], |row| row.get::<_, Vec<u8>>(0)).optional();
        let Some(payload) = found.map_err(fail)? else {
            return Ok(None);
        };
        let read = serde_json::from_slice::<Record>(&payload);
        let read = read.map_err(|it| damaged("a record that was kept", &it.to_string()))?;
        Ok(Some(read.prev))
    }
}

fn keep(
    db: &Connection,
    owner: &Owner,
    entry: &Entry,
    arrival: Arrival,
    now: i64,
) -> Result<(), StoreFailure> {
    let fail = doing("keep a record");
    let record = &entry.record;
    let id = id_of(owner.key, record.seq)?;
    let sql = "INSERT INTO record (id, digest, signature, payload, received)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let values =
        params![id, entry.digest.as_bytes(), entry.signature, entry.payload.as_slice(), now];
    statement.execute(values).map_err(&fail)?;
    let said = match &record.revision {
        Some(name) => Some(wording::said(db, owner.host, name, record.subject.as_deref(), now)?),
        None => None,
    };
    match arrival {
        Arrival::InTurn => {
            if record.kind == Kind::Healthy {
                good_word(db, owner, record, now)?;
            } else {
                newest_word(db, owner, entry, said, now)?;
            }
            runs(db, owner, record, said, now)?;
        }
        // How its host stands, later records said.
        Arrival::Late => {
            db.execute("INSERT INTO late (record) VALUES (?1)", [id]).map_err(&fail)?;
            let sql = "UPDATE host SET seen = ?2, spoke = ?3 WHERE id = ?1";
            let mut statement = db.prepare_cached(sql).map_err(&fail)?;
            statement.execute([owner.host, now, owner.key]).map_err(&fail)?;
        }
    }
    if let (Some(said), Kind::Deployment | Kind::Drift | Kind::Alarm) = (said, record.kind) {
        index(db, owner, entry, said, arrival)?;
    }
    Ok(())
}

/// Keeps what the host runs after its newest record.
fn runs(
    db: &Connection,
    owner: &Owner,
    record: &Record,
    said: Option<Said>,
    now: i64,
) -> Result<(), StoreFailure> {
    let runs = match stands(record) {
        Stands::On(name) if Some(name) == record.revision.as_deref() => said,
        Stands::On(name) => Some(wording::said(db, owner.host, name, None, now)?),
        Stands::Unknown => None,
        Stands::AsBefore => return Ok(()),
    };
    let fail = doing("keep what a host runs");
    let sql = "UPDATE host SET since = CASE WHEN revision IS ?2 THEN since ELSE ?4 END,
                 revision = ?2, wording = ?3
               WHERE id = ?1 AND (wording IS NOT ?3 OR revision IS NOT ?2)";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let at = one_line(&record.at, WORDS_MAX);
    let (revision, wording) = (runs.map(|it| it.revision), runs.map(|it| it.wording));
    statement.execute(params![owner.host, revision, wording, at]).map(drop).map_err(fail)
}

/// Keeps how the host stands by its newest record, and that it was heard; what that does not say stays as it was, but
/// for a health that only came from not knowing how the host stood.
fn newest_word(
    db: &Connection,
    owner: &Owner,
    entry: &Entry,
    said: Option<Said>,
    now: i64,
) -> Result<(), StoreFailure> {
    let fail = doing("keep how a host stands");
    let record = &entry.record;
    let environment = record.environment.as_deref().map(|it| one_line(it, WORDS_MAX));
    let sql = "UPDATE host SET outcome = ?2, at = ?3, reason = ?4, seen = ?7, spoke = ?8,
                 since = CASE WHEN outcome IS ?2 THEN since ELSE ?3 END,
                 environment = coalesce(?5, environment),
                 health = CASE WHEN ?6 IS NULL THEN iif(outcome = 'stranded', NULL, health)
                   WHEN ?6 = 'none' THEN NULL
                   WHEN ?6 = 'quiet' THEN iif(outcome = 'stranded' OR health IS NULL, NULL, 'well')
                   ELSE ?6 END
               WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let outcome = record.outcome.word();
    let health = match health(record) {
        Says::Health(it) => Some(it.word()),
        Says::NoProbe => Some("none"),
        Says::NoComplaint => Some("quiet"),
        Says::AsBefore => None,
    };
    let [at, reason] = [&record.at, &record.reason].map(|it| one_line(it, WORDS_MAX));
    // A host that went back from a commit stays one that went back, until something else becomes of that.
    let again = repeats_a_revert(record) && went_back(db, owner.host, said)?;
    let outcome = if again { Outcome::Reverted.word() } else { outcome };
    let values = params![owner.host, outcome, at, reason, environment, health, now, owner.key];
    statement.execute(values).map(drop).map_err(fail)
}

/// Keeps that a host is well, and that it was heard. A receipt is no ending: what it waits for goes on being shown.
fn good_word(
    db: &Connection,
    owner: &Owner,
    record: &Record,
    now: i64,
) -> Result<(), StoreFailure> {
    let fail = doing("keep that a host is well");
    let health = match health(record) {
        Says::Health(it) => Some(it.word()),
        Says::NoProbe | Says::NoComplaint | Says::AsBefore => None,
    };
    let sql = "UPDATE host SET seen = ?2, spoke = ?3, health = coalesce(?4, health) WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    statement.execute(params![owner.host, now, owner.key, health]).map(drop).map_err(fail)
}

/// Whether a host's last word on a revision is that it went back from it.
fn went_back(db: &Connection, host: i64, said: Option<Said>) -> Result<bool, StoreFailure> {
    let fail = doing("look for what became of a commit");
    let sql = "SELECT outcome = 'reverted' FROM landing WHERE revision = ?1 AND host = ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let found = statement.query_row(params![said.map(|it| it.revision), host], |row| row.get(0));
    Ok(found.optional().map_err(fail)?.unwrap_or_default())
}

/// Keeps what lists and the matrix are made of.
fn index(
    db: &Connection,
    owner: &Owner,
    entry: &Entry,
    said: Said,
    arrival: Arrival,
) -> Result<(), StoreFailure> {
    let fail = doing("keep what a record says");
    let record = &entry.record;
    let outcome = record.outcome.word();
    let [at, name, reason] =
        [&record.at, &record.deployment, &record.reason].map(|it| one_line(it, WORDS_MAX));
    let sql = "INSERT INTO deployment
                 (record, host, revision, wording, kind, deployment, outcome, reason, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let kind = record.kind.word();
    let id = id_of(owner.key, record.seq)?;
    let Said { revision, wording } = said;
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let values = params![id, owner.host, revision, wording, kind, name, outcome, reason, at];
    statement.execute(values).map_err(&fail)?;
    let sql = "UPDATE landing SET outcome = iif(?8 AND outcome = 'reverted', outcome, ?3),
                 seq = ?4, at = ?5, wording = ?6, host_key = ?7
               WHERE revision = ?1 AND host = ?2 AND NOT (host_key IS ?7 AND seq > ?4)";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let seq = signed(record.seq);
    let again = repeats_a_revert(record);
    let values = params![revision, owner.host, outcome, seq, at, wording, owner.key, again];
    if statement.execute(values).map_err(&fail)? > 0 {
        return Ok(());
    }
    let values = params![revision, owner.host, outcome, seq, at, wording, owner.key];
    let sql = "INSERT INTO landing (revision, host, outcome, seq, at, wording, host_key)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    // What came late is not the host's last word where there is a later one.
    if statement.execute(values).map_err(&fail)? == 0 {
        return Ok(());
    }
    wording::spoke(db, revision, owner.host, arrival)
}

/// Moves the chain's end to where it is now.
fn finish(db: &Connection, owner: &Owner, taken: u64) -> Result<(), StoreFailure> {
    let fail = doing("keep where a chain ends");
    // What was known needs no room: a replay is answered on a full disk, too.
    if taken == 0 {
        return Ok(());
    }
    let sql = "UPDATE host_key SET seq = ?2, digest = ?3, resume = ?4 WHERE id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let Tip { seq, digest, resume } = owner.tip;
    let values = params![owner.key, signed(seq), digest.as_bytes(), resume.map(signed)];
    statement.execute(values).map(drop).map_err(fail)
}
