//! What `bowline-agent --once --json` and `bowline plan --json` print.
//!
//! **Invariant:** the outcome is one of the eight words, the code one that the documentation lists.

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::record::{Conflict, Proof};

/// One whole cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// How it ended.
    pub outcome: Outcome,
    /// The revision that was tried, else the one that stands.
    pub revision: Option<String>,
    /// The revision that stood before.
    pub base: Option<String>,
    /// One word for why: a condition's reason.
    pub reason: String,
    /// The stable code of a refusal, a wait or a failure; empty on success.
    pub code: String,
    /// Why, for people.
    pub detail: String,
    /// The commit that is to blame, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The deployment's id; `None` when none was begun.
    pub deployment: Option<String>,
    /// What was changed.
    pub steps: Vec<StepLine>,
    /// Somebody else's changes that were met.
    pub conflicts: Vec<Conflict>,
    /// The proof of a revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Probes that fail on the host as it stands now, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// What each gate says of the newest revision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<serde_json::Value>,
    /// When it was last proved that the newest revision is the newest; empty where nothing was judged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub freshness: String,
    /// Commits that it came by and nobody let in: what root keys said of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<serde_json::Value>,
    /// The policy in force, as far as it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyStanding>,
    /// The version of the root in force; `None` until a branch was judged.
    #[serde(rename = "rootVersion", default, skip_serializing_if = "Option::is_none")]
    pub root_version: Option<u64>,
    /// What a person should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The policy in force, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStanding {
    /// Its version.
    pub version: u64,
    /// From then on it lets nothing through but its own renewal, RFC 3339.
    pub expires: String,
    /// How it stands.
    pub state: PolicyState,
}

/// How long a policy is still in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyState {
    /// For more than 30 days.
    InForce,
    /// It ends within 30 days.
    ExpiresSoon,
    /// It ended.
    Expired,
}

impl Cycle {
    /// A cycle in which nothing was changed: its outcome, and reason, code and detail.
    pub fn plain(outcome: Outcome, (reason, code, detail): (&str, &str, &str)) -> Self {
        Self {
            outcome,
            revision: None,
            base: None,
            reason: reason.to_owned(),
            code: code.to_owned(),
            detail: detail.to_owned(),
            commit: None,
            deployment: None,
            steps: Vec::new(),
            conflicts: Vec::new(),
            proof: None,
            failing: Vec::new(),
            gates: Vec::new(),
            freshness: String::new(),
            adopted: Vec::new(),
            policy: None,
            root_version: None,
            warnings: Vec::new(),
        }
    }
}

/// One step, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
    /// The resource, as `Kind/name`.
    pub resource: String,
    /// What is done: create, replace, update, remove, run, restart.
    pub action: String,
    /// How it is taken back: exact, compensate, declared, none.
    pub class: String,
    /// Where, when the step has a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A plan, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// The revision it leads to.
    pub revision: String,
    /// What would be done, in order.
    pub steps: Vec<StepLine>,
    /// Resources whose change cannot be taken back.
    pub irreversible: Vec<String>,
    /// SHA-256 (hex) of the plan.
    pub digest: String,
    /// What a person should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}
