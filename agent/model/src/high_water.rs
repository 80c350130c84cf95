//! How far this host has verified: the marks below which it never goes.
//!
//! **Invariant:** marks only rise; a repository that offers less is refused.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::object_id::ObjectId;

/// The last verified commit and the policy in force there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HighWater {
    /// SHA-256 of the trust file under which this was verified.
    pub trust_sha256: Sha256,
    /// The newest commit whose whole first-parent range passed.
    pub head: ObjectId,
    /// SHA-256 of that commit's raw bytes.
    pub head_sha256: Sha256,
    /// Version of the policy in that commit.
    pub policy_version: u64,
    /// SHA-256 of that policy's bytes.
    pub policy_sha256: Sha256,
    /// The latest committer time of a verified commit, in seconds since 1970: the clock may not be
    /// behind it.
    pub highest_time: i64,
}
