//! Who may have a host's name: what becomes of a key that claims one.
//!
//! **Invariant:** a key never takes another's place by itself: a person says so, at the command line or by a
//! merge of the host's manifest.
//! **Invariant:** a host that a person retired comes back by a person at the command line only.
//! **Invariant:** a token counts once, for one host, until its end.

use bowline_api::enrolment::KeyState;

/// A token, as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The host it was made for.
    pub host: String,
    /// Until when it counts, in seconds since 1970.
    pub until: i64,
    /// The public key that used it.
    pub used_by: Option<[u8; 32]>,
}

/// A key that is known: of the same host, or the claiming key itself wherever it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its host.
    pub host: String,
    /// The public key.
    pub public: [u8; 32],
    /// How it stands.
    pub state: KeyState,
}

/// Why a claim does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The token is unknown, or was made for another host.
    Token,
    /// The token's time is over.
    Expired,
    /// The token was used by another key.
    Used,
    /// A person said no to this key, or put another in its place.
    Key(KeyState),
    /// The key is another host's.
    Elsewhere,
}

/// What becomes of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It stands so already.
    Known(KeyState),
    /// It is new, and stands so from now on.
    New(KeyState),
}

/// How a host's name stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Its keys, and the claiming key wherever it is known.
    pub keys: &'a [Known],
    /// Whether a person retired the host.
    pub is_retired: bool,
}

/// Judges a key's claim of a host's name by a token.
pub fn by_token(
    host: &str,
    public: &[u8; 32],
    token: Option<&Token>,
    standing: &Standing<'_>,
    now: i64,
) -> Result<Claim, Denied> {
    let token = token.filter(|it| it.host == host).ok_or(Denied::Token)?;
    // The same claim again: its answer was lost on the way.
    let again = token.used_by.as_ref() == Some(public);
    if token.used_by.is_some() && !again {
        return Err(Denied::Used);
    }
    if now >= token.until && !again {
        return Err(Denied::Expired);
    }
    match standing_of(host, public, standing)? {
        Some(state) => Ok(Claim::Known(state)),
        None if standing.keys.is_empty() => Ok(Claim::New(KeyState::Enrolled)),
        None => Ok(Claim::New(KeyState::Pending)),
    }
}

/// Judges a claim of the key whose fingerprint stands in the host's merged manifest. It takes another key's
/// place: whoever merged the manifest said so.
pub fn by_merge(host: &str, public: &[u8; 32], standing: &Standing<'_>) -> Result<Claim, Denied> {
    let state = if standing.is_retired { KeyState::Pending } else { KeyState::Enrolled };
    match standing_of(host, public, standing)? {
        Some(known) if known == KeyState::Enrolled || known == state => Ok(Claim::Known(known)),
        Some(_) | None => Ok(Claim::New(state)),
    }
}

/// How the claiming key stands already.
fn standing_of(
    host: &str,
    public: &[u8; 32],
    standing: &Standing<'_>,
) -> Result<Option<KeyState>, Denied> {
    let known = standing.keys.iter().find(|it| it.public == *public);
    if known.is_some_and(|it| it.host != host) {
        return Err(Denied::Elsewhere);
    }
    match known.map(|it| it.state) {
        Some(state @ (KeyState::Refused | KeyState::Retired)) => Err(Denied::Key(state)),
        state => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 32] = [1; 32];
    const TWO: [u8; 32] = [2; 32];

    /// A claim by a token of a host that nobody retired.
    fn claim(
        host: &str,
        public: &[u8; 32],
        token: Option<&Token>,
        keys: &[Known],
        now: i64,
    ) -> Result<Claim, Denied> {
        by_token(host, public, token, &Standing { keys, is_retired: false }, now)
    }

    fn token(used_by: Option<[u8; 32]>) -> Token {
        Token { host: "a".to_owned(), until: 100, used_by }
    }

    fn known(host: &str, state: KeyState) -> Known {
        Known { host: host.to_owned(), public: ONE, state }
    }

    #[test]
    fn a_token_counts_once_for_one_host_and_until_its_end() {
        let fresh = token(None);
        let of = |token: Option<&Token>, host: &str, now| claim(host, &ONE, token, &[], now);
        assert_eq!(of(Some(&fresh), "a", 99), Ok(Claim::New(KeyState::Enrolled)));
        assert_eq!(of(Some(&fresh), "a", 100), Err(Denied::Expired));
        assert_eq!(of(Some(&fresh), "b", 99), Err(Denied::Token));
        assert_eq!(of(None, "a", 99), Err(Denied::Token));
        assert_eq!(of(Some(&token(Some(TWO))), "a", 99), Err(Denied::Used));
    }

    #[test]
    fn the_same_claim_again_has_the_same_answer_whenever_it_comes() {
        let keys = [known("a", KeyState::Enrolled)];
        let found = claim("a", &ONE, Some(&token(Some(ONE))), &keys, 1_000);
        assert_eq!(found, Ok(Claim::Known(KeyState::Enrolled)));
    }

    #[test]
    fn a_second_key_waits_for_a_person_however_the_first_one_stands() {
        for state in KeyState::ALL {
            let keys = [known("a", state)];
            let found = claim("a", &TWO, Some(&token(None)), &keys, 0);
            assert_eq!(found, Ok(Claim::New(KeyState::Pending)), "{state:?}");
        }
    }

    #[test]
    fn a_key_that_a_person_turned_away_stays_away() {
        for state in [KeyState::Refused, KeyState::Retired] {
            let keys = [known("a", state)];
            let found = claim("a", &ONE, Some(&token(None)), &keys, 0);
            assert_eq!(found, Err(Denied::Key(state)));
        }
    }

    #[test]
    fn one_key_is_not_two_hosts() {
        let keys = [known("b", KeyState::Enrolled)];
        assert_eq!(claim("a", &ONE, Some(&token(None)), &keys, 0), Err(Denied::Elsewhere));
    }

    #[test]
    fn a_merge_lets_a_key_in_unless_a_person_said_no() {
        let cases = [
            (vec![], false, Ok(Claim::New(KeyState::Enrolled))),
            (vec![known("a", KeyState::Enrolled)], false, Ok(Claim::Known(KeyState::Enrolled))),
            (vec![known("a", KeyState::Pending)], false, Ok(Claim::New(KeyState::Enrolled))),
            (vec![known("a", KeyState::Pending)], true, Ok(Claim::Known(KeyState::Pending))),
            (vec![], true, Ok(Claim::New(KeyState::Pending))),
            (vec![known("a", KeyState::Refused)], false, Err(Denied::Key(KeyState::Refused))),
            (vec![known("a", KeyState::Retired)], false, Err(Denied::Key(KeyState::Retired))),
            (vec![known("b", KeyState::Enrolled)], false, Err(Denied::Elsewhere)),
        ];
        for (keys, is_retired, expected) in cases {
            let found = by_merge("a", &ONE, &Standing { keys: &keys, is_retired });
            assert_eq!(found, expected, "{keys:?}, {is_retired}");
        }
        let other = [Known { public: TWO, ..known("a", KeyState::Enrolled) }];
        let standing = Standing { keys: &other, is_retired: false };
        assert_eq!(by_merge("a", &ONE, &standing), Ok(Claim::New(KeyState::Enrolled)));
    }
}
