//! How a cycle ends.
//!
//! **Invariant:** an ending says what became of the newest revision, also when an older one was looked
//! after.

use bowline_api::cycle::Cycle;

/// How a cycle ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// For people and programs.
    pub cycle: Cycle,
    /// Whether it is tried again soon.
    pub again: bool,
}
