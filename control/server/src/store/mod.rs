//! What the service keeps: tokens, keys, records, and what was read out of them.
//!
//! **Invariant:** a call that changes something answers after it is durable, or with an error and
//! nothing changed.
//! **Invariant:** time comes in as a value, in seconds since 1970.

mod asked;
mod deeds;
mod failure;
pub mod sqlite;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Commit, Deployment, Fault, Host, HostDetail, Page, Where};
use bowline_api::outcome::Outcome;
use bowline_api::page::{Matrix, Waiting};
use bowline_api::record::Record;
use bowline_fleet::chain::Tip;
use bowline_fleet::claim::Denied;
use bowline_model::digest::Sha256;

pub use asked::{Named, Newest, Picked, Place, Wanted, Which};
pub use deeds::{
    Claimant, Decided, Decision, Gone, Looked, NewToken, Note, Person, Resumed, Warrant,
};
pub use failure::StoreFailure;

/// What a call gives, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreFailure>> + Send + 'a>>;

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
    /// What it says, as far as anything is read out of it.
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

/// A record as it was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The key's fingerprint.
    pub fingerprint: String,
    /// The key.
    pub public: [u8; 32],
    /// How it stands.
    pub state: KeyState,
    /// The record's sequence.
    pub seq: u64,
    /// The sequence of the key's newest record.
    pub newest: u64,
    /// SHA-256 of its envelope when it was taken.
    pub digest: Sha256,
    /// SHA-256 of the envelope before it; `None` when that is gone.
    pub before: Option<Sha256>,
    /// Whether a person let the chain go on here, over records that its host lost.
    pub continued: bool,
    /// Whether it came after the chain had gone on without it.
    pub late: bool,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
    /// When it was taken.
    pub received: i64,
}

/// A record that was not taken because another was, as it came.
#[derive(Debug, Clone)]
pub struct Otherwise {
    /// The fault.
    pub fault: Fault,
    /// The key.
    pub public: [u8; 32],
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
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
    /// Hosts that are not retired; nothing here counts those that are.
    pub hosts: u64,
    /// Hosts by how their newest record ended.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Keys by how they stand.
    pub keys: Vec<(KeyState, u64)>,
    /// Gaps and forks that are open, and that nobody acknowledged.
    pub alarms: Vec<(Break, u64)>,
    /// The environments that hosts named.
    pub environments: Vec<String>,
}

/// What the service keeps. `tests/control/conformance.rs` is what every implementation must do.
pub trait Store: Debug + Send + Sync {
    /// Keeps a token for a host.
    fn make_token(&self, host: String, token: NewToken) -> Answer<'_, ()>;

    /// Judges a key's claim of a host's name, and keeps what became of it.
    fn claim(&self, claimant: Claimant, now: i64) -> Answer<'_, Result<KeyState, Denied>>;

    /// Keeps what a person decided about a pending key.
    fn decide(
        &self,
        host: String,
        fingerprint: String,
        decision: Decision,
        by: Person,
    ) -> Answer<'_, Decided>;

    /// Keeps that a person looked after a host's open faults, up to the newest one that they saw.
    fn acknowledge(&self, host: String, seen: u64, note: Note) -> Answer<'_, Looked>;

    /// Takes no records of a host any more, and counts it no longer.
    fn retire(&self, host: String, note: Note) -> Answer<'_, Gone>;

    /// Lets a host's chain go on with this sequence, over records that it lost.
    fn resume(&self, host: String, from: u64, note: Note) -> Answer<'_, Resumed>;

    /// A host's gaps and forks, newest first; `None` for no such host.
    fn faults(&self, host: String, part: Newest) -> Answer<'_, Option<Page<Fault>>>;

    /// A record that was not taken, as it came, by its fault.
    fn told_otherwise(&self, host: String, fault: u64) -> Answer<'_, Option<Otherwise>>;

    /// Keys that wait for a person, oldest first.
    fn waiting(&self, limit: u32) -> Answer<'_, Vec<Waiting>>;

    /// A key, by its fingerprint.
    fn key(&self, fingerprint: String) -> Answer<'_, Option<HostKey>>;

    /// Keeps records that continue their chain.
    fn append(&self, batch: Batch, now: i64) -> Answer<'_, Appended>;

    /// The envelope of one key's record, as the host wrote it; `None` where there is none, or none any more.
    fn envelope(&self, key: i64, seq: u64) -> Answer<'_, Option<Vec<u8>>>;

    /// Records of a host, newest first, and no more of them than fit into one answer.
    fn kept(&self, host: String, which: Which, part: Newest) -> Answer<'_, Page<Kept>>;

    /// Hosts, by name.
    fn hosts(&self, picked: Picked, part: Named) -> Answer<'_, Page<Host>>;

    /// One host.
    fn host(&self, name: String) -> Answer<'_, Option<HostDetail>>;

    /// Deployments, newest first.
    fn deployments(&self, wanted: Wanted, part: Newest) -> Answer<'_, Page<Deployment>>;

    /// Commits, newest first; behind them those of which one host alone spoke.
    fn commits(&self, part: Newest) -> Answer<'_, Page<Commit>>;

    /// Commits in the same order, and what hosts, by name, said of each.
    fn matrix(&self, hosts: Named, commits: Newest) -> Answer<'_, Matrix>;

    /// Where a commit is, by its id or the beginning of it.
    fn whereabouts(&self, commit: String, part: Named) -> Answer<'_, Found>;

    /// Figures of the whole fleet.
    fn census(&self) -> Answer<'_, Census>;
}
