//! Pages for people: rendered here, readable without a script, each with a JSON twin.
//!
//! **Invariant:** whatever a host or a commit says is text in a page, never a part of it: templates
//! escape it, and the policy sent with every page runs no script but the service's own file.
//! **Invariant:** a page and its twin are made from the same value.

pub(super) mod assets;
pub(super) mod board;
pub(super) mod deployment;
pub(super) mod host;
mod links;
pub(super) mod login;
pub(super) mod matrix;
mod words;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, RETRY_AFTER,
};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::Service;
use super::answer::{Refusal, json, respond};
use crate::door;
use crate::store::{Named, Newest};

/// The media type of a page.
pub(super) const MEDIA_TYPE: &str = "text/html; charset=utf-8";

/// Nothing but the service's own style, script, icon and answers; no frame, no form to elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Rows of a page when nobody says how many: some screens, rendered in a few milliseconds.
const ROWS_DEFAULT: u32 = 100;

/// Rows of a page at most.
const ROWS_MAX: u32 = 500;

/// In which form something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Page,
    /// For programs.
    Twin,
}

impl Form {
    /// What a path asks for.
    pub(super) fn of_path(path: &str) -> Self {
        Self::of_name(path).0
    }

    /// What the last part of a path asks for, and of what. `.html` is for a thing whose own name ends as
    /// a twin does.
    fn of_name(part: &str) -> (Self, &str) {
        match (part.strip_suffix(".json"), part.strip_suffix(".html")) {
            (Some(name), _) => (Self::Twin, name),
            (_, Some(name)) => (Self::Page, name),
            _ => (Self::Page, part),
        }
    }
}

/// What stands around every page.
struct Frame {
    title: String,
    /// Which page of the list of pages this is; empty for none.
    here: &'static str,
    /// The page's twin; empty for none.
    twin: String,
    /// Whether there is a session to end.
    guarded: bool,
    style: &'static str,
    script: &'static str,
    version: &'static str,
    now: words::Moment,
}

impl Frame {
    fn new(service: &Service, title: impl Into<String>, here: &'static str, twin: String) -> Self {
        let now = door::wall();
        Self {
            title: title.into(),
            here,
            twin,
            guarded: !service.readers.is_empty(),
            style: assets::style_tag(),
            script: assets::script_tag(),
            version: env!("CARGO_PKG_VERSION"),
            now: words::Moment::new(&words::rfc3339(now), now),
        }
    }
}

/// A page, or what is shown in its place.
fn show(status: StatusCode, page: &impl Template) -> Response {
    let body = page.render().unwrap_or_else(|failure| {
        // A template fails only with its writer, and that is a text in memory.
        tracing::error!(%failure, "a page cannot be rendered");
        String::new()
    });
    let mut response = respond(status, MEDIA_TYPE, body.into_bytes());
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What was read for whoever asked so, or why it was not, in the form that is asked for.
async fn answered<A, T: Serialize>(
    form: Form,
    read: impl Future<Output = Result<(A, T), Refusal>>,
    page: impl FnOnce(&T, &A) -> Response,
) -> Response {
    match read.await {
        Ok((asked, value)) => answer(form, &value, |it| page(it, &asked)),
        Err(refusal) => refused(form, refusal),
    }
}

/// A value in the form that is asked for.
fn answer<T: Serialize>(form: Form, value: &T, page: impl FnOnce(&T) -> Response) -> Response {
    match form {
        Form::Page => page(value),
        Form::Twin => json(StatusCode::OK, value),
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    status: u16,
    title: String,
    detail: String,
    style: &'static str,
}

/// A refusal in the form that was asked for.
pub(super) fn refused(form: Form, refusal: Refusal) -> Response {
    if form == Form::Twin {
        return refusal.into_response();
    }
    let (status, again) = (refusal.status(), refusal.again());
    let problem = refusal.problem();
    let (title, detail) = (problem.title, problem.detail);
    let page = Refused { status: status.as_u16(), title, detail, style: assets::style_tag() };
    let mut response = show(status, &page);
    if let Some(seconds) = again {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// A part of a list by name. A form sends what was left empty as well.
fn named(after: &str, limit: &str) -> Result<Named, Refusal> {
    Ok(Named { limit: rows(limit)?, after: given(after) })
}

/// A part of a list of numbered things.
fn newest(after: &str, limit: &str) -> Result<Newest, Refusal> {
    Ok(Newest { limit: rows(limit)?, after: number(after, "after")? })
}

/// What is given; `None` for what was left empty.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// How many rows are asked for.
fn rows(asked: &str) -> Result<u32, Refusal> {
    if asked.is_empty() {
        return Ok(ROWS_DEFAULT);
    }
    let number = asked.parse().ok().filter(|it| (1..=ROWS_MAX).contains(it));
    let detail = || format!("limit lies between 1 and {ROWS_MAX}");
    number.ok_or_else(|| Refusal::bad("a bad limit", detail()))
}

/// A number by which a list goes on.
fn number(asked: &str, key: &str) -> Result<Option<u64>, Refusal> {
    if asked.is_empty() {
        return Ok(None);
    }
    let number = asked.parse().ok().filter(|it| i64::try_from(*it).is_ok());
    let bad = || Refusal::bad("a bad number", format!("{key} is a number that a list gave"));
    number.map(Some).ok_or_else(bad)
}
