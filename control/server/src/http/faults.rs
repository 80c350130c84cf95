//! `GET /api/v1/hosts/NAME/faults`: a host's gaps and forks, and what was told otherwise.
//!
//! **Invariant:** what a host signed and what was not taken comes out as it came in.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::fleet::Evidence;
use serde::Deserialize;

use super::Service;
use super::answer::{Refusal, failed, json};
use super::asked::{Part, Question, part, query};
use super::read::place;
use crate::envelope;
use crate::store::Newest;

/// Faults given at once, as many as with the host itself.
const LIMIT: u32 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    after: Option<u64>,
}

pub(super) async fn faults(
    State(service): State<Arc<Service>>,
    named: Part<String>,
    asked: Question<Asked>,
) -> Result<Response, Refusal> {
    let (name, asked) = (part(named)?, query(asked)?);
    let newest = Newest { limit: LIMIT, after: place(asked.after)? };
    let found = service.store.faults(name, newest).await.map_err(|it| failed(&service, &it))?;
    let missing = || Refusal::missing("no such host", "GET /api/v1/hosts lists all of them");
    Ok(json(StatusCode::OK, &found.ok_or_else(missing)?))
}

pub(super) async fn fault(
    State(service): State<Arc<Service>>,
    named: Part<(String, u64)>,
) -> Result<Response, Refusal> {
    let (name, id) = part(named)?;
    let found = service.store.told_otherwise(name, id).await;
    let found = found.map_err(|it| failed(&service, &it))?;
    let detail = "the host's faults say under `kept` of which of them the record was kept";
    let told = found.ok_or_else(|| Refusal::missing("no such record", detail))?;
    let again = envelope::again_otherwise(&told);
    let evidence = Evidence {
        signature: again.is_signed,
        record: serde_json::from_slice(&told.payload).ok(),
        envelope: again.line,
        fault: told.fault,
    };
    Ok(json(StatusCode::OK, &evidence))
}
