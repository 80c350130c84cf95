//! A host's own account of what happened on it: one JSON object per event, signed and chained.
//!
//! **Invariant:** `seq` rises by one and `prev` names the envelope before, so a gap, a fork or an
//! edit is seen by whoever reads the chain.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// The largest sequence: a record each millisecond for 34 years. What keeps records may count on it.
pub const SEQ_MAX: u64 = (1 << 40) - 1;

/// The media type of a record inside its DSSE envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.bowline.record+json";

/// The version of the record's shape.
pub const VERSION: u32 = 1;

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A deployment ended.
    Deployment,
    /// The host had drifted, and what was done about it.
    Drift,
    /// The agent's own state changed.
    State,
    /// Something a person should look at.
    Alarm,
    /// What was committed stood in good health for some time: a receipt that other hosts' gates ask for.
    Healthy,
}

impl Kind {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Drift => "drift",
            Self::State => "state",
            Self::Alarm => "alarm",
            Self::Healthy => "healthy",
        }
    }
}

/// One event on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The shape's version.
    pub v: u32,
    /// The host that speaks.
    pub host: String,
    /// One more than the record before.
    pub seq: u64,
    /// SHA-256 (hex) of the envelope before; 64 zeros for the first.
    pub prev: String,
    /// When, RFC 3339, by the host's clock.
    pub at: String,
    /// What it tells of.
    pub kind: Kind,
    /// The deployment, by its id.
    pub deployment: String,
    /// The revision that was tried.
    pub revision: Option<String>,
    /// That revision's objects; `None` where nothing was verified of it, or an agent of before wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitMark>,
    /// The repository that the host follows, as its trust file names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoMark>,
    /// The key that signs the record, as OpenSSH writes it, so that whoever knows its fingerprint needs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// The first line of that revision's message; `None` when the host does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The environment that the host belongs to, by what was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The revision that the host ran before.
    pub base: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// One word for why: a condition's reason.
    pub reason: String,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// SHA-256 (hex) of the trust file in force.
    pub trust_sha256: String,
    /// The policy in force.
    pub policy: Option<PolicyMark>,
    /// SHA-256 (hex) of the payload of each envelope that counted: for approvals and for gates.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// The approvals that counted when the commit was verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalMark>,
    /// What each gate measured.
    #[serde(default)]
    pub gates: Vec<serde_json::Value>,
    /// Commits that it came by and nobody let in: what root keys said of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<serde_json::Value>,
    /// How much was changed.
    pub steps: StepCount,
    /// Resources whose change cannot be taken back.
    #[serde(default)]
    pub irreversible: Vec<String>,
    /// Each probe's last word.
    #[serde(default)]
    pub probes: Vec<ProbeWord>,
    /// Snapshots that were taken.
    #[serde(default)]
    pub snapshots: Vec<String>,
    /// Paths on which somebody else's change was met, and where their version was kept.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    /// Probes of what stands again that still failed after the change was taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after_revert: Vec<ProbeWord>,
    /// How many probes of what stands then were asked once more at the end: all but those of `probes` and
    /// `after_revert` that failed were content. 0: what stands has none. `None`: they were not asked, or an agent
    /// of before wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_probes: Option<u64>,
    /// What the proof of a revert compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// How long the revision stood in good health; with the kind `healthy` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<HealthMark>,
    /// Milliseconds spent in each phase.
    #[serde(default)]
    pub durations: BTreeMap<String, u64>,
}

/// The objects of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitMark {
    /// The commit's id.
    pub id: String,
    /// SHA-256 (hex) of the raw commit.
    pub sha256: String,
    /// Its tree's id.
    pub tree: String,
}

/// A repository and its branch, by the names that signed statements use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoMark {
    /// The repository's name for itself.
    pub uri: String,
    /// The branch, whole.
    #[serde(rename = "ref")]
    pub ref_name: String,
}

/// An approval that counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApprovalMark {
    /// Who approved, by the policy's name for them.
    pub principal: String,
    /// SHA-256 (hex) of what they signed.
    pub sha256: String,
}

/// The policy by which a revision was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyMark {
    /// Its version.
    pub version: u64,
    /// SHA-256 (hex) of its bytes.
    pub sha256: String,
    /// When it ends, RFC 3339; `None` where the process that wrote the record had not judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The version of the root in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_version: Option<u64>,
}

/// How many steps changed something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepCount {
    /// All of them.
    pub changed: u64,
    /// By kind of resource.
    pub by_kind: BTreeMap<String, u64>,
}

/// A probe's last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeWord {
    /// Its name.
    pub name: String,
    /// Whether it was content.
    pub passed: bool,
    /// What it saw.
    pub detail: String,
}

/// Somebody else's change that the transaction met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Where.
    pub path: String,
    /// Where their version was kept; `None` where it still stands.
    pub kept: Option<String>,
    /// What was met.
    pub detail: String,
}

/// The digests of everything a transaction was to change, before it and after its revert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// SHA-256 (hex) before.
    pub before: String,
    /// SHA-256 (hex) after.
    pub after: String,
}

/// How long a revision stood in good health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthMark {
    /// Since when, RFC 3339, by the host's clock: for people only.
    pub since: String,
    /// How long at least, in milliseconds of the clock that counts since the host's start.
    pub lasting_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_newer_fields_is_still_read() {
        let old = r#"{"v":1,"host":"h","seq":1,"prev":"00","at":"2026-01-01T00:00:00Z","kind":"deployment",
            "deployment":"d","revision":null,"base":null,"outcome":"reverted","reason":"r","trustSha256":"00",
            "policy":null,"steps":{"changed":0,"byKind":{}}}"#;
        let record: Record = serde_json::from_str(old).unwrap();
        assert_eq!(record.outcome, Outcome::Reverted);
        assert!(record.conflicts.is_empty());
        assert_eq!((record.commit, record.repo, record.host_key), (None, None, None));
        assert!(record.approvals.is_empty());
        assert_eq!(record.healthy, None);
    }

    #[test]
    fn a_kind_s_word_is_its_wire_form() {
        for kind in [Kind::Deployment, Kind::Drift, Kind::State, Kind::Alarm, Kind::Healthy] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
