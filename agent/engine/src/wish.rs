//! What people ask of one cycle, beside the newest revision.
//!
//! **Invariant:** a wish lasts for one cycle; what outlasts it is in the ledger or in the pause.

use bowline_model::generation::Generation;
use bowline_model::revision::Revision;

/// What is asked of a cycle.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whether every file is to be read.
    pub thorough: bool,
    /// Something on the host may have changed: every path is looked at, and the remote is not asked.
    pub hint: bool,
    /// Only the plan is wanted: nothing is staged, nothing told of.
    pub dry: bool,
    /// Who paused the agent and why, in one line: the host is looked at and not changed.
    pub paused: Option<String>,
    /// Something else than the newest revision.
    pub order: Option<Order>,
}

/// What a person orders. A pause does not hold it: the person could end the pause as well.
#[derive(Debug, Clone)]
pub enum Order {
    /// Back to the generation before the committed one.
    Revert {
        /// That generation; `None` when the host keeps none.
        to: Option<Box<Generation>>,
        /// Who asks, and why, in one line.
        because: String,
    },
    /// The newest revision once more, also if its change failed before.
    Retry,
}

impl Wish {
    /// Whether the cycle goes back to an earlier generation.
    pub(crate) fn is_revert(&self) -> bool {
        matches!(self.order, Some(Order::Revert { .. }))
    }

    /// Whether this revision is the one that is gone back to.
    pub(crate) fn goes_back_to(&self, revision: &Revision) -> bool {
        match &self.order {
            Some(Order::Revert { to: Some(to), .. }) => to.revision == *revision,
            _ => false,
        }
    }

    /// Whether what failed before is tried once more.
    pub(crate) fn is_retry(&self) -> bool {
        matches!(self.order, Some(Order::Retry))
    }
}
