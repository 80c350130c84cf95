//! What every contender is asked to do.
//!
//! **Invariant:** each phase is one run of the contender's own program, weighed as a whole.

use std::path::Path;

use anyhow::Result;

use crate::weigh::Weight;

/// A program that brings a root to the desired state.
pub(crate) trait Contender {
    /// How it is shown.
    fn name(&self) -> &str;
    /// Where it brings the state to.
    fn root(&self) -> &Path;
    /// Forgets every earlier run, and empties the root.
    fn reset(&self) -> Result<()>;
    /// One run: whatever differs is brought to the desired state.
    fn run(&self) -> Result<Weight>;
}
