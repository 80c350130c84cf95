//! `POST /agent/v1/enrol`: a host's key becomes known, or waits for a person.
//!
//! **Invariant:** only who holds the key and a fresh token for this host gets a key in.

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

use super::Service;
use super::answer::{Refusal, failed, json};
use super::body;
use super::meters::Meters;
use crate::door;
use crate::envelope;
use crate::store::Claimant;

pub(super) async fn enrol(
    State(service): State<Arc<Service>>,
    body: Body,
) -> Result<Response, Refusal> {
    let body = body::read(&service, body).await?;
    let proved = envelope::enrolment(&body).map_err(|bad| {
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
    if let Err(bad) = host.parse::<Name>() {
        return Err(Refusal::bad("no name of a host", bad.to_string()));
    }
    let claimant = Claimant {
        host: host.clone(),
        public: proved.public,
        fingerprint: proved.fingerprint.clone(),
        token: Sha256::of(proved.request.token.as_bytes()),
    };
    let claimed = service.store.claim(claimant, door::wall()).await;
    let key = proved.fingerprint;
    match claimed.map_err(|it| failed(&service, &it))? {
        Ok(state) => {
            tracing::info!(host, key, state = state.word(), "a key claimed a host's name");
            service.bell.ring(Heard { host: host.clone(), seq: 0, outcome: None });
            let status = match state {
                KeyState::Pending => StatusCode::ACCEPTED,
                _ => StatusCode::OK,
            };
            Ok(json(status, &Answer { host, key, state }))
        }
        Err(denied) => {
            tracing::warn!(host, key, ?denied, "an enrolment was denied");
            Err(Refusal::new(StatusCode::FORBIDDEN, "not enrolled", why(denied)))
        }
    }
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
            "a person let another key take this one's place: make the host a new key"
        }
        Denied::Key(_) => "a person refused this key: make the host a new key, if it is the host's",
        Denied::Elsewhere => {
            "another host has this key: it was copied. Make this host a key of its own"
        }
    }
}
