//! People who showed a reader's token in their browser.
//!
//! **Invariant:** a session is kept by its digest, in memory only: a restart ends all of them.
//! **Invariant:** a cookie that a browser gets for a name beyond this machine is sent over TLS only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HOST, HeaderName, HeaderValue};
use bowline_model::digest::{Sha256, hex};

use crate::door;

/// A shift: who begins another one shows the token again.
const LASTS: Duration = Duration::from_hours(12);

/// More than people who look at one board; the one that ends first makes room for the next.
const SESSIONS_MAX: usize = 1000;

/// Beyond this machine: the browser itself insists on TLS, this host and every path.
const GUARDED: &str = "__Host-bowline";

/// On this machine, where plain HTTP does not leave it: not every browser keeps a secure cookie then.
const LOCAL: &str = "bowline";

/// The open sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<BTreeMap<Sha256, Instant>>,
}

impl Sessions {
    /// Opens one, and gives its cookie; `None` when the system gives no random numbers.
    pub(super) fn open(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let word = hex(&door::random::<32>()?);
        let now = door::now();
        let mut open = self.lock();
        open.retain(|_, until| *until > now);
        if open.len() >= SESSIONS_MAX
            && let Some(first) = open.iter().min_by_key(|(_, until)| **until).map(|(it, _)| *it)
        {
            open.remove(&first);
        }
        open.insert(Sha256::of(word.as_bytes()), now + LASTS);
        drop(open);
        cookie(headers, &word, LASTS)
    }

    /// Whether a request belongs to an open one.
    pub(super) fn is_open(&self, headers: &HeaderMap) -> bool {
        let now = door::now();
        let until = word_of(headers).and_then(|it| self.lock().get(&Sha256::of(it)).copied());
        until.is_some_and(|until| until > now)
    }

    /// Ends the request's session; gives the cookie that takes its place.
    pub(super) fn close(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if let Some(word) = word_of(headers) {
            self.lock().remove(&Sha256::of(word));
        }
        cookie(headers, "", Duration::ZERO)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Sha256, Instant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cookie(headers: &HeaderMap, word: &str, lasts: Duration) -> Option<HeaderValue> {
    let (name, secure) = if is_local(headers) { (LOCAL, "") } else { (GUARDED, "; Secure") };
    let age = lasts.as_secs();
    let text = format!("{name}={word}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    text.parse().ok()
}

fn word_of(headers: &HeaderMap) -> Option<&[u8]> {
    let name = if is_local(headers) { LOCAL } else { GUARDED };
    let pairs = headers.get_all(COOKIE).iter().flat_map(|it| it.as_bytes().split(|it| *it == b';'));
    pairs
        .map(<[u8]>::trim_ascii)
        .find_map(|it| it.strip_prefix(name.as_bytes()).and_then(|it| it.strip_prefix(b"=")))
}

/// Whether the request was made to a name or address of this machine itself.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let host = text(headers, &HOST).unwrap_or_default();
    let (name, port) = match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some(bracketed) => bracketed,
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let is_name = name.eq_ignore_ascii_case("localhost");
    let is_address = name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    (is_name || is_address) && port.bytes().all(|it| it.is_ascii_digit())
}

/// Whether a form was sent from a page of this service. Browsers say where a form comes from; a program
/// that says nothing sends no cookie of somebody else either.
pub(super) fn is_own_form(headers: &HeaderMap) -> bool {
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    let origin = text(headers, &HeaderName::from_static("origin"));
    let host = text(headers, &HOST).unwrap_or_default();
    let is_own = |it: &str| it.split_once("://").is_some_and(|(_, from)| from == host);
    site.is_none_or(|it| it == "same-origin" || it == "none") && origin.is_none_or(is_own)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|it| it.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(key, it)| (HeaderName::from_static(key), it.parse().unwrap())).collect()
    }

    #[test]
    fn only_names_of_this_machine_are_local() {
        let cases = [
            ("localhost", true),
            ("localhost:9480", true),
            ("127.0.0.1:9480", true),
            ("127.9.9.9", true),
            ("[::1]:9480", true),
            ("control.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:9480", false),
            ("127.0.0.1:9480@evil.example", false),
            ("10.0.0.1", false),
            ("", false),
        ];
        for (host, expected) in cases {
            assert_eq!(is_local(&headers(&[("host", host)])), expected, "{host}");
        }
    }

    #[test]
    fn a_session_is_known_by_its_own_cookie_only_and_until_its_end() {
        let sessions = Sessions::default();
        for (host, name, is_secure) in
            [("127.0.0.1:1", "bowline=", false), ("control.example", "__Host-bowline=", true)]
        {
            let cookie = sessions.open(&headers(&[("host", host)])).unwrap();
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with(name) && cookie.contains("HttpOnly; SameSite=Strict"));
            assert_eq!(cookie.ends_with("; Secure"), is_secure, "{cookie}");
            let pair = cookie.split(';').next().unwrap();
            let several = format!("other=1; {pair}");
            let own = headers(&[("host", host), ("cookie", &several)]);
            assert!(sessions.is_open(&own));
            assert!(!sessions.is_open(&headers(&[("host", "elsewhere"), ("cookie", "bowline=")])));
            sessions.close(&own);
            assert!(!sessions.is_open(&own));
        }
        let cookie = sessions.open(&headers(&[("host", "localhost")])).unwrap();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        // What a neighbour of a guarded name could plant there does not count.
        assert!(!sessions.is_open(&headers(&[("host", "control.example"), ("cookie", &pair)])));
    }

    #[test]
    fn sessions_are_limited_and_the_oldest_goes_first() {
        let sessions = Sessions::default();
        let host = headers(&[("host", "localhost")]);
        let first = sessions.open(&host).unwrap();
        for _ in 0..SESSIONS_MAX {
            sessions.open(&host).unwrap();
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        let pair = first.to_str().unwrap().split(';').next().unwrap();
        assert!(!sessions.is_open(&headers(&[("host", "localhost"), ("cookie", pair)])));
    }

    #[test]
    fn a_form_of_another_site_is_told_apart() {
        let cases: [(&[(&'static str, &str)], bool); 6] = [
            (&[], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://c.example")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://evil.c.example")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
        ];
        for (pairs, expected) in cases {
            let mut headers = headers(pairs);
            headers.insert(HOST, HeaderValue::from_static("c.example"));
            assert_eq!(is_own_form(&headers), expected, "{pairs:?}");
        }
    }
}
