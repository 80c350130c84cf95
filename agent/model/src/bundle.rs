//! What a fetch brought: raw and untrusted.
//!
//! **Invariant:** nothing here has been judged. A bundle says what the repository *holds*; only
//! bowline-trust says what of it counts.

use std::sync::Arc;

use crate::digest::Sha256;
use crate::object_id::{ObjectFormat, ObjectId};
use crate::tree::Contents;

/// The first-parent history that a fetch brought, from the commit this host last verified (or its
/// anchor) to the tip of the ref.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// How the repository names objects.
    pub format: ObjectFormat,
    /// What the ref points at now.
    pub tip: ObjectId,
    /// The commit to start from: the last verified head, else the anchor. `None`: the repository
    /// does not hold it.
    pub start: Option<CommitEvidence>,
    /// First-parent commits above `start`, oldest first, ending with the tip. Empty when the tip is
    /// the start. When the walk from the tip did not meet `start`, what was met instead.
    pub commits: Vec<CommitEvidence>,
    /// The walk stopped at its limit before it met `start`.
    pub cut_short: bool,
    /// Commits that were verified and wait for their gates, oldest first, as the marks name them.
    pub waiting: Vec<CommitEvidence>,
}

/// One commit, as it came.
#[derive(Debug, Clone)]
pub struct CommitEvidence {
    /// The id under which the repository keeps it.
    pub id: ObjectId,
    /// The raw object, without the loose-object header.
    pub raw: Arc<[u8]>,
    /// `.bowline/policy.yaml` in its tree.
    pub policy: PathEvidence,
    /// `.bowline/policy.dsse.json` in its tree.
    pub policy_envelope: PathEvidence,
    /// `.bowline/root.jsonl` in its tree.
    pub roots: PathEvidence,
    /// Its tree differs from its first parent's in those three files at most. An expired policy lets
    /// nothing else through; whoever compared the trees answers for it, and `false` is the safe
    /// answer.
    pub outside_policy_unchanged: bool,
    /// What was found besides.
    pub beside: Beside,
}

/// What was found besides a commit, as far as the policies on the walk ask for any of it.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Envelopes from notes: on the commit, on its tree, on its change, on the commits it merged.
    pub attestations: Vec<Arc<[u8]>>,
    /// What it changes after its first parent; `None` when nobody asked, or it could not be listed.
    pub change: Option<Change>,
    /// Commits that it brought in besides its first parent's, raw, newest first.
    pub side: Vec<Arc<[u8]>>,
    /// There are more of those than are looked at, or one could not be read.
    pub side_cut_short: bool,
    /// The newest envelope that says that a branch named this commit.
    pub head: Option<Arc<[u8]>>,
    /// Envelopes from notes on the commit in which root keys speak of commits.
    pub root_statements: Vec<Arc<[u8]>>,
    /// Files of its tree that may hold manifests.
    pub manifests: RawManifests,
}

/// Files of a tree that may hold manifests, unparsed.
#[derive(Debug, Clone, Default)]
pub enum RawManifests {
    /// Nobody asked for them.
    #[default]
    Unasked,
    /// All of them below the repository's own folder, by path from the tree's root; shared between commits that
    /// hold the same ones. Folders of contents are left out.
    Files(Arc<Contents>),
    /// There is too much of them, or one cannot be read: never a part of them.
    Unreadable {
        /// Why, for people.
        why: String,
    },
}

/// The name of a change: digests of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// SHA-256 of the list.
    pub sha256: Sha256,
    /// The list's id as a Git blob: what notes on the change hang on.
    pub blob: ObjectId,
}

/// What a tree holds at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEvidence {
    /// Nothing.
    Missing,
    /// A regular file (mode 100644 or 100755), with its bytes.
    Blob {
        /// The blob's id.
        id: ObjectId,
        /// Its content; shared between commits that hold the same blob.
        bytes: Arc<[u8]>,
    },
    /// A link, a folder, a submodule, or a blob over the size limit.
    Other {
        /// What stands there, for people: "symlink", "folder", "submodule", "too large".
        what: &'static str,
    },
}
