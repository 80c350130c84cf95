//! How values stand in columns, and are read out of them.
//!
//! **Invariant:** what cannot be read is damage, never a default.

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::Health;
use bowline_api::outcome::Outcome;
use bowline_model::digest::Sha256;
use jiff::Timestamp;
use rusqlite::Row;

use super::super::failure::{StoreFailure, doing};

/// A column's value.
pub(super) fn column<T: rusqlite::types::FromSql>(
    row: &Row<'_>,
    name: &'static str,
) -> Result<T, StoreFailure> {
    row.get(name).map_err(doing(name))
}

/// A count or a sequence.
pub(super) fn number(row: &Row<'_>, name: &'static str) -> Result<u64, StoreFailure> {
    let value: i64 = column(row, name)?;
    u64::try_from(value).map_err(|_negative| damaged(name, &value.to_string()))
}

/// How a record ended.
pub(super) fn outcome(word: &str) -> Result<Outcome, StoreFailure> {
    let found = Outcome::ALL.into_iter().find(|it| it.word() == word);
    found.ok_or_else(|| damaged("an outcome", word))
}

/// What probes said.
pub(super) fn health(word: &str) -> Result<Health, StoreFailure> {
    let found = Health::ALL.into_iter().find(|it| it.word() == word);
    found.ok_or_else(|| damaged("the health of a host", word))
}

/// How a key stands.
pub(super) fn key_state(word: &str) -> Result<KeyState, StoreFailure> {
    let found = KeyState::ALL.into_iter().find(|it| it.word() == word);
    found.ok_or_else(|| damaged("the state of a key", word))
}

/// A digest.
pub(super) fn digest(row: &Row<'_>, name: &'static str) -> Result<Sha256, StoreFailure> {
    column::<[u8; 32]>(row, name).map(Sha256::from_bytes)
}

/// A moment of this service's clock, as RFC 3339.
pub(super) fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// A moment of this service's clock, as RFC 3339.
pub(super) fn moment_of(row: &Row<'_>, name: &'static str) -> Result<String, StoreFailure> {
    column(row, name).map(moment)
}

/// As `SQLite` keeps it. No sequence or id comes near the limit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn damaged(what: &str, value: &str) -> StoreFailure {
    StoreFailure::Damaged { what: format!("{what} is {value:?}") }
}
