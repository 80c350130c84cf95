//! What the service keeps: tokens, keys, records, and what was read out of them.
//!
//! **Invariant:** a call that changes something answers after it is durable, or with an error and
//! nothing changed.
//! **Invariant:** time comes in as a value, in seconds since 1970.

mod failure;
pub mod sqlite;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Commit, Deployment, Host, HostDetail, Page, Where};
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_fleet::chain::Tip;
use bowline_fleet::claim::Denied;
use bowline_model::digest::Sha256;

pub use failure::StoreFailure;

/// What a call gives, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreFailure>> + Send + 'a>>;

/// A token that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewToken {
    /// SHA-256 of the token; the token itself is never kept.
    pub digest: Sha256,
    /// When it was made.
    pub made: i64,
    /// Until when it counts.
    pub until: i64,
}

/// A key that claims a host's name; that it is held was proved.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The host.
    pub host: String,
    /// The key.
    pub public: [u8; 32],
    /// Its fingerprint.
    pub fingerprint: String,
    /// SHA-256 of the token it brought.
    pub token: Sha256,
}

/// What a person decides about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It takes the place of the host's key, whose records are no longer taken.
    Approve,
    /// It does not.
    Refuse,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Done; the key stands so now.
    Done(KeyState),
    /// The host has no such key.
    NoSuchKey,
    /// Nobody waits for it: the key stands so.
    NotPending(KeyState),
}

/// A known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Its number.
    pub id: i64,
    /// Its host.
    pub host: String,
    /// The key.
    pub public: [u8; 32],
    /// How it stands.
    pub state: KeyState,
}

/// A record whose signature was verified, with what its envelope can be written anew from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub record: Record,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
    /// SHA-256 of the envelope.
    pub digest: Sha256,
}

/// Records of one key, in the order in which they were sent.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The key's number.
    pub key: i64,
    /// The records.
    pub entries: Vec<Entry>,
}

/// What a record is that does not continue a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Records before it are missing.
    Gap,
    /// Its moment was told differently.
    Fork,
}

impl Break {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Fork => "fork",
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of it is kept.
    Kept {
        /// Where the chain ends now.
        tip: Tip,
        /// How many were new.
        taken: u64,
    },
    /// What came before the break is kept, the rest is not; the break is.
    Broken {
        /// How it is broken.
        how: Break,
        /// The sequence that does not continue.
        seq: u64,
        /// Where the chain ends now.
        tip: Tip,
        /// How many were new.
        taken: u64,
    },
    /// The key's records are not taken; it stands so.
    NotTaken(KeyState),
}

/// Which deployments are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this host.
    pub host: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
}

/// Which part of a list of numbered things, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// At most so many.
    pub limit: u32,
    /// Older than this one.
    pub after: Option<u64>,
}

/// Which part of a list of named things, by name.
#[derive(Debug, Clone)]
pub struct Named {
    /// At most so many.
    pub limit: u32,
    /// Behind this name.
    pub after: Option<String>,
}

/// A commit that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It.
    One(Where),
    /// No host spoke of it.
    None,
    /// Several begin so.
    Several,
}

/// Figures of the whole fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Hosts.
    pub hosts: u64,
    /// Hosts by how their newest record ended.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Keys by how they stand.
    pub keys: Vec<(KeyState, u64)>,
    /// Gaps and forks.
    pub alarms: Vec<(Break, u64)>,
}

/// What the service keeps. `tests/control/conformance.rs` is what every implementation must do.
pub trait Store: Debug + Send + Sync {
    /// Keeps a token for a host.
    fn make_token(&self, host: String, token: NewToken) -> Answer<'_, ()>;

    /// Judges a key's claim of a host's name and keeps what became of it.
    fn claim(&self, claimant: Claimant, now: i64) -> Answer<'_, Result<KeyState, Denied>>;

    /// Keeps what a person decided about a pending key.
    fn decide(
        &self,
        host: String,
        fingerprint: String,
        decision: Decision,
        now: i64,
    ) -> Answer<'_, Decided>;

    /// A key, by its fingerprint.
    fn key(&self, fingerprint: String) -> Answer<'_, Option<HostKey>>;

    /// Keeps records that continue their chain.
    fn append(&self, batch: Batch, now: i64) -> Answer<'_, Appended>;

    /// Envelopes of one key after a sequence, oldest first, as the host wrote them.
    fn envelopes(&self, key: i64, after: u64, limit: u32) -> Answer<'_, Vec<Vec<u8>>>;

    /// Hosts, by name.
    fn hosts(&self, part: Named) -> Answer<'_, Page<Host>>;

    /// One host.
    fn host(&self, name: String) -> Answer<'_, Option<HostDetail>>;

    /// Deployments, newest first.
    fn deployments(&self, wanted: Wanted, part: Newest) -> Answer<'_, Page<Deployment>>;

    /// Commits, newest first.
    fn commits(&self, part: Newest) -> Answer<'_, Page<Commit>>;

    /// Where a commit is, by its id or the beginning of it.
    fn whereabouts(&self, commit: String, part: Named) -> Answer<'_, Found>;

    /// Figures of the whole fleet.
    fn census(&self) -> Answer<'_, Census>;
}
