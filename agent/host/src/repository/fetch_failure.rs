//! How a fetch can fail, and what a person can do about it.
//!
//! **Invariant:** no failure shows a password that stands in an address, nor what a file holds.

use std::io;
use std::time::Duration;

use bowline_api::hint;
use bowline_model::object_id::ObjectId;
use thiserror::Error;

use super::RepositoryFailure;
use super::bundle::BadBundle;
use crate::failure::{Kind, chain};
use crate::http::HttpFailure;
use crate::secret_file::BadSecret;
use crate::wire::BadAnswer;

/// Nothing was fetched.
#[derive(Debug, Error)]
pub enum FetchFailure {
    /// No source is named.
    #[error("fetch without a source: none is named")]
    NoSource,
    /// An address of a kind that is not served.
    #[error("fetch from {url}: addresses of this kind are not served")]
    Unsupported {
        /// The address.
        url: String,
    },
    /// An address that names nothing, or more than a place.
    #[error("fetch from {url}: {what}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something is to be read in place that is on another machine.
    #[error("read {url}: it is not on this machine")]
    Elsewhere {
        /// The address.
        url: String,
    },
    /// The `ssh` program does not reach it.
    #[error("fetch from {url}: ssh {what}")]
    Ssh {
        /// The address.
        url: String,
        /// What it did, and its last words.
        what: String,
    },
    /// The server's answer cannot be used.
    #[error("fetch from {url}")]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        #[source]
        source: BadAnswer,
    },
    /// The web server cannot be talked with.
    #[error("fetch from {url}")]
    Http {
        /// The address.
        url: String,
        /// What happened.
        #[source]
        source: Box<HttpFailure>,
    },
    /// The web server does not let the agent in.
    #[error("fetch from {url}: the server does not let the agent in (status {status})")]
    Denied {
        /// The address.
        url: String,
        /// What it answered.
        status: u16,
    },
    /// The web server answers something else.
    #[error("fetch from {url}: the server answers status {status}{}", after_colon(words))]
    Status {
        /// The address.
        url: String,
        /// What it answered.
        status: u16,
        /// What it says about it.
        words: String,
    },
    /// The web server sends the agent where it does not go.
    #[error("fetch from {url}: a redirect is not followed: {why}")]
    Redirect {
        /// The address.
        url: String,
        /// Why.
        why: String,
    },
    /// A file with credentials cannot be read.
    #[error("find credentials for {url}")]
    Secret {
        /// The address.
        url: String,
        /// What is wrong with it.
        #[source]
        source: Box<BadSecret>,
    },
    /// Credentials that are not used.
    #[error("find credentials for {url}: {what}")]
    Credentials {
        /// The address.
        url: String,
        /// Why, without any of them.
        what: String,
    },
    /// Nothing can be waited for.
    #[error("prepare to fetch from {url}")]
    Runtime {
        /// The address.
        url: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server sent less than was asked for.
    #[error("fetch from {url}: it sent a pack in which {missing} is missing")]
    Incomplete {
        /// The address.
        url: String,
        /// An object that is not here.
        missing: ObjectId,
    },
    /// A bundle that is not used.
    #[error("fetch from {url}")]
    Bundle {
        /// The file.
        url: String,
        /// What is wrong with it.
        #[source]
        source: BadBundle,
    },
    /// A bundle that builds on what is not here.
    #[error(
        "fetch from {url}: the bundle builds on commit {missing}, which this host does not have"
    )]
    Prerequisite {
        /// The file.
        url: String,
        /// The first commit that is missing.
        missing: ObjectId,
    },
    /// Whoever unpacks it did not come to an end of its own.
    #[error("fetch from {url}: the process that unpacks it {what}")]
    Unpack {
        /// The address.
        url: String,
        /// What became of it.
        what: String,
    },
    /// Whoever would unpack it is root, and nothing holds it back.
    #[error("fetch from {url}: what it sends is not unpacked as root without Landlock")]
    Unconfined {
        /// The address.
        url: String,
    },
    /// There is no repository.
    #[error("fetch from {url}: there is no Git repository")]
    NotARepository {
        /// The address.
        url: String,
    },
    /// A repository without commits.
    #[error("fetch from {url}: the repository is empty")]
    Empty {
        /// The address.
        url: String,
    },
    /// It has other references, but not this one.
    #[error("fetch from {url}: it has no {reference}")]
    MissingRef {
        /// The address.
        url: String,
        /// The reference.
        reference: String,
    },
    /// The reference names something else than a commit.
    #[error("fetch {reference} from {url}: it names a {found}, not a commit")]
    NotACommit {
        /// The address.
        url: String,
        /// The reference.
        reference: String,
        /// What it names.
        found: String,
    },
    /// Objects named by SHA-256.
    #[error(
        "fetch from {url}: repositories with SHA-256 object names are not supported by this version"
    )]
    ObjectFormat {
        /// The address.
        url: String,
    },
    /// References are kept in a way that is not understood.
    #[error("fetch from {url}: its references cannot be read")]
    Unreadable {
        /// The address.
        url: String,
    },
    /// More bytes or objects than allowed.
    #[error("fetch from {url}: more than {limit}")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        limit: String,
    },
    /// It took too long.
    #[error("fetch from {url}: not done after {}", seconds(*timeout))]
    TimedOut {
        /// The address.
        url: String,
        /// How long it was given.
        timeout: Duration,
    },
    /// The agent ends.
    #[error("fetch from {url}: the agent was told to stop")]
    Stopped {
        /// The address.
        url: String,
    },
    /// Git's objects or references are not as they should be.
    #[error("{doing} {url}")]
    Git {
        /// What was being done.
        doing: &'static str,
        /// The address.
        url: String,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
    /// The agent's own repository.
    #[error("fetch into the agent's repository")]
    Own(#[from] RepositoryFailure),
    /// Several sources, and none gave anything.
    #[error("fetch: {}", all(failures))]
    NoneAnswered {
        /// Each source's failure, in order.
        failures: Vec<FetchFailure>,
    },
}

impl FetchFailure {
    /// What it means: a fetch changes nothing, so it is always tried again.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Own(failure) => failure.kind(),
            _ => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSource => "no-source",
            Self::Unsupported { .. } => "unsupported-remote",
            Self::Address { .. } => "remote-address",
            Self::Elsewhere { .. } => "remote-elsewhere",
            Self::Ssh { .. } => "remote-ssh",
            Self::Answer { source, .. } => source.code(),
            Self::Incomplete { .. } => "remote-damaged",
            Self::Unpack { .. } => "unpack-died",
            Self::Unconfined { .. } => "unpack-unconfined",
            Self::Bundle { source, .. } => source.code(),
            Self::Prerequisite { .. } => "bundle-prerequisite",
            Self::Http { source, .. } => source.code(),
            Self::Denied { .. } => "remote-denied",
            Self::Status { .. } => "remote-refused",
            Self::Redirect { .. } => "remote-redirect",
            Self::Secret { .. } | Self::Credentials { .. } => "remote-credentials",
            Self::Runtime { .. } => "io",
            Self::NotARepository { .. } => "not-a-repository",
            Self::Empty { .. } => "empty-repository",
            Self::MissingRef { .. } => "missing-ref",
            Self::NotACommit { .. } => "not-a-commit",
            Self::ObjectFormat { .. } => "object-format",
            Self::Unreadable { .. } | Self::Git { .. } => "remote-damaged",
            Self::TooLarge { .. } => "too-large",
            Self::TimedOut { .. } => "fetch-timeout",
            Self::Stopped { .. } => "stopped",
            Self::Own(failure) => failure.code(),
            Self::NoneAnswered { failures } => failures.first().map_or("no-source", Self::code),
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        hint::of(self.code()).unwrap_or_default()
    }
}

fn all(failures: &[FetchFailure]) -> String {
    failures.iter().map(|it| chain(it)).collect::<Vec<_>>().join("; ")
}

/// What somebody says, if anything.
fn after_colon(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn seconds(timeout: Duration) -> String {
    format!("{} s", timeout.as_secs_f32())
}
