//! What a request asks for, taken out of its path and its query.
//!
//! **Invariant:** what cannot be read is a problem that says so, never an answer of the library's own.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};

use super::answer::Refusal;

/// A query, or why it is none.
pub(super) type Question<T> = Result<Query<T>, QueryRejection>;

/// What a path names, or why that cannot be read.
pub(super) type Part<T> = Result<Path<T>, PathRejection>;

pub(super) fn query<T>(asked: Question<T>) -> Result<T, Refusal> {
    let bad = |it: QueryRejection| Refusal::bad("a bad query", it.body_text());
    asked.map(|Query(it)| it).map_err(bad)
}

pub(super) fn part<T>(named: Part<T>) -> Result<T, Refusal> {
    let bad = |it: PathRejection| Refusal::bad("a bad path", it.body_text());
    named.map(|Path(it)| it).map_err(bad)
}
