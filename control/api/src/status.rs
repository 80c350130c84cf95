//! What the agent answers to `GET /v1/status`.
//!
//! **Invariant:** whatever waits says for what, since when and until when.

use serde::{Deserialize, Serialize};

use crate::cycle::PolicyStanding;
use crate::outcome::Outcome;

/// The agent's state at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The host's name.
    pub name: String,
    /// The agent's version.
    pub version: String,
    /// The phase of the pipeline it is in.
    pub phase: String,
    /// Conditions in the manner of kstatus.
    pub conditions: Vec<Condition>,
    /// The revision last tried, as `branch@sha1:<id>`.
    pub last_attempted_revision: Option<String>,
    /// The revision last applied and kept.
    pub last_applied_revision: Option<String>,
    /// The committed generation.
    pub committed: Option<Committed>,
    /// The last deployment or cycle that ended.
    pub last: Option<Last>,
    /// What is waited for.
    pub waiting_for: Option<WaitingFor>,
    /// When the repository is asked next, RFC 3339.
    pub next_poll: Option<String>,
    /// How fresh the revision is known to be.
    pub freshness: String,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Changes that failed and are not tried again by themselves.
    pub quarantine: Vec<Quarantined>,
    /// What each gate says of the newest revision.
    pub gates: Vec<serde_json::Value>,
    /// Commits that it came by and nobody let in: what root keys said of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<serde_json::Value>,
    /// The policy in force; `None` until one was judged.
    pub policy: Option<PolicyStanding>,
    /// The version of the root in force: 1 is the first; `None` until a branch was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_version: Option<u64>,
    /// How reports reach the control service; `None` where none is named.
    pub control: Option<Control>,
    /// Where the local API listens, when not at its configured place.
    pub socket: Option<String>,
}

/// How reports reach the control service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// Where it is, without credentials.
    pub url: String,
    /// How it stands with it.
    pub state: Reporting,
    /// The newest record that it acknowledged.
    pub acked: u64,
    /// Records that it has not acknowledged.
    pub waiting: u64,
    /// About how many bytes those are.
    #[serde(default)]
    pub waiting_bytes: u64,
    /// How many bytes of records the host keeps.
    #[serde(default)]
    pub spool_bytes: u64,
    /// Records that were dropped before it acknowledged them, since the agent's start.
    #[serde(default)]
    pub dropped: u64,
    /// Since when it stands so, RFC 3339.
    pub since: String,
    /// What went wrong last; `None` when nothing did since records were taken.
    pub last_error: Option<String>,
}

/// How a host stands with its control service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reporting {
    /// Nothing was sent yet.
    Starting,
    /// Records are taken.
    Reporting,
    /// It does not answer, or not well; they are sent again later.
    Unreachable,
    /// It does not know the host's key, and no token made it known.
    Unenrolled,
    /// A person there decides on the host's key.
    Pending,
    /// The host's key was refused, or another took its place.
    Refused,
    /// It has other records of this host than the host itself.
    Forked,
    /// It wants records that the host does not have any more.
    Missing,
}

impl Reporting {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Reporting => "reporting",
            Self::Unreachable => "unreachable",
            Self::Unenrolled => "unenrolled",
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Forked => "forked",
            Self::Missing => "missing",
        }
    }
}

/// Beyond this part of what is kept, in hundredths, people hear of it: early enough to do something.
const NEARLY_FULL_PERCENT: u64 = 80;

impl Control {
    /// What a person should know of records that will soon be lost, if anything.
    pub fn spool_warning(&self) -> Option<String> {
        let percent = self.waiting_bytes.saturating_mul(100).checked_div(self.spool_bytes)?;
        (percent >= NEARLY_FULL_PERCENT).then(|| {
            format!(
                "records that wait for control at {} fill {} % of control.spool ({} of {} bytes): beyond it \
                 the oldest are dropped",
                self.url,
                percent.min(100),
                self.waiting_bytes,
                self.spool_bytes
            )
        })
    }

    /// What a person should know of it, if anything.
    pub fn warning(&self) -> Option<String> {
        if matches!(self.state, Reporting::Starting | Reporting::Reporting) {
            return None;
        }
        let why = self.last_error.as_deref().unwrap_or("nothing more is known");
        Some(format!(
            "control at {} is {} (records waiting: {}): {why}",
            self.url,
            self.state.word(),
            self.waiting
        ))
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Ready, Reconciling, Stalled, Healthy or `SourceVerified`; `Testing` where something is tried out on this
    /// host, or offered for that; `PolicyExpiring` where the policy ends within 30 days, or has ended.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// One word for why.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// The committed generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its number; rises by one with each commit.
    pub generation: u64,
    /// Its revision.
    pub revision: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// How the last deployment or cycle ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// The deployment; empty for a cycle that began none.
    pub deployment: String,
    /// The revision.
    pub revision: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// One word for why.
    pub reason: String,
    /// The stable code; empty on success.
    #[serde(default)]
    pub code: String,
    /// Why, for people.
    pub detail: String,
    /// When, RFC 3339.
    pub at: String,
}

/// What the agent waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingFor {
    /// The kind of thing: poll, backoff, probe, person.
    pub kind: String,
    /// Who holds it.
    pub holder: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Until when, RFC 3339; `None` when nobody knows.
    pub until: Option<String>,
    /// For people.
    pub detail: String,
}

/// A change that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The revision in which it failed.
    pub revision: String,
    /// The resources it changed.
    pub resources: Vec<String>,
    /// Why it was taken back.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}
