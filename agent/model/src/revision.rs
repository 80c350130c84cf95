//! A commit as this host sees it.
//!
//! **Invariant:** a revision always carries the SHA-256 of the raw commit beside Git's own id.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::object_id::{ObjectFormat, ObjectId};

/// A commit as this host sees it; shown as `main@sha1:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revision {
    /// The branch's short name.
    pub branch: String,
    /// The commit.
    pub commit: ObjectId,
    /// SHA-256 of the raw commit.
    pub commit_sha256: Sha256,
    /// Its tree.
    pub tree: ObjectId,
}

impl Revision {
    /// The short name of a full ref.
    pub fn branch_of(full_ref: &str) -> &str {
        full_ref.strip_prefix("refs/heads/").unwrap_or(full_ref)
    }

    /// A commit of a branch as it is shown: `main@sha1:<id>`.
    pub fn name(branch: &str, commit: &ObjectId) -> String {
        let format = match commit.format() {
            ObjectFormat::Sha1 => "sha1",
            ObjectFormat::Sha256 => "sha256",
        };
        format!("{branch}@{format}:{commit}")
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::name(&self.branch, &self.commit))
    }
}
