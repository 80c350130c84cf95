//! Tokens that were shown: who showed a wrong one, and who uses a right one.
//!
//! **Invariant:** a right token counts from anywhere; who goes on showing wrong ones is told to stop, and leaves
//! no more traces. Nobody else can be shut out in somebody's name.
//! **Invariant:** a log names a token by the beginning of its digest, never by itself.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use bowline_model::digest::Sha256;

use super::peers::Peer;
use crate::door;

/// Wrong tokens of one address within the time: slips of people, and programs whose token was replaced, behind one
/// address.
const WRONG_MAX: u32 = 60;

/// How long they are counted, and no more of that address logged then.
const WRONG_TIME: Duration = Duration::from_mins(1);

/// Addresses that are remembered; with more, all begin anew.
const ADDRESSES_MAX: usize = 4096;

/// Digits of a token's digest that tell it apart from the others in the settings.
const DIGITS: usize = 8;

/// What is known of who shows tokens.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    wrong: Mutex<HashMap<IpAddr, Wrong>>,
    users: Mutex<HashSet<(Sha256, IpAddr)>>,
}

#[derive(Debug)]
struct Wrong {
    number: u32,
    since: Instant,
}

impl Guesses {
    /// How long wrong tokens of an address are turned away unlogged; `None`: they are not.
    pub(super) fn bars(&self, from: IpAddr) -> Option<Duration> {
        let wrong = lock(&self.wrong);
        let found = wrong.get(&from).filter(|it| it.number >= WRONG_MAX)?;
        let over = found.since + WRONG_TIME;
        Some(over.saturating_duration_since(door::now())).filter(|it| !it.is_zero())
    }

    /// Counts a wrong token.
    pub(super) fn count_wrong(&self, from: IpAddr) {
        let now = door::now();
        let mut wrong = lock(&self.wrong);
        wrong.retain(|_, it| now.saturating_duration_since(it.since) < WRONG_TIME);
        if wrong.len() >= ADDRESSES_MAX {
            wrong.clear();
        }
        wrong.entry(from).or_insert(Wrong { number: 0, since: now }).number += 1;
    }

    /// Whether a token's use from an address is news.
    pub(super) fn is_news(&self, token: Sha256, from: IpAddr) -> bool {
        let mut users = lock(&self.users);
        if users.len() >= ADDRESSES_MAX {
            users.clear();
        }
        users.insert((token, from))
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beginning of a token's digest.
pub(super) fn digits(token: Sha256) -> String {
    token.to_string().chars().take(DIGITS).collect()
}

/// Who asks. A proxy that the settings name says for whom; only its own word, the last one, is believed.
pub(super) fn caller(peer: Peer, proxies: &[IpAddr], headers: &HeaderMap) -> IpAddr {
    let forwarded = headers.get_all(HeaderName::from_static("x-forwarded-for")).iter().next_back();
    let last = forwarded.and_then(|it| it.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    match last {
        Some(address) if proxies.iter().any(|it| Peer::of(*it) == peer) => Peer::of(address).0,
        _ => peer.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_guesses_is_barred() {
        let guesses = Guesses::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().unwrap());
        for _ in 1..WRONG_MAX {
            guesses.count_wrong(one);
        }
        assert_eq!(guesses.bars(one), None);
        guesses.count_wrong(one);
        assert!(guesses.bars(one).is_some_and(|it| it <= WRONG_TIME));
        assert_eq!(guesses.bars(other), None);
    }

    #[test]
    fn a_proxy_that_the_settings_name_says_who_asks() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "10.0.0.1, 192.0.2.9".parse().unwrap());
        let peer = |it: &str| Peer::of(it.parse().unwrap());
        let proxies = ["127.0.0.1".parse().unwrap()];
        let of = |it, headers: &HeaderMap| caller(peer(it), &proxies, headers);
        assert_eq!(of("127.0.0.1", &headers), peer("192.0.2.9").0);
        assert_eq!(of("192.0.2.1", &headers), peer("192.0.2.1").0);
        assert_eq!(of("127.0.0.1", &HeaderMap::new()), peer("127.0.0.1").0);
        assert_eq!(caller(peer("127.0.0.1"), &[], &headers), peer("127.0.0.1").0);
    }
}
