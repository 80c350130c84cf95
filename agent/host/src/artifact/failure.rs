//! Why an archive cannot be had.
//!
//! **Invariant:** an address is shown without its query: a server may take that for a password.

use bowline_model::digest::Sha256;
use thiserror::Error;

use super::bad_archive::BadArchive;
use crate::failure::{Kind, OsFailure};
use crate::http::HttpFailure;

/// An archive that cannot be had.
#[derive(Debug, Error)]
pub enum ArtifactFailure {
    /// The system refused.
    #[error("keep {url}")]
    Os {
        /// Where it is fetched from.
        url: String,
        /// What was refused.
        #[source]
        source: OsFailure,
    },
    /// The server was not heard.
    #[error("fetch {url}")]
    Http {
        /// Where it is fetched from.
        url: String,
        /// What went wrong.
        #[source]
        source: Box<HttpFailure>,
    },
    /// The server has something to say instead.
    #[error("fetch {url}: the server answers with status {status}")]
    Status {
        /// Where it is fetched from.
        url: String,
        /// The status.
        status: u16,
    },
    /// The server sends elsewhere, where nobody follows.
    #[error("fetch {url}: the server sends elsewhere, and {why}")]
    Redirect {
        /// Where it is fetched from.
        url: String,
        /// Why it is not followed.
        why: String,
    },
    /// There is no such file on this machine.
    #[error("fetch {url}: there is no such file on this host")]
    Missing {
        /// Where it is fetched from.
        url: String,
    },
    /// It is something else.
    #[error("{url} has SHA-256 {found}, and the manifest says {expected}")]
    Digest {
        /// Where it was fetched from.
        url: String,
        /// What it has.
        found: Sha256,
        /// What it should have.
        expected: Sha256,
    },
    /// It is larger than anything that is fetched.
    #[error("{url} has more than {limit} bytes")]
    TooLarge {
        /// Where it is fetched from.
        url: String,
        /// What there may be.
        limit: u64,
    },
    /// There is no room for it beside what this host needs.
    #[error(
        "{url} does not fit beside the {needed} bytes of releases that this host needs: there may be {limit}"
    )]
    NoRoom {
        /// Where it is fetched from.
        url: String,
        /// What is there already.
        needed: u64,
        /// What there may be.
        limit: u64,
    },
    /// Copying it takes too long.
    #[error("copy {url}: it is not done after {seconds} s")]
    Late {
        /// Where it lies.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// The agent is ending.
    #[error("copy {url}: it was given up, the agent is ending")]
    Stopped {
        /// Where it lies.
        url: String,
    },
    /// It was looked for, and not fetched.
    #[error("find what was fetched from {url}")]
    Away {
        /// Where it would be fetched from.
        url: String,
    },
    /// It is not unpacked.
    #[error("unpack {url}")]
    Archive {
        /// Where it was fetched from.
        url: String,
        /// Why.
        #[source]
        source: BadArchive,
    },
}

impl ArtifactFailure {
    /// What it means for a deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os { source, .. } => source.kind,
            Self::Http { source, .. } => source.kind(),
            Self::Status { .. }
            | Self::Missing { .. }
            | Self::NoRoom { .. }
            | Self::Late { .. }
            | Self::Away { .. }
            | Self::Stopped { .. } => Kind::Transient,
            Self::Redirect { .. } | Self::Digest { .. } | Self::TooLarge { .. } => Kind::Refused,
            Self::Archive { source, .. } => source.kind(),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os { .. } => "io",
            Self::Http { source, .. } => source.code(),
            Self::Status { .. } => "artifact-status",
            Self::Redirect { .. } => "artifact-redirect",
            Self::Missing { .. } => "artifact-missing",
            Self::Digest { .. } => "artifact-digest",
            Self::TooLarge { .. } => "artifact-too-large",
            Self::NoRoom { .. } => "artifact-no-room",
            Self::Late { .. } => "artifact-late",
            Self::Away { .. } => "artifact-away",
            Self::Stopped { .. } => "stopped",
            Self::Archive { source, .. } => source.code(),
        }
    }
}
