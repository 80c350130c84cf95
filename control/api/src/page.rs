//! What the control service's pages show, and their JSON twins hold.
//!
//! **Invariant:** a page shows nothing that its twin does not hold.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::enrolment::KeyState;
use crate::fleet::{Commit, Deployment, Host, HostDetail, Page};
use crate::outcome::Outcome;

/// The board: all hosts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// When it was read, RFC 3339, by this service's clock.
    pub now: String,
    /// All hosts that are known and not retired, whatever is asked for.
    pub hosts: u64,
    /// All hosts by how their newest record ended.
    pub outcomes: BTreeMap<String, u64>,
    /// The environments that hosts named.
    pub environments: Vec<String>,
    /// How many keys wait for a person.
    pub waiting_keys: u64,
    /// Those that wait longest, oldest first.
    pub waiting: Vec<Waiting>,
    /// The hosts that are asked for.
    #[serde(flatten)]
    pub page: Page<Host>,
}

/// A key that wants a host's name, and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The host's name.
    pub host: String,
    /// The key's fingerprint.
    pub fingerprint: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// The key that has the name now.
    pub holder: Option<String>,
    /// The command that lets it in.
    pub approve: String,
    /// The command that turns it away.
    pub refuse: String,
}

/// Commits and hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matrix {
    /// When it was read, RFC 3339, by this service's clock.
    pub now: String,
    /// Commits: newest first, behind them those of which one host alone spoke.
    pub commits: Vec<Commit>,
    /// What to ask for as `before` to see older ones; `None` at the end.
    pub older: Option<String>,
    /// Hosts, by name.
    pub hosts: Vec<Row>,
    /// What to ask for as `after` to read on; `None` at the end.
    pub next: Option<String>,
}

/// A host's line of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The host.
    pub host: String,
    /// The commit that it runs, by its own word.
    pub runs: Option<String>,
    /// Its last word on each commit, in their order; `None` where it said nothing.
    pub words: Vec<Option<Word>>,
}

/// A host's last word on a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Word {
    /// How it ended.
    pub outcome: Outcome,
    /// The sequence of the record.
    pub seq: u64,
    /// The key that signed it, where that is not the one whose records are taken now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// One host with what happened on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sheet {
    /// When it was read, RFC 3339, by this service's clock.
    pub now: String,
    /// The host.
    #[serde(flatten)]
    pub detail: HostDetail,
    /// Its deployments, newest first.
    pub deployments: Page<Deployment>,
    /// By what its newest record was judged, if that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
}

/// By what a revision was judged on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// The policy's version.
    pub policy_version: u64,
    /// When the policy ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_expires: Option<String>,
    /// The version of the root in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_version: Option<u64>,
    /// Commits that nobody let in and root keys adopted, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<String>,
}

/// One deployment, record by record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// When it was read, RFC 3339, by this service's clock.
    pub now: String,
    /// The host.
    pub host: String,
    /// What was asked for: the host's id of the deployment, or `@` and a sequence.
    pub id: String,
    /// Its records, newest first.
    pub records: Vec<Told>,
    /// What to ask for as `after` to see older ones; `None` at the end.
    pub next: Option<String>,
}

/// A record, and what proves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Its sequence.
    pub seq: u64,
    /// The sequence of the newest record of the same key.
    pub newest: u64,
    /// When it was taken, RFC 3339, by this service's clock.
    pub received: String,
    /// The fingerprint of the key that signed it.
    pub key: String,
    /// How that key stands now.
    pub key_state: KeyState,
    /// SHA-256 of the envelope.
    pub digest: String,
    /// Whether a person let the chain go on here: what came before is lost.
    pub continued: bool,
    /// Whether it came after the chain had gone on without it, as a person let it.
    #[serde(default)]
    pub late: bool,
    /// What was found when the record was read for this answer.
    pub proof: Proven,
    /// Why what the host said cannot be read; it stands in the envelope, as it was signed.
    pub unreadable: Option<String>,
    /// What the host said; null when that cannot be read.
    pub record: serde_json::Value,
    /// The path of the envelope as the host wrote it, for whoever would rather look for themselves.
    pub envelope: String,
}

/// What was found when a record was looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proven {
    /// Whether the envelope's signature is the key's.
    pub signature: bool,
    /// Whether the envelope is the one that was taken.
    pub digest: bool,
    /// Whether its `prev` names the record before.
    pub predecessor: bool,
}

/// Something was heard of a host: whatever is shown of it may be old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heard {
    /// The host.
    pub host: String,
    /// The sequence of its newest record; 0 for none.
    pub seq: u64,
    /// How that ended.
    pub outcome: Option<Outcome>,
}
