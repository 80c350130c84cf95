//! Reads records as they were signed, with what proves them.
//!
//! **Invariant:** what comes out is what was put in, byte for byte; nothing here is repaired.

use bowline_api::fleet::Page;
use bowline_api::record::{PAYLOAD_TYPE, SEQ_MAX};
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_trust::dsse;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::failure::{StoreFailure, doing};
use super::super::{Kept, Newest, Place, Which};
use super::intake::id_of;
use super::words::{column, digest, key_state, number, signed};

/// A record's envelope, as its host wrote it.
pub(super) fn envelope(
    db: &Connection,
    key: i64,
    seq: u64,
) -> Result<Option<Vec<u8>>, StoreFailure> {
    let fail = doing("read a record");
    let sql = "SELECT r.payload, r.signature, k.fingerprint
               FROM record r JOIN host_key k ON k.id = ?1 WHERE r.id = ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([key, id_of(key, seq)?]).map_err(&fail)?;
    let Some(row) = rows.next().map_err(&fail)? else {
        return Ok(None);
    };
    let sig: [u8; 64] = column(row, "signature")?;
    let signature =
        EnvelopeSignature { key_id: Some(column(row, "fingerprint")?), sig: sig.to_vec() };
    let mut line = dsse::write(&Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: column(row, "payload")?,
        signatures: vec![signature],
    });
    line.pop();
    Ok(Some(line))
}

/// Bytes of records in one answer: a page of them is shown by any browser, and some at once fit into memory.
const ANSWER_BYTES_MAX: u64 = 2 << 20;

pub(super) fn kept(
    db: &Connection,
    host: &str,
    which: &Which,
    part: Newest,
) -> Result<Page<Kept>, StoreFailure> {
    if matches!(which.place, Place::Seq(seq) if seq > SEQ_MAX) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let Some(key) = key_meant(db, host, which)? else {
        return Ok(Page { items: Vec::new(), next: None });
    };
    let mut chosen = chosen(db, key, which, part)?;
    let limit = usize::try_from(part.limit).unwrap_or(usize::MAX);
    let mut bytes = 0_u64;
    let fits = |(_, length): &&(i64, u64)| {
        let is_first = bytes == 0;
        bytes = bytes.saturating_add(*length);
        is_first || bytes <= ANSWER_BYTES_MAX
    };
    let number = chosen.iter().take(limit).take_while(fits).count();
    let is_more = number < chosen.len();
    chosen.truncate(number);
    let next = chosen.last().filter(|_| is_more).map(|(id, _)| id.to_string());
    let items = chosen.iter().map(|(id, _)| by_id(db, *id)).collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

/// Records of a key that are meant, newest first, and how long each is; one more than is wanted.
fn chosen(
    db: &Connection,
    key: i64,
    which: &Which,
    part: Newest,
) -> Result<Vec<(i64, u64)>, StoreFailure> {
    let fail = doing("look for records of a host");
    let meant = match which.place {
        Place::Deployment(_) => {
            "r.id IN (SELECT d.record FROM deployment d JOIN host_key k ON k.id = ?1
                      WHERE d.host = k.host AND d.deployment = ?2 AND d.record >> 40 = ?1
                        AND (?4 IS NULL OR d.record < ?4) ORDER BY d.record DESC LIMIT ?3)"
        }
        Place::Seq(_) => "r.id = (?1 << 40 | ?2) AND (?4 IS NULL OR r.id < ?4)",
    };
    let sql = format!(
        "SELECT r.id, length(r.payload) AS bytes FROM record r WHERE {meant}
         ORDER BY r.id DESC LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql).map_err(&fail)?;
    let (more, after) = (part.limit.saturating_add(1), part.after.map(signed));
    let mut rows = match &which.place {
        Place::Deployment(id) => statement.query(params![key, id, more, after]),
        Place::Seq(seq) => statement.query(params![key, signed(*seq), more, after]),
    }
    .map_err(&fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        found.push((column(row, "id")?, number(row, "bytes")?));
    }
    Ok(found)
}

/// The key whose records are meant: each of a host's keys has a chain of its own, and the same sequences and
/// ids may stand in several.
fn key_meant(db: &Connection, host: &str, which: &Which) -> Result<Option<i64>, StoreFailure> {
    let fail = doing("look for the key of a record");
    let has = match which.place {
        Place::Deployment(_) => {
            "EXISTS (SELECT 1 FROM deployment d
                     WHERE d.host = k.host AND d.deployment = ?2 AND d.record >> 40 = k.id)"
        }
        Place::Seq(_) => "EXISTS (SELECT 1 FROM record r WHERE r.id = (k.id << 40 | ?2))",
    };
    let sql = format!(
        "SELECT k.id FROM host_key k JOIN host h ON h.id = k.host
         WHERE h.name = ?1 AND (?3 IS NULL OR k.fingerprint = ?3) AND {has}
         ORDER BY k.state = 'enrolled' DESC, k.since DESC, k.id DESC LIMIT 1"
    );
    let mut statement = db.prepare_cached(&sql).map_err(&fail)?;
    let read = |row: &Row<'_>| row.get(0);
    let found = match &which.place {
        Place::Deployment(id) => statement.query_row(params![host, id, which.key], read),
        Place::Seq(seq) => statement.query_row(params![host, signed(*seq), which.key], read),
    };
    found.optional().map_err(fail)
}

fn by_id(db: &Connection, id: i64) -> Result<Kept, StoreFailure> {
    let fail = doing("read a record");
    let sql =
        "SELECT r.id & ((1 << 40) - 1) AS seq, k.seq AS newest, r.digest, r.payload, r.signature,
                 r.received, k.fingerprint, k.public, k.state,
                 (SELECT b.digest FROM record b WHERE b.id = r.id - 1) AS before,
                 EXISTS (SELECT 1 FROM late l WHERE l.record = r.id) AS late,
                 EXISTS (SELECT 1 FROM fault f WHERE f.host_key = k.id AND f.kind = 'gap'
                   AND f.expected < r.id & ((1 << 40) - 1) AND f.resumed >= r.id & ((1 << 40) - 1)
                   AND NOT EXISTS (SELECT 1 FROM record b WHERE b.id = r.id - 1)) AS continued
               FROM record r JOIN host_key k ON k.id = r.id >> 40 WHERE r.id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query([id]).map_err(&fail)?;
    let gone = || StoreFailure::Damaged { what: format!("record {id} is gone") };
    one(rows.next().map_err(&fail)?.ok_or_else(gone)?)
}

fn one(row: &Row<'_>) -> Result<Kept, StoreFailure> {
    Ok(Kept {
        fingerprint: column(row, "fingerprint")?,
        public: column(row, "public")?,
        state: key_state(&column::<String>(row, "state")?)?,
        seq: number(row, "seq")?,
        newest: number(row, "newest")?,
        digest: digest(row, "digest")?,
        continued: column(row, "continued")?,
        late: column(row, "late")?,
        before: column::<Option<[u8; 32]>>(row, "before")?.map(Sha256::from_bytes),
        payload: column(row, "payload")?,
        signature: column(row, "signature")?,
        received: column(row, "received")?,
    })
}
