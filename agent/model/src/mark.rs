//! What the journal holds: one record before every effect, one decision, one end.
//!
//! **Invariant:** `Decide` is the only commit point; nothing is announced before `End` is durable.
//! **Invariant:** from its marks alone a transaction can be taken back: without network, Git or secrets.

use serde::{Deserialize, Serialize};

use bowline_api::outcome::Outcome;
use bowline_api::record::{Conflict, Proof};

use crate::change::Change;
use crate::digest::Sha256;
use crate::generation::Quarantine;
use crate::revision::Revision;
use crate::step::{Handler, Step};

/// Largest journal: one for 200,000 steps is smaller, and recovery reads it whole.
pub const JOURNAL_BYTES_MAX: u64 = 512 << 20;

/// One record of the journal.
#[allow(
    clippy::large_enum_variant,
    reason = "a transaction has one opening and some tens of marks"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "camelCase", deny_unknown_fields)]
pub enum Mark {
    /// A transaction is about to stage. Nothing that another program reads is touched yet.
    Open(Opening),
    /// Everything new lies in the stages and was read back.
    Staged {
        /// The stage of each filesystem, by the number that steps carry.
        stages: Vec<String>,
    },
    /// From here on the host may be half-changed.
    Begin {
        /// Digest of the plan.
        plan: Sha256,
        /// Resources whose change cannot be taken back.
        irreversible: Vec<String>,
    },
    /// These steps are about to be done.
    StepIntent {
        /// The steps, whole.
        steps: Vec<Step>,
    },
    /// These steps are done, and a barrier made them durable.
    StepDone {
        /// First step.
        from: u32,
        /// Last step.
        to: u32,
    },
    /// These units are about to be told.
    Handlers {
        /// In this order.
        list: Vec<Handler>,
    },
    /// Everything is in place; probes follow.
    Applied,
    /// A probe changed its mind.
    Probe {
        /// Its name.
        name: String,
        /// Whether it is content.
        passed: bool,
        /// What it saw.
        detail: String,
    },
    /// What is tried out passed its trial, and rests: what ends it now says nothing of the change.
    Tried,
    /// The agent was asked to stop before a decision.
    Stopped,
    /// The one decision.
    Decide {
        /// Which way.
        verdict: Verdict,
        /// Why.
        why: Why,
    },
    /// These steps are about to be taken back, last first.
    UndoIntent {
        /// Last step.
        from: u32,
        /// First step.
        to: u32,
    },
    /// They are taken back, and a barrier made that durable.
    UndoDone {
        /// Last step.
        from: u32,
        /// First step.
        to: u32,
        /// Somebody else's changes that were met.
        conflicts: Vec<Conflict>,
    },
    /// The transaction is over.
    End {
        /// How.
        outcome: Outcome,
        /// The proof of a revert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Proof>,
    },
}

/// What a transaction is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Opening {
    /// The deployment's id.
    pub deployment: String,
    /// The revision it leads to.
    pub revision: Revision,
    /// The revision that stands.
    pub base: Option<Revision>,
    /// The committed generation that stands; 0 for none.
    pub generation: u64,
    /// Digest of the plan.
    pub plan: Sha256,
    /// SHA-256 of the trust file by which it was verified.
    pub trust: Sha256,
    /// The boot in which it began.
    pub boot: String,
    /// Which try of this plan it is, from 1.
    pub attempt: u32,
    /// Whether the revision is new, or the host drifted.
    pub cause: Cause,
    /// Resource and digest of what is changed: what is quarantined if it fails.
    pub delta: Vec<Change>,
    /// Room that the journal reserves, so that going back needs no new blocks.
    pub journal_bytes: u64,
    /// The change that somebody asked to be taken back, quarantined once this is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraws: Option<Box<Quarantine>>,
}

/// Why there is something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A new revision asks for it.
    Intentional,
    /// The host drifted from the revision it runs.
    Corrective,
}

/// Which way a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Keep it.
    Commit,
    /// Take it back.
    Revert,
}

/// Why a decision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// One word: a condition's reason.
    pub reason: String,
    /// The stable code.
    pub code: String,
    /// For people.
    pub detail: String,
    /// Whether the change itself is to blame; else it is tried again.
    pub blame: Blame,
}

/// Who is to blame for a revert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The change: it is quarantined.
    Change,
    /// The world: it is tried again, after a while.
    World,
    /// Nobody: it was kept.
    Nobody,
}
