//! What one host tries out of a branch of its own.
//!
//! **Invariant:** it is known by what both branches named when it was chosen: whatever moves ends it.

use std::sync::Arc;
use std::time::Duration;

use bowline_model::bundle::Bundle;
use bowline_model::generation::Generation;
use bowline_model::object_id::ObjectId;
use bowline_model::revision::Revision;

use crate::compile::Compiled;
use crate::ending::Ending;
use crate::settings::Settings;
use crate::verify::Verified;

/// The code of a test that went well and is taken back.
pub(crate) const OVER: &str = "testing-over";

/// The branch of one host's own.
pub fn branch_of(host: &str) -> String {
    format!("testing-{host}")
}

/// What a remote says of the branch of this host's own.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// What it holds above the branch that everybody follows; `None` when there is nothing.
    pub bundle: Option<Box<Bundle>>,
    /// The remote's place in the order of the settings, from 0; `None` when none was asked.
    pub place: Option<usize>,
}

/// A revision that is tried out and never becomes the committed one.
#[derive(Debug, Clone)]
pub struct Testing {
    /// The revision.
    pub revision: Revision,
    /// What the branch and the host's own named when it was chosen.
    pub tips: [ObjectId; 2],
    /// The place of the remote that named them.
    pub place: usize,
    /// What it asks for, and what would stand if it were kept; known once it is staged.
    pub wish: Option<(Arc<Compiled>, Arc<Generation>)>,
}

/// What may be tried out, and the proof that it may.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What.
    pub testing: Testing,
    /// The proof.
    pub verified: Box<Verified>,
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
    /// What is wrong with asking the remotes, and since when one that knows less says that it is over.
    pub doubt: Option<String>,
    /// Since when, since boot.
    pub doubted: Option<Duration>,
    /// What is not as it is tried out.
    pub drift: Option<String>,
}

/// Why what is offered is not tried out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untried {
    /// One word: a condition's reason.
    pub reason: String,
    /// For people.
    pub detail: String,
}

/// A test that ended because its branch moved or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// What the branch named.
    pub tip: ObjectId,
    /// The place of the remote that said so: who is asked after it may only know less.
    pub place: usize,
}
