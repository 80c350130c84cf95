//! A commit that nobody let in, and that root keys let stay.
//!
//! **Invariant:** it says only what was signed, and what was wrong with the commit.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::object_id::ObjectId;

/// A commit that was adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adopted {
    /// The commit.
    pub commit: ObjectId,
    /// Why nobody let it in: a stable code.
    pub code: String,
    /// Why it was adopted.
    pub reason: String,
    /// Who signed that, as the root names them.
    pub signers: Vec<String>,
    /// When.
    pub issued: Timestamp,
    /// People whose approval its parent's policy asks for; of what is adopted nobody asks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals_waived: Option<u32>,
}
