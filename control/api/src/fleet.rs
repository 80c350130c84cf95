//! What the control service tells about hosts, commits and deployments.
//!
//! **Invariant:** everything here is what hosts said in signed records; the service adds only counts,
//! and when it heard of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::enrolment::KeyState;
use crate::outcome::Outcome;

/// A part of a longer list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for as `after` to read on; `None` at the end.
    pub next: Option<String>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The revision that it runs, by its own word; `None` when it said nothing, or does not know.
    pub revision: Option<String>,
    /// The first line of that revision's message, by its own word.
    pub subject: Option<String>,
    /// The environment that it belongs to, by its own word.
    pub environment: Option<String>,
    /// How its newest record ended.
    pub outcome: Option<Outcome>,
    /// One word for why.
    pub reason: Option<String>,
    /// When, RFC 3339, by the host's clock.
    pub at: Option<String>,
    /// Since when it has ended so, on what it runs, RFC 3339, by the host's clock.
    pub since: Option<String>,
    /// What its probes last said; `None` when none was asked, or what it runs has none.
    pub health: Option<Health>,
    /// When a record of it was last taken, RFC 3339, by this service's clock.
    pub seen: Option<String>,
    /// The sequence of its newest record; 0 for none.
    pub seq: u64,
    /// The key that signed it, where that is not the one whose records are taken now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Keys that wait for a person.
    pub pending_keys: u64,
    /// Gaps and forks in its records that are open, and that nobody acknowledged.
    pub alarms: u64,
    /// When a person retired it, RFC 3339: its records are not taken, and it is not counted.
    pub retired: Option<String>,
}

/// What a host's probes said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// All of them were content.
    Well,
    /// One was not, or nobody knows how the host stands.
    Unwell,
}

impl Health {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Well, Self::Unwell];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Unwell => "unwell",
        }
    }
}

/// One host, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostDetail {
    /// The host.
    #[serde(flatten)]
    pub host: Host,
    /// Its keys, oldest first.
    pub keys: Vec<Key>,
    /// Gaps and forks, newest first.
    pub faults: Vec<Fault>,
    /// What to ask the host's faults for as `after` to see older ones; `None` at the end.
    pub faults_next: Option<String>,
    /// Gaps and forks beyond those that are kept one by one: they are only counted.
    pub more_faults: u64,
    /// What people decided about it, newest first.
    pub decisions: Vec<Decision>,
}

/// What a person decided at the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// When, RFC 3339.
    pub at: String,
    /// What they did: `approve`, `refuse`, `acknowledge`, `retire`, `continue`.
    pub verb: String,
    /// To what: a key, or records.
    pub what: String,
    /// Who, by the system's word: the account and its number.
    pub by: String,
    /// What they wrote.
    pub note: Option<String>,
}

/// A host's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Its fingerprint: `SHA256:…`.
    pub fingerprint: String,
    /// How it stands.
    pub state: KeyState,
    /// Since when, RFC 3339.
    pub since: String,
    /// The sequence of its newest record; 0 for none.
    pub seq: u64,
    /// SHA-256 of that record's envelope: where the key's chain ends. Zeros for none.
    pub head: String,
}

/// Records that did not continue a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Its place in the list of all; `host acknowledge --seen` names the newest that was looked at.
    pub id: u64,
    /// `gap` or `fork`.
    pub kind: String,
    /// Whether the chain still waits there. A fork stays open.
    pub open: bool,
    /// Of a gap over which a person let the chain go on, the last of the records from `expected` on that are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_to: Option<u64>,
    /// How many of those came after all, late.
    #[serde(default)]
    pub late: u64,
    /// The key that signed them.
    pub key: String,
    /// The sequence that was sent.
    pub seq: u64,
    /// The sequence that should have come.
    pub expected: u64,
    /// SHA-256 of the envelope that was sent; `None` for a gap.
    pub digest: Option<String>,
    /// What it says, in short; `None` for a gap.
    pub said: Option<String>,
    /// Whether the envelope itself was kept.
    pub kept: bool,
    /// How often.
    pub count: u64,
    /// When first, RFC 3339.
    pub first: String,
    /// When last, RFC 3339.
    pub last: String,
    /// That a person looked after it.
    pub acknowledged: Option<Acknowledged>,
}

/// A record that was not taken because it is another than the one that was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The fault.
    pub fault: Fault,
    /// Whether its signature is the key's, looked at for this answer.
    pub signature: bool,
    /// What it says; `None` when that cannot be read.
    pub record: Option<serde_json::Value>,
    /// Its envelope, as it was sent.
    pub envelope: String,
}

/// That a person looked after a fault. The fault itself stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acknowledged {
    /// When, RFC 3339.
    pub at: String,
    /// Who, by the account at the command line.
    pub by: String,
    /// What they found.
    pub note: String,
}

/// One deployment on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Its place in the list of all.
    pub id: u64,
    /// The host.
    pub host: String,
    /// The host's sequence.
    pub seq: u64,
    /// The key that signed the record, where that is not the one whose records are taken now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The host's name for it; empty when nothing was begun.
    pub deployment: String,
    /// What the record tells of: deployment, drift, alarm.
    pub kind: String,
    /// The revision that was tried.
    pub revision: String,
    /// The first line of its message, by the host's own word.
    pub subject: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// One word for why.
    pub reason: String,
    /// When, RFC 3339, by the host's clock.
    pub at: String,
    /// Whether the record came after the chain had gone on without it, as a person let it.
    #[serde(default)]
    pub late: bool,
}

/// One commit, and how hosts fared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// Its place in the list of all: commits of which one host alone spoke come behind the others, but for
    /// that host's newest one.
    pub id: u64,
    /// The commit.
    pub commit: String,
    /// As most hosts call it: `main@sha1:<id>`.
    pub revision: String,
    /// The first line of its message, as most of the hosts that told it have it.
    pub subject: Option<String>,
    /// When it was first heard of, RFC 3339, by this service's clock.
    pub first: String,
    /// Hosts that run it.
    pub running: u64,
    /// Hosts by their last word on it.
    pub hosts: BTreeMap<String, u64>,
}

/// Where a commit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Where {
    /// The commit.
    pub commit: String,
    /// As most hosts call it.
    pub revision: String,
    /// Each host that said something about it, by name.
    pub hosts: Vec<Landing>,
    /// What to ask for as `after` to read on; `None` at the end.
    pub next: Option<String>,
}

/// A host's last word on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Landing {
    /// The host.
    pub host: String,
    /// Its last word on this commit.
    pub outcome: Outcome,
    /// Whether it runs the commit now.
    pub running: bool,
    /// The sequence of that record.
    pub seq: u64,
    /// The key that signed it, where that is not the one whose records are taken now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When, RFC 3339, by the host's clock.
    pub at: String,
}
