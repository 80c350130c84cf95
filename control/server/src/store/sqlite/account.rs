//! What people decided about hosts, and who they were.
//!
//! **Invariant:** an account is written in the same transaction as what it tells of, and never changed.

use bowline_api::fleet::Decision;
use rusqlite::{Connection, params};

use super::super::Person;
use super::super::failure::{StoreFailure, doing};
use super::words::{column, moment_of};

/// Decisions shown of one host, the newest: people decide seldom.
const SHOWN_MAX: u32 = 50;

/// What was done.
pub(super) struct Deed<'a> {
    /// The command's word.
    pub(super) verb: &'static str,
    /// To what.
    pub(super) what: &'a str,
    /// Why.
    pub(super) note: Option<&'a str>,
}

/// Keeps that a person did something about a host.
pub(super) fn keep(
    db: &Connection,
    host: i64,
    by: &Person,
    deed: &Deed<'_>,
) -> Result<(), StoreFailure> {
    let sql = "INSERT INTO decision (host, at, verb, what, account, note)
               VALUES (?1, ?2, ?3, ?4, ?5, nullif(?6, ''))";
    let values = params![host, by.at, deed.verb, deed.what, by.account, deed.note];
    db.execute(sql, values).map(drop).map_err(doing("keep who decided"))
}

/// What people decided about a host, newest first.
pub(super) fn of(db: &Connection, host: &str) -> Result<Vec<Decision>, StoreFailure> {
    let fail = doing("read who decided");
    let sql = "SELECT d.at, d.verb, d.what, d.account, d.note FROM decision d
               JOIN host h ON h.id = d.host WHERE h.name = ?1 ORDER BY d.id DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql).map_err(&fail)?;
    let mut rows = statement.query(params![host, SHOWN_MAX]).map_err(&fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(&fail)? {
        found.push(Decision {
            at: moment_of(row, "at")?,
            verb: column(row, "verb")?,
            what: column(row, "what")?,
            by: column(row, "account")?,
            note: column(row, "note")?,
        });
    }
    Ok(found)
}
