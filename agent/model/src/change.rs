//! A change: one resource, and what it is to become.
//!
//! **Invariant:** two changes are the same if they ask for the same state of the same resource.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// One resource and what it should become.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The resource, as `Kind/name`.
    pub resource: String,
    /// Digest of its desired state; secret values left out.
    pub digest: Sha256,
}
