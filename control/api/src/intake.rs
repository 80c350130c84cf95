//! What the control service answers to a host's records.
//!
//! **Invariant:** what is acknowledged is durable; a host may forget it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// The media type of records on their way: one DSSE envelope a line.
pub const MEDIA_TYPE: &str = "application/x-ndjson";

/// Everything up to here is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acked {
    /// The sequence of the newest record that is kept.
    pub acked: u64,
}

/// Records that are not taken because of their key, or of what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotTaken {
    /// The error.
    #[serde(flatten)]
    pub problem: Problem,
    /// How the key stands: `unknown`, `pending`, `refused` or `retired`; `unreadable-record` for a record that
    /// could not be shown, `sequence-too-large` for one that no chain has, `client-certificate` where a host has to
    /// show one; nothing where it is another's signature or name that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What [`NotTaken::code`] says of a record that its signer's key proves and that no reader can read whole.
pub const UNREADABLE: &str = "unreadable-record";

/// What [`NotTaken::code`] says where a host has to show a certificate and did not.
pub const NO_CERTIFICATE: &str = "client-certificate";

/// What [`NotTaken::code`] says of a record whose sequence is beyond [`SEQ_MAX`](crate::record::SEQ_MAX).
pub const FAR_AHEAD: &str = "sequence-too-large";

/// What [`NotTaken::code`] says of a key that nobody enrolled.
pub const UNKNOWN_KEY: &str = "unknown";

/// Records that do not continue the host's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// The error.
    #[serde(flatten)]
    pub problem: Problem,
    /// How: `gap` or `fork`.
    pub code: String,
    /// The sequence of the newest record that is kept; 0 for none.
    pub acked: u64,
    /// The sequence that comes next.
    pub expected: u64,
    /// What its `prev` must be.
    pub expected_prev: String,
    /// The sequence that was sent.
    pub seq: u64,
}
