//! What comes back from the world, and what it means when nothing good does.
//!
//! **Invariant:** each effect has one event that answers it, or [`Event::Failed`].

use std::sync::Arc;
use std::time::Duration;

use bowline_api::record::Conflict;
use bowline_model::bundle::Bundle;
use bowline_model::facts::Facts;
use bowline_model::generation::Generation;
use bowline_model::probe_call::Answer;
use bowline_model::release::Listing;
use bowline_model::survey::{Seen, Sight};
use bowline_model::tree::{Contents, Tree};
use bowline_model::unit::UnitState;

use crate::settings::Settings;
use crate::testing::Offer;
use crate::wish::Wish;

/// What came back from the world.
#[derive(Debug)]
pub enum Event {
    /// A cycle is asked for.
    Woke {
        /// What the agent was told.
        settings: Arc<Settings>,
        /// Now, since boot.
        now: Duration,
        /// Now, in seconds since 1970.
        wall: i64,
        /// What the host tells of itself.
        facts: Facts,
        /// The number of the next deployment.
        next_deployment: u64,
        /// What people ask of it.
        wish: Wish,
    },
    /// The repository answered; and what it says of the branch of this host's own.
    Fetched(Box<Bundle>, Offer),
    /// The marks are durable.
    Marked,
    /// The tree of a commit.
    Exported(Box<Tree>),
    /// Contents of files.
    Contents(Contents),
    /// What an archive holds; its files can be staged from now on.
    Obtained(Box<Listing>),
    /// The host as it stands.
    Seen(Sight),
    /// Everything is staged: stage roots, and which of them holds each step's slot.
    Staged {
        /// Stage roots.
        stages: Vec<String>,
        /// For each step, which.
        of_step: Vec<u16>,
    },
    /// The batch is done and durable.
    Applied,
    /// All programs were content.
    Checked,
    /// Units are told; those that could not be, with why.
    Notified(Vec<String>),
    /// Probes answered.
    Probed {
        /// What they saw.
        answers: Vec<Answer>,
        /// Now, since boot.
        now: Duration,
    },
    /// What was settled is durable; the generation that stands now, if it changed.
    Settled(Option<Arc<Generation>>),
    /// Steps are taken back and that is durable.
    Undone(Vec<Conflict>),
    /// Paths and units as they stand.
    Proved {
        /// Each path.
        seen: Vec<Seen>,
        /// Each unit; `None` where no service manager may be asked.
        units: Option<Vec<UnitState>>,
    },
    /// The stages are clean; what was kept for others.
    Cleaned(Vec<Conflict>),
    /// The plan was shown.
    Shown,
    /// It is recorded.
    Recorded,
    /// The effect did not come off.
    Failed(Failure),
}

/// Why an effect did not come off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means.
    pub weight: Weight,
    /// The stable code.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The world is to blame: again, later.
    Transient,
    /// The revision is to blame.
    Guilty,
}
