//! Errors over HTTP: `application/problem+json` (RFC 9457).
//!
//! **Invariant:** every error names what to do about it or where to look.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What kind of error, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and what to do.
    pub detail: String,
}
