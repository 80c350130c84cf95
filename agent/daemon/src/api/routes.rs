//! What each path of the local API answers.
//!
//! **Invariant:** a path is known here or answered 404; a known one with another method 405.

use bowline_api::route;
use bowline_host::record;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::Served;
use super::answer::{Answer, events, json, problem, text};
use super::caller::Caller;
use super::stream::Stream;
use super::{change, metrics};
use crate::errand::Want;

/// Records given at once.
const HISTORY_MAX: usize = 1000;

/// Records given when nobody says how many.
const HISTORY_DEFAULT: usize = 50;

/// Plain words.
const PLAIN: &str = "text/plain; charset=utf-8";

/// Paths that are read.
const READ: [&str; 8] = [
    route::HEALTHZ,
    route::READYZ,
    route::METRICS,
    route::STATUS,
    route::PLAN,
    route::HISTORY,
    route::DEPLOYMENTS,
    route::EVENTS,
];

/// Paths that change something.
const CHANGE: [&str; 5] = [route::SYNC, route::PAUSE, route::RESUME, route::REVERT, route::RETRY];

/// Answers a request.
pub(super) async fn answer(request: Request<Incoming>, served: Served, caller: Caller) -> Answer {
    if let Err(turned) = served.rules.meant_for_us(caller, request.headers()) {
        return problem(turned.status, "not for this agent", &turned.detail);
    }
    let path = request.uri().path();
    let id =
        path.strip_prefix(route::DEPLOYMENTS).filter(|it| it.is_empty() || it.starts_with('/'));
    let reads = READ.contains(&path) || id.is_some();
    match (request.method(), CHANGE.contains(&path)) {
        (&Method::POST, true) => change::answer(request, served, caller).await,
        (_, true) => wrong_method("POST asks for it"),
        (&Method::GET | &Method::HEAD, false) if reads => read(&request, served).await,
        (_, false) if reads => wrong_method("GET reads it"),
        _ => {
            let known = [READ.as_slice(), CHANGE.as_slice()].concat().join(", ");
            problem(StatusCode::NOT_FOUND, "no such path", &format!("there are {known}"))
        }
    }
}

fn wrong_method(detail: &str) -> Answer {
    problem(StatusCode::METHOD_NOT_ALLOWED, "wrong method", detail)
}

async fn read(request: &Request<Incoming>, served: Served) -> Answer {
    match request.uri().path() {
        route::HEALTHZ => text(StatusCode::OK, PLAIN, "ok\n"),
        route::READYZ => ready(&served),
        route::METRICS => metrics::answer(&served.board),
        route::STATUS => json(StatusCode::OK, &served.board.status()),
        route::PLAN => plan(&served).await,
        route::EVENTS => listen(&served),
        path => {
            from_records(path.to_owned(), request.uri().query().map(str::to_owned), served).await
        }
    }
}

/// Ready is an agent that ended what an earlier process left and needs no person.
fn ready(served: &Served) -> Answer {
    let status = served.board.status();
    let is_stranded = status.waiting_for.as_ref().is_some_and(|it| it.kind == "person");
    match (served.board.is_ready(), is_stranded) {
        (true, false) => text(StatusCode::OK, PLAIN, "ready\n"),
        (_, true) => text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "stranded: a person is needed\n"),
        (false, _) => {
            text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "an earlier change is still being ended\n")
        }
    }
}

async fn plan(served: &Served) -> Answer {
    let rehearsal = match change::rehearse(served, Want::Sync).await {
        Ok(rehearsal) => rehearsal,
        Err(answer) => return *answer,
    };
    if let Some(plan) = rehearsal.plan {
        return json(StatusCode::OK, &plan);
    }
    let detail = format!("{}: {}", rehearsal.code, rehearsal.detail);
    let title = format!("no plan: the cycle would be {}", rehearsal.would);
    problem(StatusCode::CONFLICT, &title, &detail)
}

fn listen(served: &Served) -> Answer {
    if let Some(ear) = served.board.events().listen() {
        return events(Stream::new(ear, &served.board.status().phase));
    }
    let detail = "too many listen already: ask again when one of them has gone";
    problem(StatusCode::SERVICE_UNAVAILABLE, "no place", detail)
}

/// The record log is read on a thread of its own, by one request at a time: it may be large, and whoever
/// asks for health or status does not wait for it.
async fn from_records(path: String, query: Option<String>, served: Served) -> Answer {
    let Ok(_place) = served.readers.clone().acquire_owned().await else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "not answered", "the agent ends");
    };
    let reading = tokio::task::spawn_blocking(move || match path.as_str() {
        route::HISTORY => history(query.as_deref(), &served),
        path => {
            let id = path.trim_start_matches(route::DEPLOYMENTS).trim_start_matches('/');
            deployment(id, &served)
        }
    });
    reading.await.unwrap_or_else(|error| {
        problem(StatusCode::INTERNAL_SERVER_ERROR, "not answered", &error.to_string())
    })
}

fn history(query: Option<&str>, served: &Served) -> Answer {
    let asked = query.and_then(|it| it.strip_prefix("limit="));
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

fn deployment(id: &str, served: &Served) -> Answer {
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

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Answer {
    let detail = bowline_host::failure::chain(error);
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the records cannot be read", &detail)
}
