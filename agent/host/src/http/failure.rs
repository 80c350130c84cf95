//! What can go wrong between this host and a server.
//!
//! **Invariant:** every failure names the server that was asked; no text holds credentials.

use std::error::Error;
use std::io;
use std::time::Duration;

use thiserror::Error;

use super::address::BadAddress;
use super::tls::BadTrust;
use crate::failure::Kind;

/// A request that was not answered.
#[derive(Debug, Error)]
pub enum HttpFailure {
    /// A server sends elsewhere, and that is no address.
    #[error("{peer} sends elsewhere")]
    Location {
        /// The server.
        peer: String,
        /// What is wrong with where it sends.
        #[source]
        source: BadAddress,
    },
    /// Files for TLS cannot be used.
    #[error("prepare TLS with {peer}")]
    Trust {
        /// The server.
        peer: String,
        /// What is wrong with them.
        #[source]
        source: BadTrust,
    },
    /// Nobody knows the name.
    #[error("look up the name {host}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// Nobody listens.
    #[error("connect to {peer}")]
    Connect {
        /// The server.
        peer: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The proxy does not let it through.
    #[error("the proxy {proxy} does not connect to {peer}: {why}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// The server behind it.
        peer: String,
        /// What it said.
        why: String,
    },
    /// There is no agreement on keys, certificates or versions.
    #[error("TLS with {peer}: {why}")]
    Tls {
        /// The server.
        peer: String,
        /// What one of them did not accept.
        why: String,
    },
    /// A limit of time.
    #[error("{peer} did not {what} within {} ms", limit.as_millis())]
    Late {
        /// The server.
        peer: String,
        /// What it did not do.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// A limit of size.
    #[error("{peer} answers with more than {limit} bytes of {what}")]
    TooLarge {
        /// The server.
        peer: String,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The other side is no HTTP server.
    #[error("{peer} does not answer in HTTP: {why}")]
    Malformed {
        /// The server.
        peer: String,
        /// What is wrong.
        why: String,
    },
    /// The connection ended before the answer did.
    #[error("{peer} hung up before the end of its answer: {why}")]
    Broken {
        /// The server.
        peer: String,
        /// What was seen.
        why: String,
    },
    /// The agent is ending.
    #[error("the request to {peer} was given up: the agent is ending")]
    Stopped {
        /// The server.
        peer: String,
    },
}

impl HttpFailure {
    /// What it means for the agent: a network may be well in a moment, settings are not.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Trust { .. } => Kind::Broken,
            _ => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Resolve { .. } | Self::Connect { .. } | Self::Proxy { .. } => "unreachable",
            Self::Trust { .. } | Self::Tls { .. } => "tls",
            Self::Late { .. } => "server-late",
            Self::TooLarge { .. } => "answer-too-large",
            Self::Location { .. } | Self::Malformed { .. } | Self::Broken { .. } => "bad-answer",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Sorts what hyper says of a connection to a server.
    pub(super) fn of_hyper(peer: &str, head_max: usize, error: &hyper::Error) -> Self {
        let peer = peer.to_owned();
        if let Some(why) = tls_in(error) {
            return Self::Tls { peer, why };
        }
        if error.is_parse_too_large() {
            return Self::TooLarge { peer, what: "head", limit: head_max as u64 };
        }
        let why = crate::failure::chain(error);
        if error.is_parse() || error.is_parse_status() {
            return Self::Malformed { peer, why };
        }
        Self::Broken { peer, why }
    }

    /// Sorts what a TLS handshake ended with.
    pub(super) fn of_handshake(peer: &str, error: &io::Error) -> Self {
        let why = error.get_ref().map_or_else(|| error.to_string(), ToString::to_string);
        Self::Tls { peer: peer.to_owned(), why }
    }
}

/// What TLS said, if anything: in version 1.3 a server refuses a client only after the handshake.
fn tls_in(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|it| it.downcast_ref::<rustls::Error>()) {
            return Some(found.to_string());
        }
        next = error.source();
    }
    None
}
