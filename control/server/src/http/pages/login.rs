//! `/login` and `/logout`: a person shows a reader's token once, and has a session then.
//!
//! **Invariant:** the token itself is never in a cookie, a path or a log.
//! **Invariant:** after the login a person comes to a page of this service, never elsewhere.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bowline_api::route;
use serde::Deserialize;

use super::{Form, assets, links, refused, show};
use crate::http::answer::Refusal;
use crate::http::asked::Question;
use crate::http::peers::Peer;
use crate::http::{Judged, Service, body, gate};

/// Longest place to go on to.
const NEXT_BYTES_MAX: usize = 1000;

/// A token, and a place to go on to, each of its characters escaped.
const FORM_BYTES_MAX: usize = 8 << 10;

/// Where to go on afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct Asked {
    next: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    token: String,
    next: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct Shown<'a> {
    next: &'a str,
    is_wrong: bool,
    style: &'static str,
}

/// Leads to the form, and from there back to what was asked for.
pub(in crate::http) fn ask(from: &Uri) -> Response {
    let next = from.path_and_query().map_or(route::BOARD, |it| it.as_str());
    to(&links::with(route::LOGIN, &[("next", own_place(next))]))
}

pub(in crate::http) async fn form(asked: Question<Asked>) -> Response {
    let next = asked.as_ref().map_or(route::BOARD, |it| own_place(&it.next));
    show(StatusCode::OK, &Shown { next, is_wrong: false, style: assets::style_tag() })
}

pub(in crate::http) async fn enter(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    sent: Body,
) -> Response {
    if !service.sessions.is_own_form(&headers) {
        return refused(Form::Page, elsewhere());
    }
    let sent = match body::read(&service, sent, FORM_BYTES_MAX).await {
        Ok(sent) => fields(&sent.bytes),
        Err(refusal) => return refused(Form::Page, refusal),
    };
    let Some(sent) = sent else {
        let detail = "its fields cannot be read: open /login, and send the form that stands there";
        return refused(Form::Page, Refusal::bad("not the form of the login", detail));
    };
    let next = own_place(&sent.next);
    let caller = service.caller(peer, &headers);
    match service.judge(sent.token.trim().as_bytes(), caller) {
        Judged::Right => {
            tracing::info!(peer = %caller, result = "let in", "a login");
            with_cookie(to(next), service.sessions.open(&headers))
        }
        Judged::Wrong => {
            tracing::warn!(peer = %caller, result = "refused", "a login");
            let page = Shown { next, is_wrong: true, style: assets::style_tag() };
            show(StatusCode::FORBIDDEN, &page)
        }
        Judged::Barred(seconds) => refused(Form::Page, gate::barred(seconds)),
    }
}

pub(in crate::http) async fn leave(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
) -> Response {
    if !service.sessions.is_own_form(&headers) {
        return refused(Form::Page, elsewhere());
    }
    with_cookie(to(route::LOGIN), service.sessions.close(&headers))
}

fn elsewhere() -> Refusal {
    let detail = "the form came from a page that is not this service's: open the page here";
    Refusal::new(StatusCode::FORBIDDEN, "a form of another site", detail)
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn to(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static(route::BOARD));
    (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response()
}

/// A place of this service; the board for anything else.
fn own_place(next: &str) -> &str {
    // Browsers read a backslash as a slash, and two slashes as another host.
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|it| it.is_ascii_graphic() && it != b'\\')
        && next.len() <= NEXT_BYTES_MAX;
    if is_own { next } else { route::BOARD }
}

/// The fields of a form; `None` when they cannot be read.
fn fields(bytes: &[u8]) -> Option<Sent> {
    let text = str::from_utf8(bytes).ok()?;
    let uri = Uri::builder().path_and_query(format!("/?{}", text.trim())).build().ok()?;
    Query::<Sent>::try_from_uri(&uri).ok().map(|Query(it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for own in ["/", "/matrix?before=7", "/hosts/web-1"] {
            assert_eq!(own_place(own), own);
        }
        for other in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\n", "x"]
        {
            assert_eq!(own_place(other), "/", "{other:?}");
        }
    }

    #[test]
    fn a_forms_fields_are_read() {
        let sent = fields(b"token=a%2Bb+c&next=%2Fmatrix&more=1").unwrap();
        assert_eq!((sent.token.as_str(), sent.next.as_str()), ("a+b c", "/matrix"));
        for empty in [b"".as_slice(), b"token", b"token="] {
            assert_eq!(fields(empty).unwrap().token, "");
        }
        let long = "x".repeat(200_000);
        for bad in [b"\xff=1".as_slice(), b"token=a b", b"{\"token\": 1}", long.as_bytes()] {
            assert!(fields(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
