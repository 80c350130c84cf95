//! Who calls, and whether they may.
//!
//! **Invariant:** whoever calls by the socket is known to the kernel; whoever calls by the address shows
//! a token before anything changes.
//! **Invariant:** a web page of somewhere else can neither read nor change anything by the address: its
//! host name, its origin and its browser's word give it away.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bowline_host::failure::chain;
use bowline_host::token_file;
use bowline_model::digest::Sha256;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use nix::unistd::{Uid, User, geteuid};

/// What browsers say of where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller {
    /// Somebody on this host, by the socket.
    Local {
        /// Their user.
        uid: u32,
        /// Their group.
        gid: u32,
    },
    /// Somebody at the address, who reached this one of ours.
    Remote {
        /// Our side of the connection.
        reached: SocketAddr,
    },
}

/// What callers are held to.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The address as the settings write it.
    pub listen: Option<String>,
    /// The token for changing calls at the address.
    pub token_file: Option<PathBuf>,
    /// The group of the socket.
    pub group: Option<u32>,
}

/// A call that is not taken: its status, and what to do.
#[derive(Debug)]
pub(super) struct Turned {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

fn turned(status: StatusCode, detail: impl Into<String>) -> Turned {
    Turned { status, detail: detail.into() }
}

impl Rules {
    /// Whether the call was meant for this agent, and not made by a page of somewhere else.
    pub(super) fn meant_for_us(&self, caller: Caller, headers: &HeaderMap) -> Result<(), Turned> {
        let Caller::Remote { reached } = caller else { return Ok(()) };
        let text = |it: Option<&HeaderValue>| it.map(|it| it.to_str().unwrap_or("?").to_owned());
        let host = text(headers.get(HOST)).unwrap_or_default();
        if !self.is_ours(&host, reached) {
            let detail =
                format!("the Host header says {host:?}, which is not this agent's address");
            return Err(turned(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        let is_strange = |it: &String| {
            let host = it.strip_prefix("http://").unwrap_or("?");
            !self.is_ours(host, reached)
        };
        let from = text(headers.get(ORIGIN)).filter(is_strange);
        let site = text(headers.get(SEC_FETCH_SITE));
        let site = site.filter(|it| it != "same-origin" && it != "none");
        match from.or(site) {
            None => Ok(()),
            Some(from) => {
                let detail = format!("a web page of somewhere else asks ({from:?})");
                Err(turned(StatusCode::FORBIDDEN, detail))
            }
        }
    }

    /// Whether a `Host` names us: this machine, the address that was reached, or the one in the settings.
    fn is_ours(&self, host: &str, reached: SocketAddr) -> bool {
        let name = without_port(host);
        let listen = self.listen.as_deref().map(without_port);
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            // No name leads to an address that is written as one.
            Ok(address) => address.is_loopback() || address == reached.ip(),
            Err(_) => name.eq_ignore_ascii_case("localhost") || listen == Some(name),
        }
    }

    /// Who the caller is, if they may change something. Reads files: not for the thread that serves.
    pub(super) fn may_change(&self, caller: Caller, headers: &HeaderMap) -> Result<String, Turned> {
        match caller {
            Caller::Local { uid, gid } => {
                let is_group = self.group == Some(gid);
                if uid == 0 || uid == geteuid().as_raw() || is_group {
                    return Ok(name_of(uid));
                }
                let detail = format!("user {uid} is neither root nor the agent's user");
                Err(turned(StatusCode::FORBIDDEN, detail))
            }
            Caller::Remote { .. } => self.shows_token(headers),
        }
    }

    fn shows_token(&self, headers: &HeaderMap) -> Result<String, Turned> {
        let Some(file) = &self.token_file else {
            let detail =
                "changing calls are taken at the socket only; [api] tokenFile would allow them";
            return Err(turned(StatusCode::FORBIDDEN, detail));
        };
        let token = token_file::read(file).map_err(|error| {
            tracing::warn!(error = %chain(&error), "a changing call cannot be judged");
            turned(StatusCode::FORBIDDEN, "the agent's token file cannot be used: see its log")
        })?;
        let header = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, shown) = header.split_at_checked(7).unwrap_or_default();
        // Digests are compared: how long that takes tells nothing of the token.
        if scheme.eq_ignore_ascii_case(b"bearer ")
            && Sha256::of(shown) == Sha256::of(token.as_bytes())
        {
            return Ok("whoever has the token".to_owned());
        }
        let detail = "send `Authorization: Bearer TOKEN` with the token of [api] tokenFile";
        Err(turned(StatusCode::UNAUTHORIZED, detail))
    }
}

/// A user's name, or their number.
fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("user {uid}"),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An IPv6 address in brackets has colons of its own.
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules { listen: Some("agent.example:9470".to_owned()), ..Rules::default() }
    }

    fn remote() -> Caller {
        Caller::Remote { reached: "10.0.0.5:9470".parse().unwrap() }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_names_of_ours_are_answered() {
        for (host, ours) in [
            ("localhost:9470", true),
            ("LOCALHOST", true),
            ("127.0.0.1:9470", true),
            ("[::1]:9470", true),
            ("10.0.0.5:9470", true),
            ("agent.example", true),
            ("10.0.0.6:9470", false),
            ("evil.example:9470", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            let found = rules().meant_for_us(remote(), &headers(&[("host", host)]));
            assert_eq!(found.is_ok(), ours, "{host}");
        }
        assert!(rules().meant_for_us(remote(), &HeaderMap::new()).is_err());
        assert!(rules().meant_for_us(Caller::Local { uid: 7, gid: 7 }, &HeaderMap::new()).is_ok());
    }

    #[test]
    fn a_page_of_somewhere_else_is_turned_away() {
        for (name, value, meant) in [
            ("origin", "http://localhost:9470", true),
            ("origin", "http://evil.example", false),
            ("origin", "https://localhost:9470", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
        ] {
            let given = headers(&[("host", "localhost"), (name, value)]);
            assert_eq!(rules().meant_for_us(remote(), &given).is_ok(), meant, "{name}: {value}");
        }
    }

    #[test]
    fn at_the_socket_root_the_agents_user_and_the_sockets_group_may_change() {
        let me = geteuid().as_raw();
        let rules = Rules { group: Some(77), ..Rules::default() };
        for (uid, gid, may) in [(0, 1, true), (me, 1, true), (99_999, 77, true), (99_999, 1, false)]
        {
            let found = rules.may_change(Caller::Local { uid, gid }, &HeaderMap::new());
            assert_eq!(found.is_ok(), may, "{uid}:{gid}");
        }
        assert_eq!(name_of(0), "root");
        assert_eq!(name_of(99_999), "user 99999");
    }
}
