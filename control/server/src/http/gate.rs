//! Who may read, and how every request is counted.
//!
//! **Invariant:** tokens are compared by their digests: how long that takes tells nothing about a token.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bowline_api::intake::NO_CERTIFICATE;
use bowline_model::digest::Sha256;

use super::answer::Refusal;
use super::body::Reading;
use super::handshake::Certified;
use super::pages::{self, Form, login};
use super::peers::Peer;
use super::{Judged, Service, sessions};

/// Lets hosts in. Who is turned away is heard out, so that it hears why.
pub(super) async fn hosts(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let is_wanted = service.certificates.as_ref().is_some_and(|it| it.asks_hosts());
    if !is_wanted || request.extensions().get::<Certified>().is_some() {
        return next.run(request).await;
    }
    Reading::new(&service, request.into_body(), 0, None).drain().await;
    let detail =
        "a host needs a certificate here that [tls] clientCaFile of the service vouches for";
    Refusal::new(StatusCode::FORBIDDEN, "a certificate is needed", detail)
        .coded(Some(NO_CERTIFICATE))
        .into_response()
}

/// Lets readers in.
pub(super) async fn readers(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    match stopped(&service, &request) {
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
    match stopped(&service, &request) {
        None => next.run(request).await,
        Some(refusal) if form == Form::Page && refusal.is_unauthorized() => {
            login::ask(request.uri())
        }
        Some(refusal) => pages::refused(form, refusal),
    }
}

/// Why a request may not read; `None`: it may.
fn stopped(service: &Service, request: &Request) -> Option<Refusal> {
    let headers = request.headers();
    if service.readers.is_empty() {
        return stopped_without_tokens(request);
    }
    if service.sessions.is_open(headers) {
        return None;
    }
    if let Some(token) = shown(headers) {
        let caller = request.extensions().get().map(|it: &Peer| service.caller(*it, headers));
        match service.judge(token, caller?) {
            Judged::Right => return None,
            Judged::Wrong => {}
            Judged::Barred(seconds) => return Some(barred(seconds)),
        }
    }
    let detail = "send `Authorization: Bearer TOKEN` with a token whose SHA-256 stands in the \
                  service's settings under [read] tokenSha256";
    Some(Refusal::new(StatusCode::UNAUTHORIZED, "a token is needed", detail))
}

/// A page of somebody else may make a browser ask here under that page's own name, and a proxy asks under
/// this machine's for everybody.
fn stopped_without_tokens(request: &Request) -> Option<Refusal> {
    let headers = request.headers();
    let refuse = |title, detail| Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, title, detail));
    if !sessions::is_local(headers) {
        let detail = "without [read] tokenSha256 only requests to localhost or a loopback address \
                      are answered: name a token in the service's settings to read under other names";
        return refuse("asked under another name", detail);
    }
    if !sessions::is_direct(request.version(), headers) {
        let detail = "without [read] tokenSha256 only programs and pages of this machine are answered, \
                      no proxy: name a token in the service's settings to read through one";
        return refuse("asked through somebody else", detail);
    }
    None
}

/// Who showed too many wrong tokens.
pub(super) fn barred(seconds: u64) -> Refusal {
    let detail = format!(
        "too many wrong tokens came from your address, and this is one more: show the right one, or wait \
         for {seconds} s. The service's log says from where they came"
    );
    let status = StatusCode::TOO_MANY_REQUESTS;
    Refusal::new(status, "too many wrong tokens", detail).again_in(seconds)
}

/// The token that a program shows.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let header = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes)?;
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// What tells a request's reader apart from others; `None` where everybody may read.
pub(super) fn reader(service: &Service, headers: &HeaderMap) -> Option<Sha256> {
    if service.readers.is_empty() {
        return None;
    }
    // A cookie that is no session's tells nobody apart: anybody may invent some.
    let session = service.sessions.named(headers).filter(|_| service.sessions.is_open(headers));
    session.or_else(|| shown(headers).map(Sha256::of))
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
