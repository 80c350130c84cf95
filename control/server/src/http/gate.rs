//! Who may read, and how every request is counted.
//!
//! **Invariant:** tokens are compared by their digests: how long that takes tells nothing about a token.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bowline_model::digest::Sha256;

use super::Service;
use super::answer::Refusal;

/// Lets readers in.
pub(super) async fn readers(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    if service.readers.is_empty() || is_reader(&service, &request) {
        return next.run(request).await;
    }
    let detail = "send `Authorization: Bearer TOKEN` with a token whose SHA-256 stands in the \
                  service's settings under [read] tokenSha256";
    Refusal::new(StatusCode::UNAUTHORIZED, "a token is needed", detail).into_response()
}

fn is_reader(service: &Service, request: &Request) -> bool {
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let (scheme, token) = header.and_then(|it| it.split_at_checked(7)).unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"bearer ") && service.readers.contains(&Sha256::of(token))
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
