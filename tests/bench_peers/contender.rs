//! What every contender is asked to do.
//!
//! **Invariant:** each phase is one run of the contender's own program, weighed as a whole.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

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

/// Empties a root by moving it aside. Removing ten thousand files would slow down whoever makes new
/// ones next: ext4 looks past numbers that were given up in the last minutes.
pub(crate) fn put_away(root: &Path) -> Result<()> {
    // Each lap of each phase leaves one; names are never used twice.
    let free = |number: &u32| !root.with_extension(format!("old-{number}")).exists();
    let number = (0..).find(free).context("too many old roots")?;
    if root.exists() {
        fs::rename(root, root.with_extension(format!("old-{number}")))
            .with_context(|| format!("move {} aside", root.display()))?;
    }
    fs::create_dir_all(root).with_context(|| format!("make {}", root.display()))
}
