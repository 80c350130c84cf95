//! Tokens, keys and what people decide about them.
//!
//! **Invariant:** what becomes of a claim is decided by bowline-fleet; here it is only kept.

use bowline_api::enrolment::KeyState;
use bowline_api::page::Waiting;
use bowline_fleet::claim::{self, Claim, Denied, Known, Token};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Claimant, Decided, Decision, HostKey, NewToken, Note};
use super::words::{column, key_state, moment_of};

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
    let token = token_of(db, it)?;
    let known = known_keys(db, it)?;
    let judged = claim::claim(&it.host, &it.public, token.as_ref(), &known, now);
    let claim = match judged {
        Ok(claim) => claim,
        Err(denied) => return Ok(Err(denied)),
    };
    let fail = doing("keep a claim");
    let used = "UPDATE enrol_token SET used_by = ?2 WHERE digest = ?1";
    db.execute(used, params![it.token.as_bytes(), it.public]).map_err(&fail)?;
    match claim {
        Claim::Known(state) => Ok(Ok(state)),
        Claim::New(state) => {
            let host = "INSERT INTO host (name) VALUES (?1) ON CONFLICT DO NOTHING";
            db.execute(host, [&it.host]).map_err(&fail)?;
            let key = "INSERT INTO host_key (host, fingerprint, public, state, since)
                       SELECT id, ?2, ?3, ?4, ?5 FROM host WHERE name = ?1";
            let values = params![it.host, it.fingerprint, it.public, state.word(), now];
            db.execute(key, values).map_err(&fail)?;
            Ok(Ok(state))
        }
    }
}

fn token_of(db: &Connection, it: &Claimant) -> Result<Option<Token>, StoreFailure> {
    let sql = "SELECT host, until, used_by FROM enrol_token WHERE digest = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Token { host: row.get(0)?, until: row.get(1)?, used_by: row.get(2)? })
    };
    db.query_row(sql, [it.token.as_bytes()], read).optional().map_err(doing("look for a token"))
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
    now: i64,
) -> Result<Decided, StoreFailure> {
    let Some(key) = key(db, fingerprint)?.filter(|it| it.host == host) else {
        return Ok(Decided::NoSuchKey);
    };
    if key.state != KeyState::Pending {
        return Ok(Decided::NotPending(key.state));
    }
    let fail = doing("keep a decision");
    let state = match decision {
        Decision::Refuse => KeyState::Refused,
        Decision::Approve => {
            let retire = "UPDATE host_key SET state = ?2, since = ?3
                          WHERE state = ?4 AND host = (SELECT id FROM host WHERE name = ?1)";
            let [retired, enrolled] = [KeyState::Retired, KeyState::Enrolled].map(KeyState::word);
            db.execute(retire, params![host, retired, now, enrolled]).map_err(&fail)?;
            KeyState::Enrolled
        }
    };
    let sql = "UPDATE host_key SET state = ?2, since = ?3 WHERE id = ?1";
    db.execute(sql, params![key.id, state.word(), now]).map_err(&fail)?;
    Ok(Decided::Done(state))
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

pub(super) fn acknowledge(
    db: &Connection,
    host: &str,
    note: &Note,
) -> Result<Option<u64>, StoreFailure> {
    let fail = doing("keep that a fault was looked after");
    let known = db.query_row("SELECT id FROM host WHERE name = ?1", [host], |row| row.get(0));
    let Some(id) = known.optional().map_err(&fail)? else {
        return Ok(None);
    };
    let id: i64 = id;
    let sql = "UPDATE alarm SET acknowledged = ?2, acknowledged_by = ?3, note = ?4
               WHERE acknowledged IS NULL AND id IN
                 (SELECT a.id FROM alarm a JOIN host_key k ON k.id = a.host_key
                  WHERE k.host = ?1 AND (a.kind = 'fork' OR a.expected = k.seq + 1))";
    let number = db.execute(sql, params![id, note.at, note.by, note.text]).map_err(fail)?;
    Ok(Some(number as u64))
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
