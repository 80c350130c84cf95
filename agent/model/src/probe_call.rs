//! One probe as it is carried out, and what came of it.
//!
//! **Invariant:** a probe's answer is passed or not; anything that went wrong is not passed, with why.

use serde::{Deserialize, Serialize};

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The probe's name.
    pub name: String,
    /// Whether it was content.
    pub passed: bool,
    /// What it saw.
    pub detail: String,
}
