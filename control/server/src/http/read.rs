//! What people and programs read: hosts, deployments, commits, and where a commit is.
//!
//! **Invariant:** every list is limited, and says where it goes on.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::outcome::Outcome;
use bowline_api::record::SEQ_MAX;
use serde::Deserialize;

use super::Service;
use super::answer::{Refusal, failed, json, respond};
use super::asked::{Part, Question, part, query};
use crate::store::{Found, Named, Newest, Picked, Wanted};

/// Items given at once.
const LIMIT_MAX: u32 = 1000;

/// Items given when nobody says how many.
const LIMIT_DEFAULT: u32 = 50;

/// Commits given at once: for each of them hosts are counted.
const COMMITS_MAX: u32 = 100;

/// The shortest beginning of a commit's id that is looked for, as in Git.
const SHORTEST: usize = 7;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Names {
    limit: Option<u32>,
    after: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Numbers {
    limit: Option<u32>,
    after: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deployments {
    host: Option<String>,
    outcome: Option<Outcome>,
    limit: Option<u32>,
    after: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    key: String,
    seq: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whereabouts {
    commit: String,
    limit: Option<u32>,
    after: Option<String>,
}

fn limit(asked: Option<u32>, most: u32) -> Result<u32, Refusal> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Refusal::bad("a bad limit", format!("limit lies between 1 and {most}")))
}

/// Where a list of numbered things goes on: a number that a list could have given.
pub(super) fn place(asked: Option<u64>) -> Result<Option<u64>, Refusal> {
    if asked.is_some_and(|it| i64::try_from(it).is_err()) {
        return Err(Refusal::bad("a bad place", "after is the `next` that a list gave"));
    }
    Ok(asked)
}

pub(super) async fn healthz() -> Response {
    respond(StatusCode::OK, "text/plain; charset=utf-8", b"ok\n".to_vec())
}

pub(super) async fn hosts(
    State(service): State<Arc<Service>>,
    asked: Question<Names>,
) -> Result<Response, Refusal> {
    let asked = query(asked)?;
    let part = Named { limit: limit(asked.limit, LIMIT_MAX)?, after: asked.after };
    let all = Picked { retired: true, ..Picked::default() };
    let found = service.store.hosts(all, part).await.map_err(|it| failed(&service, &it))?;
    Ok(json(StatusCode::OK, &found))
}

pub(super) async fn host(
    State(service): State<Arc<Service>>,
    name: Part<String>,
) -> Result<Response, Refusal> {
    let found = service.store.host(part(name)?).await.map_err(|it| failed(&service, &it))?;
    let missing = || Refusal::missing("no such host", "GET /api/v1/hosts lists all of them");
    Ok(json(StatusCode::OK, &found.ok_or_else(missing)?))
}

pub(super) async fn deployments(
    State(service): State<Arc<Service>>,
    asked: Question<Deployments>,
) -> Result<Response, Refusal> {
    let asked = query(asked)?;
    let part = Newest { limit: limit(asked.limit, LIMIT_MAX)?, after: place(asked.after)? };
    let wanted = Wanted { host: asked.host, outcome: asked.outcome };
    let found = service.store.deployments(wanted, part).await;
    Ok(json(StatusCode::OK, &found.map_err(|it| failed(&service, &it))?))
}

/// A record's envelope as its host wrote it: its SHA-256 is the record's digest.
pub(super) async fn envelope(
    State(service): State<Arc<Service>>,
    asked: Question<Envelope>,
) -> Result<Response, Refusal> {
    let Envelope { key, seq } = query(asked)?;
    let missing = || {
        Refusal::missing("no such record", "GET /api/v1/hosts/NAME lists keys and where they end")
    };
    let fail = |it| failed(&service, &it);
    let known = service.store.key(key).await.map_err(fail)?.ok_or_else(missing)?;
    if seq > SEQ_MAX {
        return Err(missing());
    }
    let found = service.store.envelope(known.id, seq).await.map_err(fail)?;
    Ok(respond(StatusCode::OK, "application/json", found.ok_or_else(missing)?))
}

pub(super) async fn commits(
    State(service): State<Arc<Service>>,
    asked: Question<Numbers>,
) -> Result<Response, Refusal> {
    let asked = query(asked)?;
    let part = Newest { limit: limit(asked.limit, COMMITS_MAX)?, after: place(asked.after)? };
    let count = async { service.store.commits(part).await.map_err(|it| failed(&service, &it)) };
    let found = service.commits.get(part, count).await?;
    Ok(json(StatusCode::OK, &*found))
}

pub(super) async fn whereabouts(
    State(service): State<Arc<Service>>,
    asked: Question<Whereabouts>,
) -> Result<Response, Refusal> {
    let asked = query(asked)?;
    let is_hex = asked.commit.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex || !(SHORTEST..=64).contains(&asked.commit.len()) {
        let detail = "commit is an id, or at least the first seven digits of one";
        return Err(Refusal::bad("a bad commit", detail));
    }
    let part = Named { limit: limit(asked.limit, LIMIT_MAX)?, after: asked.after };
    let found = service.store.whereabouts(asked.commit, part).await;
    match found.map_err(|it| failed(&service, &it))? {
        Found::One(it) => Ok(json(StatusCode::OK, &it)),
        Found::None => {
            Err(Refusal::missing("an unknown commit", "no host spoke of it; push it, and wait"))
        }
        Found::Several => Err(Refusal::bad("not one commit", "several begin so: send more digits")),
    }
}
