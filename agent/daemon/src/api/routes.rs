//! What each path of the local API answers.
//!
//! **Invariant:** a changing call needs the socket: whoever may open it may ask.

use bowline_api::problem::{MEDIA_TYPE, Problem};
use bowline_api::route;
use bowline_host::record;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use super::Served;

/// Records given at once.
const HISTORY_MAX: usize = 1000;

/// Records given when nobody says how many.
const HISTORY_DEFAULT: usize = 50;

/// Answers a request.
pub(super) fn answer(
    request: &Request<Incoming>,
    served: &Served,
    may_change: bool,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, route::HEALTHZ) => text(StatusCode::OK, "ok\n"),
        (&Method::GET, route::STATUS) => json(StatusCode::OK, &served.board.status()),
        (&Method::GET, route::HISTORY) => history(request, served),
        (&Method::GET, path) if path.starts_with(route::DEPLOYMENTS) => {
            deployment(path.trim_start_matches(route::DEPLOYMENTS).trim_start_matches('/'), served)
        }
        (&Method::POST, route::SYNC) if may_change => {
            served.board.ask_sync();
            json(StatusCode::ACCEPTED, &serde_json::json!({"asked": true}))
        }
        (&Method::POST, route::SYNC) => problem(
            StatusCode::FORBIDDEN,
            "not by this address",
            "changing calls are taken at the socket only: whoever may open it may ask",
        ),
        (_, route::HEALTHZ | route::STATUS | route::HISTORY | route::SYNC) => {
            problem(StatusCode::METHOD_NOT_ALLOWED, "wrong method", "GET reads, POST /v1/sync asks")
        }
        _ => problem(
            StatusCode::NOT_FOUND,
            "no such path",
            "there are /healthz, /v1/status, /v1/history, /v1/deployments/ID and /v1/sync",
        ),
    }
}

fn history(request: &Request<Incoming>, served: &Served) -> Response<Full<Bytes>> {
    let asked = request.uri().query().and_then(|it| it.strip_prefix("limit="));
    let limit = match asked.map(str::parse::<usize>) {
        None => HISTORY_DEFAULT,
        Some(Ok(limit)) => limit.min(HISTORY_MAX),
        Some(Err(_)) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "bad limit",
                "limit is a number, such as limit=50",
            );
        }
    };
    match record::newest(&served.records, limit) {
        Ok(records) => json(StatusCode::OK, &records),
        Err(error) => unreadable(&error),
    }
}

fn deployment(id: &str, served: &Served) -> Response<Full<Bytes>> {
    match record::find(&served.records, id) {
        Ok(records) if !records.is_empty() => json(StatusCode::OK, &records.first()),
        Ok(_) => {
            problem(StatusCode::NOT_FOUND, "no such deployment", "this host has no record of it")
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Response<Full<Bytes>> {
    let detail = bowline_host::failure::chain(error);
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the records cannot be read", &detail)
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec(value) {
        Ok(body) => respond(status, "application/json", body.into()),
        Err(error) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "no JSON form", &error.to_string())
        }
    }
}

fn problem(status: StatusCode, title: &str, detail: &str) -> Response<Full<Bytes>> {
    let problem =
        Problem { title: title.to_owned(), status: status.as_u16(), detail: detail.to_owned() };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    respond(status, MEDIA_TYPE, body.into())
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
