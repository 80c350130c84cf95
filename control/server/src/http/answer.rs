//! What goes out: JSON, and problems.
//!
//! **Invariant:** what a failure says about the inside stays in the log; a client reads what to do.

use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use bowline_api::cause::chain;
use bowline_api::hint;
use bowline_api::intake::NotTaken;
use bowline_api::problem::{MEDIA_TYPE, Problem};
use serde::Serialize;

use super::Service;
use crate::store::StoreFailure;

/// A request that is not answered as it was asked.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    title: &'static str,
    detail: String,
    /// The word by which a program knows it, where there is one.
    code: Option<&'static str>,
    /// After how many seconds it makes sense to ask again, where that is known.
    again: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), code: None, again: None }
    }

    /// The same, with a word by which a program knows it, and what that asks for.
    pub(super) fn coded(self, code: Option<&'static str>) -> Self {
        let hint = code.and_then(hint::of).map(|it| format!("; {it}")).unwrap_or_default();
        Self { code, detail: self.detail + &hint, ..self }
    }

    /// Others have to be served first.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the service is busy", detail).again_in(1)
    }

    /// The same, with when to ask again.
    pub(super) fn again_in(self, seconds: u64) -> Self {
        Self { again: Some(seconds), ..self }
    }

    pub(super) fn bad(title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, title, detail)
    }

    pub(super) fn missing(title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, title, detail)
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// After how many seconds it makes sense to ask again.
    pub(super) fn again(&self) -> Option<HeaderValue> {
        // Whoever asked at the same moment comes again a little later.
        let usual = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
        self.again.or(usual).map(HeaderValue::from)
    }

    /// The error's body.
    pub(super) fn problem(self) -> Problem {
        Problem { title: self.title.to_owned(), status: self.status.as_u16(), detail: self.detail }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let (again, code) = (self.again(), self.code.map(str::to_owned));
        let mut response = match code {
            None => respond(status, MEDIA_TYPE, bytes_of(&self.problem())),
            Some(_) => problem(status, &NotTaken { problem: self.problem(), code }),
        };
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, how);
        }
        if let Some(seconds) = again {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// What the store could not do.
pub(super) fn failed(service: &Service, failure: &StoreFailure) -> Refusal {
    tracing::error!(failure = chain(failure), "the store failed");
    let (status, title) = match failure {
        StoreFailure::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "no room is left"),
        StoreFailure::Locked { .. } => (StatusCode::SERVICE_UNAVAILABLE, "the store is locked"),
        StoreFailure::Closed => (StatusCode::SERVICE_UNAVAILABLE, "the service is ending"),
        StoreFailure::SyncFailed => {
            service.fall(StoreFailure::SyncFailed);
            (StatusCode::SERVICE_UNAVAILABLE, "the disk failed")
        }
        // What is acknowledged into a damaged file may be lost; hosts keep theirs while the service is down.
        StoreFailure::Damaged { what } => {
            service.fall(StoreFailure::Damaged { what: what.clone() });
            (StatusCode::INTERNAL_SERVER_ERROR, "the store is damaged")
        }
        StoreFailure::NoSuchPlace { .. } => (StatusCode::BAD_REQUEST, "no such record"),
        StoreFailure::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too much is asked at once"),
        StoreFailure::Mixed { .. }
        | StoreFailure::Doubtful { .. }
        | StoreFailure::NoRoom { .. }
        | StoreFailure::Newer { .. }
        | StoreFailure::Older { .. }
        | StoreFailure::Absent { .. }
        | StoreFailure::NotOurs { .. }
        | StoreFailure::Open { .. }
        | StoreFailure::Other { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "the store failed"),
    };
    let hint = failure.hint();
    let todo =
        if hint.is_empty() { "send it again later; the service's log says why" } else { hint };
    Refusal::new(status, title, format!("nothing was kept; {todo}"))
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    respond(status, "application/json", bytes_of(value))
}

/// An error that says more than a problem does.
pub(super) fn problem(status: StatusCode, value: &impl Serialize) -> Response {
    respond(status, MEDIA_TYPE, bytes_of(value))
}

/// Everything that is sent here has a JSON form: its keys are text.
fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

pub(super) fn respond(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}
