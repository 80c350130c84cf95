//! What is asked of the loop, and who waits for an answer.
//!
//! **Invariant:** one errand waits at most: whoever comes second is told so, and asks again.

use bowline_api::ask::Rehearsal;
use bowline_api::cycle::{Cycle, PlanView};
use bowline_api::outcome::Outcome;
use tokio::sync::oneshot;

/// What was asked of the loop.
#[derive(Debug, Default)]
pub struct Asked {
    /// A cycle now, or a look.
    pub look: Look,
    /// The end.
    pub stop: bool,
    /// Something new since a loop that does not listen was woken last: each thing wakes it once.
    pub knocked: bool,
    /// A look at what was changed from outside.
    pub glance: Glance,
    /// Something else than the newest revision, or only a plan.
    pub errand: Option<Errand>,
}

/// How the host is looked at without an errand; the later includes the earlier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Not before it is time.
    #[default]
    None,
    /// At once: something may have changed there.
    Hint,
    /// At once and in full, and the remote is asked.
    Thorough,
}

/// What was changed from outside; the later includes the earlier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Glance {
    /// Nothing.
    #[default]
    None,
    /// The pause: what is waited for is told anew.
    Pause,
    /// Settings and trust file, perhaps: they are read.
    Settings,
}

/// One thing that somebody wants.
#[derive(Debug)]
pub struct Errand {
    /// What.
    pub want: Want,
    /// Who waits for the plan, when only that is wanted.
    pub rehearsal: Option<oneshot::Sender<Rehearsal>>,
}

impl Errand {
    /// Whether whoever asked for the plan has gone.
    pub(crate) fn is_forsaken(&self) -> bool {
        self.rehearsal.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// A cycle as any other.
    Sync,
    /// A cycle as after the end of the pause.
    Resume,
    /// Back to the generation before.
    Revert {
        /// Who asks, and why.
        because: String,
    },
    /// What failed, once more.
    Retry,
}

/// Somebody else's errand waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl Asked {
    /// Whether the loop goes on resting.
    pub(crate) fn is_quiet(&self) -> bool {
        self.look == Look::None && self.is_hint_at_most()
    }

    /// Whether nothing was asked but a look at the host, if that.
    pub(crate) fn is_hint_at_most(&self) -> bool {
        let little = self.look < Look::Thorough && self.glance == Glance::None;
        little && !self.stop && self.errand.is_none()
    }

    /// Takes everything but the end, which stays.
    pub(crate) fn take(&mut self) -> Self {
        let stop = self.stop;
        std::mem::replace(self, Self { stop, ..Self::default() })
    }
}

/// What a cycle that only planned tells.
pub(crate) fn rehearsal(plan: Option<PlanView>, cycle: &Cycle) -> Rehearsal {
    match plan {
        Some(plan) => {
            let nothing = plan.steps.is_empty();
            let would = if nothing { Outcome::Unchanged } else { Outcome::Committed };
            Rehearsal { would, code: String::new(), detail: String::new(), plan: Some(plan) }
        }
        None => Rehearsal {
            would: cycle.outcome,
            code: cycle.code.clone(),
            detail: cycle.detail.clone(),
            plan: None,
        },
    }
}
