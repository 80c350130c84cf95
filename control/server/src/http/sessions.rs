//! People who showed a reader's token in their browser.
//!
//! **Invariant:** a session is kept by its digest, in memory only: a restart ends all of them.
//! **Invariant:** a cookie that a browser gets for a name beyond this machine is sent over TLS only.
//! **Invariant:** what a proxy makes of the name that was asked for decides nothing where `publicUrl` says it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{COOKIE, HOST, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Uri, Version};
use bowline_model::digest::{Sha256, hex};

use crate::door;
use crate::public_url::{PublicUrl, names_this_machine};

/// A shift: who begins another one shows the token again.
const LASTS: Duration = Duration::from_hours(12);

/// More than people who look at one board; the one that ends first makes room for the next.
const SESSIONS_MAX: usize = 1000;

/// Beyond this machine: the browser itself insists on TLS, this host and every path.
const GUARDED: &str = "__Host-bowline";

/// On this machine, where plain HTTP does not leave it: not every browser keeps a secure cookie then.
const LOCAL: &str = "bowline";

/// How requests come here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In the clear, from this machine or a proxy.
    #[default]
    Open,
    /// Over TLS that ends here.
    Sealed,
}

/// The open sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<BTreeMap<Sha256, Instant>>,
    public_url: Option<PublicUrl>,
    way: Way,
}

impl Sessions {
    /// None is open; browsers reach the service by this address, or by the one that they ask for.
    pub(super) fn new(public_url: Option<PublicUrl>, way: Way) -> Self {
        Self { open: Mutex::default(), public_url, way }
    }

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
        self.cookie(headers, &word, LASTS)
    }

    /// Whether a request belongs to an open one.
    pub(super) fn is_open(&self, headers: &HeaderMap) -> bool {
        let now = door::now();
        let until = self.named(headers).and_then(|it| self.lock().get(&it).copied());
        until.is_some_and(|until| until > now)
    }

    /// Ends the request's session; gives the cookie that takes its place.
    pub(super) fn close(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if let Some(named) = self.named(headers) {
            self.lock().remove(&named);
        }
        self.cookie(headers, "", Duration::ZERO)
    }

    /// What tells a request's session apart from others; `None` where none is named.
    pub(super) fn named(&self, headers: &HeaderMap) -> Option<Sha256> {
        self.word_of(headers).map(Sha256::of)
    }

    /// Whether a form was sent from a page of this service. Browsers say where a form comes from; a program
    /// that says nothing sends no cookie of somebody else either.
    pub(super) fn is_own_form(&self, headers: &HeaderMap) -> bool {
        let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
        let origin = text(headers, &HeaderName::from_static("origin"));
        let host = text(headers, &HOST).unwrap_or_default();
        // A page that came in the clear may be anybody's.
        let is_sent = |scheme: &str| self.way == Way::Open || scheme == "https";
        let is_asked = |it: &str| {
            it.split_once("://").is_some_and(|(scheme, from)| is_sent(scheme) && from == host)
        };
        let is_own = |it: &str| match &self.public_url {
            Some(url) => it == url.origin() || (is_local(headers) && is_asked(it)),
            None => is_asked(it),
        };
        site.is_none_or(|it| it == "same-origin" || it == "none") && origin.is_none_or(is_own)
    }

    /// Whether the cookie goes over TLS only.
    fn is_guarded(&self, headers: &HeaderMap) -> bool {
        let is_secure = self.public_url.as_ref().map(PublicUrl::is_secure);
        self.way == Way::Sealed || is_secure.unwrap_or_else(|| !is_local(headers))
    }

    fn cookie(&self, headers: &HeaderMap, word: &str, lasts: Duration) -> Option<HeaderValue> {
        let (name, secure) =
            if self.is_guarded(headers) { (GUARDED, "; Secure") } else { (LOCAL, "") };
        let age = lasts.as_secs();
        let text =
            format!("{name}={word}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
        text.parse().ok()
    }

    fn word_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let name = if self.is_guarded(headers) { GUARDED } else { LOCAL };
        let pairs =
            headers.get_all(COOKIE).iter().flat_map(|it| it.as_bytes().split(|it| *it == b';'));
        pairs
            .map(<[u8]>::trim_ascii)
            .find_map(|it| it.strip_prefix(name.as_bytes()).and_then(|it| it.strip_prefix(b"=")))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Sha256, Instant>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the request was made to a name or address of this machine itself.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let host = text(headers, &HOST).unwrap_or_default();
    let (name, port) = match host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some(bracketed) => bracketed,
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    names_this_machine(name) && port.bytes().all(|it| it.is_ascii_digit())
}

/// Whether a page of this machine asks, with nobody in between, as far as a request tells: proxies name who
/// asked them or themselves, or speak the older HTTP, and browsers say from which page they come.
pub(super) fn is_direct(version: Version, headers: &HeaderMap) -> bool {
    let is_passed_on = |name: &HeaderName| {
        let name = name.as_str();
        ["forwarded", "via", "x-real-ip"].contains(&name) || name.starts_with("x-forwarded-")
    };
    let is_foreign = |name: &'static str| {
        let from = text(headers, &HeaderName::from_static(name));
        let host = |it: &str| it.parse::<Uri>().ok()?.host().map(names_this_machine);
        from.is_some_and(|it| host(it) != Some(true))
    };
    version > Version::HTTP_10
        && !headers.keys().any(is_passed_on)
        && !["origin", "referer"].into_iter().any(is_foreign)
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
            assert_eq!(Sessions::default().is_own_form(&headers), expected, "{pairs:?}");
        }
    }

    #[test]
    fn behind_a_proxy_the_public_address_decides() {
        let sessions = Sessions::new(PublicUrl::parse("https://c.example").ok(), Way::Open);
        // What nginx makes of a request unless it is told otherwise.
        let host = ("host", "127.0.0.1:9480");
        let cookie = sessions.open(&headers(&[host])).unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        assert!(sessions.is_open(&headers(&[("host", "c.example"), ("cookie", pair)])));
        for (origin, expected) in [
            ("https://c.example", true),
            ("http://127.0.0.1:9480", true),
            ("http://c.example", false),
            ("https://evil.example", false),
        ] {
            assert_eq!(sessions.is_own_form(&headers(&[host, ("origin", origin)])), expected);
        }
        let evil = headers(&[("host", "evil.example"), ("origin", "https://evil.example")]);
        assert!(!sessions.is_own_form(&evil));
    }

    #[test]
    fn over_tls_every_cookie_is_guarded_and_no_page_in_the_clear_sends_forms() {
        let sessions = Sessions::new(None, Way::Sealed);
        for host in ["localhost:9480", "control.example"] {
            let cookie = sessions.open(&headers(&[("host", host)])).unwrap();
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
            for (scheme, expected) in [("https", true), ("http", false)] {
                let origin = format!("{scheme}://{host}");
                let sent = headers(&[("host", host), ("origin", &origin)]);
                assert_eq!(sessions.is_own_form(&sent), expected, "{origin}");
            }
        }
    }

    #[test]
    fn what_somebody_passed_on_is_told_apart() {
        let cases: [(&[(&'static str, &str)], bool); 8] = [
            (&[], true),
            (&[("referer", "http://localhost:9480/matrix")], true),
            (&[("origin", "http://[::1]:9480")], true),
            (&[("x-forwarded-for", "192.0.2.1")], false),
            (&[("forwarded", "for=192.0.2.1")], false),
            (&[("via", "1.1 proxy")], false),
            (&[("referer", "https://control.example/")], false),
            (&[("origin", "null")], false),
        ];
        for (pairs, expected) in cases {
            assert_eq!(is_direct(Version::HTTP_11, &headers(pairs)), expected, "{pairs:?}");
        }
        assert!(!is_direct(Version::HTTP_10, &HeaderMap::new()));
    }
}
