//! What one host tries out of a branch of its own.
//!
//! **Invariant:** it is known by what both branches named when it was chosen: whatever moves ends it.

use std::sync::Arc;

use bowline_model::object_id::ObjectId;
use bowline_model::revision::Revision;

use crate::ending::Ending;
use crate::settings::Settings;

/// The code of a test that went well and is taken back.
pub(crate) const OVER: &str = "testing-over";

/// The branch of one host's own.
pub(crate) fn branch_of(host: &str) -> String {
    format!("testing-{host}")
}

/// A revision that is tried out and never becomes the committed one.
#[derive(Debug, Clone)]
pub struct Testing {
    /// The revision.
    pub revision: Revision,
    /// What the branch and the host's own named when it was chosen.
    pub tips: [ObjectId; 2],
}

/// A trial that is over well and goes on until something moves.
#[derive(Debug, Clone)]
pub struct Tested {
    /// What is tried out.
    pub testing: Testing,
    /// What the agent was told when it began.
    pub settings: Option<Arc<Settings>>,
    /// What is said of it at each look.
    pub ending: Ending,
}
