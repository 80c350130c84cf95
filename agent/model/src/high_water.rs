//! How far this host has verified: the marks below which it never goes.
//!
//! **Invariant:** marks only rise; a repository that offers less is refused.
//! **Invariant:** lists in it are bounded by whoever writes it, for it is written at each step.

use serde::{Deserialize, Serialize};

use crate::adopted::Adopted;
use crate::digest::Sha256;
use crate::object_id::ObjectId;
use crate::trust_root::RepoIdentity;

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
    /// The newest commit whose gates were met. They are not asked for again when evidence ages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<ObjectId>,
    /// What this host was when that one's gates were judged: names of environments. Whatever comes next meets
    /// their gates too, so that no commit takes a host out of an environment without meeting its gates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Commits above it that wait for their gates, oldest first; `head` is the last of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// The version of the root in force there; `None` where an agent of before wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_version: Option<u64>,
    /// Commits that were adopted, above the newest that met its gates: what comes by them says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adopted>,
    /// Approvals that were used and have not expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// When the head was last proved to be the branch's, in seconds since 1970, by a signed statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<i64>,
    /// Trees that this host committed in good health, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub healthy: Vec<ObjectId>,
    /// Trees that were let through while a gate was skipped, oldest first: nobody knows that they are sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hurried: Vec<ObjectId>,
    /// What gates said of `cleared` when they let it through, as records have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<serde_json::Value>,
    /// Adopted commits that `cleared` came by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub came_by: Vec<Adopted>,
    /// The repository and branch that all this is of; `None` where an agent of before wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoIdentity>,
}

/// Trees of one kind that are remembered: whoever reverts goes back by some merges, not by a hundred.
const TREES_MAX: usize = 64;

impl HighWater {
    /// Whether versions in it count for a repository and branch. Those of another one say nothing of this.
    pub fn is_of(&self, repo: &RepoIdentity) -> bool {
        self.repo.as_ref().is_none_or(|it| it == repo)
    }

    /// Commits whose gates are still to be looked at, oldest first.
    pub fn in_question(&self) -> Vec<ObjectId> {
        let mut ids: Vec<_> = self.waiting.iter().map(|it| it.commit).collect();
        if self.cleared != Some(self.head) && !ids.contains(&self.head) {
            ids.push(self.head);
        }
        ids
    }

    /// Remembers a tree that this host committed in good health, unless gates of it were skipped.
    pub fn note_healthy(&mut self, tree: ObjectId) {
        if !self.hurried.contains(&tree) {
            note(&mut self.healthy, tree);
        }
    }

    /// Remembers a tree that was let through in a hurry.
    pub fn note_hurried(&mut self, tree: ObjectId) {
        note(&mut self.hurried, tree);
    }

    /// Forgets the hurry: every gate was met.
    pub fn note_judged(&mut self, tree: ObjectId) {
        self.hurried.retain(|it| *it != tree);
    }
}

/// Puts a tree at the end of a list that holds it once.
fn note(trees: &mut Vec<ObjectId>, tree: ObjectId) {
    if trees.last() == Some(&tree) {
        return;
    }
    trees.retain(|it| *it != tree);
    trees.push(tree);
    let surplus = trees.len().saturating_sub(TREES_MAX);
    trees.drain(..surplus);
}

/// A verified commit that waits for its gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiting {
    /// The commit.
    pub commit: ObjectId,
    /// SHA-256 of its raw bytes.
    pub commit_sha256: Sha256,
}

/// An approval that was used: it approves nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spent {
    /// SHA-256 of what was signed.
    pub sha256: Sha256,
    /// The commit that it was used for.
    pub commit: ObjectId,
    /// When it expires, in seconds since 1970.
    pub until: i64,
}
