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

/// Answers a request. The record log is read on a thread of its own, by one request at a time: it may
/// be large, and whoever asks for health or status does not wait for it.
pub(super) async fn answer(
    request: Request<Incoming>,
    served: Served,
    may_change: bool,
) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !path.starts_with(route::HISTORY) && !path.starts_with(route::DEPLOYMENTS) {
        return at_once(&request, &served, may_change);
    }
    let Ok(_place) = served.readers.clone().acquire_owned().await else {
        return at_once(&request, &served, may_change);
    };
    let read = tokio::task::spawn_blocking(move || at_once(&request, &served, may_change));
    read.await.unwrap_or_else(|error| {
        problem(StatusCode::INTERNAL_SERVER_ERROR, "not answered", &error.to_string())
    })
}

fn at_once(
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

/// Whether an id could be a deployment's: `d000042-0123456789ab`.
fn is_id(id: &str) -> bool {
    let parts = id.strip_prefix('d').and_then(|it| it.split_once('-'));
    parts.is_some_and(|(number, commit)| {
        let fits = |text: &str| (1..=20).contains(&text.len());
        let number_fits = number.bytes().all(|it| it.is_ascii_digit());
        fits(number)
            && number_fits
            && fits(commit)
            && commit.bytes().all(|it| it.is_ascii_hexdigit())
    })
}

fn deployment(id: &str, served: &Served) -> Response<Full<Bytes>> {
    if !is_id(id) {
        let like = "an id is like d000042-0123456789ab; /v1/history lists them";
        return problem(StatusCode::NOT_FOUND, "no such deployment", like);
    }
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
