//! `POST /agent/v1/enrol`: a host's key becomes known, or waits for a person.
//!
//! **Invariant:** only who holds the key, and has a fresh token for this host or stands in its merged manifest,
//! gets a key in.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::cause::chain;
use bowline_api::enrolment::{Answer, KeyState};
use bowline_api::page::Heard;
use bowline_fleet::claim::Denied;
use bowline_model::digest::Sha256;
use bowline_model::name::Name;
use tokio::task::spawn_blocking;

use super::Service;
use super::answer::{Refusal, failed, json};
use super::bell::Again;
use super::body;
use super::meters::Meters;
use crate::door;
use crate::envelope;
use crate::merged;
use crate::store::{Claimant, Warrant};

/// Ten times what a host with the longest name and token sends.
const ENROL_BYTES_MAX: usize = 4 << 10;

pub(super) async fn enrol(
    State(service): State<Arc<Service>>,
    body: Body,
) -> Result<Response, Refusal> {
    let body = body::read(&service, body, ENROL_BYTES_MAX).await?;
    let proved = envelope::enrolment(&body.bytes).map_err(|bad| {
        Meters::add(&service.meters.refused, 1);
        let status =
            if bad.is_forbidden() { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        Refusal::new(
            status,
            "no enrolment",
            format!("the request cannot be taken: {}", chain(&bad)),
        )
    })?;
    let host = proved.request.host;
    let name = match host.parse::<Name>() {
        Ok(name) => name,
        Err(bad) => return Err(Refusal::bad("no name of a host", bad.to_string())),
    };
    let has_token = !proved.request.token.is_empty();
    let warrant = if !has_token && is_merged(&service, name, proved.fingerprint.clone()).await {
        Warrant::Merged
    } else {
        Warrant::Token(Sha256::of(proved.request.token.as_bytes()))
    };
    let claimant = Claimant {
        host: host.clone(),
        public: proved.public,
        fingerprint: proved.fingerprint.clone(),
        warrant,
    };
    let claimed = service.store.claim(claimant, door::wall()).await;
    let key = proved.fingerprint;
    match claimed.map_err(|it| failed(&service, &it))? {
        Ok(state) => {
            let by_merge = warrant == Warrant::Merged;
            tracing::info!(
                host,
                key,
                state = state.word(),
                by_merge,
                "a key claimed a host's name"
            );
            let heard = Heard { host: host.clone(), seq: 0, outcome: None };
            service.bell.ring_seldom(Again::Claim, heard);
            let status = match state {
                KeyState::Pending => StatusCode::ACCEPTED,
                _ => StatusCode::OK,
            };
            Ok(json(status, &Answer { host, key, state }))
        }
        Err(denied) => {
            tracing::warn!(host, key, ?denied, "an enrolment was denied");
            let why = if has_token || denied != Denied::Token { why(denied) } else { NOT_MERGED };
            Err(Refusal::new(StatusCode::FORBIDDEN, "not enrolled", why))
        }
    }
}

/// What a key without a token is told.
const NOT_MERGED: &str = "it brings no token, and its fingerprint stands in no merged Host of that name: merge one \
                          where [enrol] hosts is set, or make a token with `bowline-control token new --host NAME`";

/// Whether the key stands in the host's merged manifest.
async fn is_merged(service: &Service, host: Name, fingerprint: String) -> bool {
    let Some(folder) = service.hosts.clone() else {
        return false;
    };
    // A folder may lie on a disk that hangs.
    let look = move || merged::is_approved(&folder, &host, &fingerprint);
    spawn_blocking(look).await.unwrap_or(false)
}

fn why(denied: Denied) -> &'static str {
    match denied {
        Denied::Token => {
            "the token is unknown or was made for another host: make one with `bowline-control token \
             new --host NAME`"
        }
        Denied::Expired => {
            "the token's time is over: make another with `bowline-control token new --host NAME`"
        }
        Denied::Used => {
            "the token was used by another key: find out by whom, then make another with \
             `bowline-control token new --host NAME`"
        }
        Denied::Key(KeyState::Retired) => {
            "a person retired the host, or let another key take this one's place: make the host a new key"
        }
        Denied::Key(_) => "a person refused this key: make the host a new key, if it is the host's",
        Denied::Elsewhere => {
            "another host has this key: it was copied. Make this host a key of its own"
        }
    }
}
