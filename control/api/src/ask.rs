//! What a changing call of the local API says, and what it is answered.
//!
//! **Invariant:** a call that only asks what would happen says so in its body, and changes nothing.

use serde::{Deserialize, Serialize};

use crate::cycle::PlanView;
use crate::outcome::Outcome;

/// The body of `POST /v1/{sync,pause,resume,revert,retry}`; an empty body says nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ask {
    /// Why: for pause and revert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long, such as `2h`: for pause.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// Only what would happen.
    pub dry_run: bool,
}

/// A cycle was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Always true.
    pub asked: bool,
    /// The number of the cycle that answers it: `outcome` events of `/v1/events` carry theirs.
    pub cycle: u64,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Who paused.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Until when, RFC 3339; `None`: until somebody resumes.
    pub until: Option<String>,
}

/// What was changed at once, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Changed {
    /// Whether it was only asked what would happen.
    pub dry_run: bool,
    /// The pause that holds from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// The pause that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Paused>,
    /// The cycle that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycle: Option<u64>,
}

/// What a cycle would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// How it would end, as far as a plan can tell.
    pub would: Outcome,
    /// The stable code of what is in the way; empty when nothing is.
    pub code: String,
    /// What is in the way, for people.
    pub detail: String,
    /// The plan; `None` when none can be made.
    pub plan: Option<PlanView>,
}

/// The end of one cycle, as an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// Its number since the agent's start.
    pub number: u64,
    /// How it ended.
    pub cycle: crate::cycle::Cycle,
}

/// Names of events of `/v1/events`.
pub mod event {
    /// The loop is in another phase: `{"phase": …}`.
    pub const PHASE: &str = "phase";
    /// A cycle ended: [`Over`](super::Over).
    pub const OUTCOME: &str = "outcome";
    /// Something was recorded: [`Record`](crate::record::Record).
    pub const RECORD: &str = "record";
    /// The listener was too slow; events are missing, and none follow.
    pub const LAGGED: &str = "lagged";
}
