//! Tokens, keys, hosts, and what people decide about them.
//!
//! **Invariant:** what becomes of a claim is decided by bowline-fleet; here it is only kept.

use bowline_api::enrolment::KeyState;
use bowline_api::page::Waiting;
use bowline_fleet::claim::{self, Claim, Denied, Known, Standing, Token};
use bowline_model::digest::Sha256;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{
    Claimant, Decided, Decision, Gone, HostKey, NewToken, Note, Person, Resumed, Warrant,
};
use super::account::{self, Deed};
use super::alarms::gap_of;
use super::wording;
use super::words::{column, key_state, moment_of, signed};

/// How long a token's row is kept after its end: long enough to answer a lost answer again.
const AFTER_TOKEN: i64 = 30 * 86_400;

pub(super) fn make_token(db: &Connection, host: &str, token: NewToken) -> Result<(), StoreFailure> {
    let fail = doing("keep a token");
    let old = token.made.saturating_sub(AFTER_TOKEN);
    db.execute("DELETE FROM enrol_token WHERE until < ?1", [old]).map_err(&fail)?;
    let sql = "INSERT INTO enrol_token (digest, host, made, until) VALUES (?1, ?2, ?3, ?4)";
    let values = params![token.digest.as_bytes(), host, token.made, token.until];
    db.execute(sql, values).map(drop).map_err(fail)
}

pub(super) fn claim(
    db: &Connection,
    it: &Claimant,
    now: i64,
) -> Result<Result<KeyState, Denied>, StoreFailure> {
    let known = known_keys(db, it)?;
    let standing = Standing { keys: &known, is_retired: is_retired(db, &it.host)? };
    let judged = match it.warrant {
        Warrant::Token(digest) => {
            let token = token_of(db, digest)?;
            claim::by_token(&it.host, &it.public, token.as_ref(), &standing, now)
        }
        Warrant::Merged => claim::by_merge(&it.host, &it.public, &standing),
    };
    let claim = match judged {
        Ok(claim) => claim,
        Err(denied) => return Ok(Err(denied)),
    };
    let fail = doing("keep a claim");
    if let Warrant::Token(digest) = it.warrant {
        let used = "UPDATE enrol_token SET used_by = ?2 WHERE digest = ?1";
        db.execute(used, params![digest.as_bytes(), it.public]).map_err(&fail)?;
    }
    let state = match claim {
        Claim::Known(state) => return Ok(Ok(state)),
        Claim::New(state) => state,
    };
    let host = "INSERT INTO host (name) VALUES (?1) ON CONFLICT DO NOTHING";
    db.execute(host, [&it.host]).map_err(&fail)?;
    if state == KeyState::Enrolled {
        make_room(db, &it.host, now)?;
    }
    let key = "INSERT INTO host_key (host, fingerprint, public, state, since)
               SELECT id, ?2, ?3, ?4, ?5 FROM host WHERE name = ?1
               ON CONFLICT (fingerprint) DO UPDATE SET state = excluded.state, since = excluded.since";
    let values = params![it.host, it.fingerprint, it.public, state.word(), now];
    db.execute(key, values).map_err(&fail)?;
    Ok(Ok(state))
}

/// Retires the key that has the name now.
fn make_room(db: &Connection, host: &str, now: i64) -> Result<(), StoreFailure> {
    let sql = "UPDATE host_key SET state = ?2, since = ?3
               WHERE state = ?4 AND host = (SELECT id FROM host WHERE name = ?1)";
    let [retired, enrolled] = [KeyState::Retired, KeyState::Enrolled].map(KeyState::word);
    let done = db.execute(sql, params![host, retired, now, enrolled]);
    done.map(drop).map_err(doing("retire a key"))
}

fn is_retired(db: &Connection, host: &str) -> Result<bool, StoreFailure> {
    let sql = "SELECT count(*) FROM host WHERE name = ?1 AND retired IS NOT NULL";
    let found = db.query_row(sql, [host], |row| row.get::<_, i64>(0));
    Ok(found.map_err(doing("look for a host"))? > 0)
}

/// A host's number.
pub(super) fn host_of(db: &Connection, name: &str) -> Result<Option<i64>, StoreFailure> {
    let found = db.query_row("SELECT id FROM host WHERE name = ?1", [name], |row| row.get(0));
    found.optional().map_err(doing("look for a host"))
}

fn token_of(db: &Connection, digest: Sha256) -> Result<Option<Token>, StoreFailure> {
    let sql = "SELECT host, until, used_by FROM enrol_token WHERE digest = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Token { host: row.get(0)?, until: row.get(1)?, used_by: row.get(2)? })
    };
    let found = db.query_row(sql, [digest.as_bytes()], read).optional();
    found.map_err(doing("look for a token"))
}

/// Keys of the host, and the claiming key wherever it is known.
fn known_keys(db: &Connection, it: &Claimant) -> Result<Vec<Known>, StoreFailure> {
    let fail = doing("look for a host's keys");
    let sql = "SELECT h.name, k.public, k.state FROM host_key k JOIN host h ON h.id = k.host
               WHERE h.name = ?1 OR k.fingerprint = ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query(params![it.host, it.fingerprint]).map_err(&fail)?;
    let mut known = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        let state = key_state(&column::<String>(row, "state")?)?;
        known.push(Known { host: column(row, "name")?, public: column(row, "public")?, state });
    }
    Ok(known)
}

pub(super) fn decide(
    db: &Connection,
    host: &str,
    fingerprint: &str,
    decision: Decision,
    by: &Person,
) -> Result<Decided, StoreFailure> {
    let known = key(db, fingerprint)?.filter(|it| it.host == host);
    let (Some(key), Some(host_id)) = (known, host_of(db, host)?) else {
        return Ok(Decided::NoSuchKey);
    };
    if key.state != KeyState::Pending {
        return Ok(Decided::NotPending(key.state));
    }
    let fail = doing("keep a decision");
    let (state, verb) = match decision {
        Decision::Refuse => (KeyState::Refused, "refuse"),
        Decision::Approve => {
            make_room(db, host, by.at)?;
            // A host that was gone is back with its new key.
            if is_retired(db, host)? {
                let sql = "UPDATE host SET retired = NULL WHERE id = ?1";
                db.execute(sql, [host_id]).map_err(&fail)?;
                wording::count_by(db, host_id, 1)?;
            }
            (KeyState::Enrolled, "approve")
        }
    };
    let sql = "UPDATE host_key SET state = ?2, since = ?3 WHERE id = ?1";
    db.execute(sql, params![key.id, state.word(), by.at]).map_err(&fail)?;
    account::keep(db, host_id, by, &Deed { verb, what: fingerprint, note: None })?;
    Ok(Decided::Done(state))
}

pub(super) fn retire(db: &Connection, host: &str, note: &Note) -> Result<Gone, StoreFailure> {
    let Some(id) = host_of(db, host)? else {
        return Ok(Gone::NoSuchHost);
    };
    if is_retired(db, host)? {
        return Ok(Gone::Already);
    }
    let fail = doing("retire a host");
    let Note { by, text } = note;
    make_room(db, host, by.at)?;
    db.execute("UPDATE host SET retired = ?2 WHERE id = ?1", [id, by.at]).map_err(fail)?;
    wording::count_by(db, id, -1)?;
    account::keep(db, id, by, &Deed { verb: "retire", what: "the host", note: Some(text) })?;
    Ok(Gone::Now)
}

pub(super) fn resume(
    db: &Connection,
    host: &str,
    from: u64,
    note: &Note,
) -> Result<Resumed, StoreFailure> {
    let Some(id) = host_of(db, host)? else {
        return Ok(Resumed::NoSuchHost);
    };
    let fail = doing("let a chain go on");
    let sql = "SELECT id FROM host_key WHERE host = ?1 AND state = 'enrolled'";
    let key: Option<i64> = db.query_row(sql, [id], |row| row.get(0)).optional().map_err(&fail)?;
    let Some(key) = key else {
        return Ok(Resumed::NoGap);
    };
    match gap_of(db, key)? {
        None => return Ok(Resumed::NoGap),
        Some(sent) if sent != from => return Ok(Resumed::Elsewhere(sent)),
        Some(_) => {}
    }
    let sql = "UPDATE host_key SET resume = ?2 WHERE id = ?1";
    db.execute(sql, [key, signed(from)]).map_err(&fail)?;
    let what = format!("its records from {from} on");
    let text = Some(note.text.as_str());
    account::keep(db, id, &note.by, &Deed { verb: "continue", what: &what, note: text })?;
    Ok(Resumed::From)
}

pub(super) fn waiting(db: &Connection, limit: u32) -> Result<Vec<Waiting>, StoreFailure> {
    let fail = doing("read keys that wait");
    let sql = "SELECT h.name, k.fingerprint, k.since,
                 (SELECT e.fingerprint FROM host_key e
                  WHERE e.host = k.host AND e.state = 'enrolled') AS holder
               FROM host_key k JOIN host h ON h.id = k.host
               WHERE k.state = 'pending' ORDER BY k.since, k.id LIMIT ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([limit]).map_err(&fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        let (host, fingerprint): (String, String) =
            (column(row, "name")?, column(row, "fingerprint")?);
        let command = |verb| format!("bowline-control host {verb} {host} {fingerprint}");
        let (approve, refuse) = (command("approve"), command("refuse"));
        let (since, holder) = (moment_of(row, "since")?, column(row, "holder")?);
        found.push(Waiting { host, fingerprint, since, holder, approve, refuse });
    }
    Ok(found)
}

pub(super) fn key(db: &Connection, fingerprint: &str) -> Result<Option<HostKey>, StoreFailure> {
    let fail = doing("look for a key");
    let sql = "SELECT k.id, h.name, k.public, k.state FROM host_key k JOIN host h ON h.id = k.host
               WHERE k.fingerprint = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([fingerprint]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    Ok(Some(HostKey {
        id: column(row, "id")?,
        host: column(row, "name")?,
        public: column(row, "public")?,
        state: key_state(&column::<String>(row, "state")?)?,
    }))
}
