//! Who may read, and how every request is counted.
//!
//! **Invariant:** tokens are compared by their digests: how long that takes tells nothing about a token.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::answer::Refusal;
use super::pages::{self, Form, login};
use super::{Service, sessions};

/// Lets readers in.
pub(super) async fn readers(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    match stopped(&service, request.headers()) {
        None => next.run(request).await,
        Some(refusal) => refusal.into_response(),
    }
}

/// Lets people in, and shows others where to become readers. Twins are for programs.
pub(super) async fn people(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let form = Form::of_path(request.uri().path());
    match stopped(&service, request.headers()) {
        None => next.run(request).await,
        Some(refusal) if form == Form::Page && refusal.is_unauthorized() => {
            login::ask(request.uri())
        }
        Some(refusal) => pages::refused(form, refusal),
    }
}

/// Why a request may not read; `None`: it may.
fn stopped(service: &Service, headers: &HeaderMap) -> Option<Refusal> {
    if service.readers.is_empty() {
        // A page of somebody else may make a browser ask here under that page's own name.
        let detail = "without [read] tokenSha256 only requests to localhost or a loopback address \
                      are answered: name a token in the service's settings to read under other names";
        let title = "asked under another name";
        let refusal = || Refusal::new(StatusCode::MISDIRECTED_REQUEST, title, detail);
        return (!sessions::is_local(headers)).then(refusal);
    }
    if is_reader(service, headers) || service.sessions.is_open(headers) {
        return None;
    }
    let detail = "send `Authorization: Bearer TOKEN` with a token whose SHA-256 stands in the \
                  service's settings under [read] tokenSha256";
    Some(Refusal::new(StatusCode::UNAUTHORIZED, "a token is needed", detail))
}

fn is_reader(service: &Service, headers: &HeaderMap) -> bool {
    let header = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let (scheme, token) = header.and_then(|it| it.split_at_checked(7)).unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"bearer ") && service.is_token(token)
}

/// Counts a request by its route and how it ended.
pub(super) async fn counted(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    // A route, never a path: what clients ask for is without number.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    service.meters.count_request(route, response.status().as_u16());
    response
}
