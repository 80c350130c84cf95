//! The first-parent history between two commits, as evidence.
//!
//! **Invariant:** nothing is judged and nothing left out: the first commit that does not parse is in
//! the bundle, and the walk ends there.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, CommitEvidence, PathEvidence};
use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::object_id::ObjectId;
use bowline_trust::commit::{Commit, LARGEST_COMMIT};
use git2::{ObjectType, Odb, OdbObject, Oid};
use thiserror::Error;

use super::objects::{Mode, NoObject, RawEntry, entries, read, read_tree};
use super::{Repository, RepositoryFailure, object_id, oid};
use crate::failure::Kind;

/// No policy is larger.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// No history of policies is larger; beyond it each one counts as too large.
const POLICIES_BYTES_MAX: u64 = 64 << 20;

/// No history of commits is larger: what is longer is walked in parts, or is no history.
const WALK_BYTES_MAX: usize = 256 << 20;

/// Looks at trees kept while walking: a commit's and its parent's are needed, and policies are shared.
const TREES_KEPT_MAX: usize = 4_096;

/// The history could not be read.
#[derive(Debug, Error)]
pub enum HistoryFailure {
    /// The repository cannot be read.
    #[error("walk the history")]
    Repository(#[from] RepositoryFailure),
    /// An object that should be here is not, or not as it was written.
    #[error("walk the history: {id} {why}")]
    Object {
        /// The object.
        id: ObjectId,
        /// What is wrong with it.
        why: String,
    },
    /// What the tip names is no commit.
    #[error("walk the history: {id} is a {found}, not a commit")]
    NotACommit {
        /// The object.
        id: ObjectId,
        /// What it is.
        found: String,
    },
    /// A commit larger than any real one.
    #[error("walk the history: commit {id} has {size} bytes, and {LARGEST_COMMIT} are allowed")]
    TooLarge {
        /// The commit.
        id: ObjectId,
        /// Its size.
        size: usize,
    },
}

impl HistoryFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Repository(failure) => failure.kind(),
            Self::Object { .. } => Kind::Transient,
            Self::NotACommit { .. } | Self::TooLarge { .. } => Kind::Refused,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repository(failure) => failure.code(),
            Self::Object { .. } => "missing-object",
            Self::NotACommit { .. } => "not-a-commit",
            Self::TooLarge { .. } => "too-large",
        }
    }
}

impl Repository {
    /// Collects first-parent commits from `tip` down to `from`, at most `commits_max`.
    pub fn history(
        &self,
        tip: &ObjectId,
        from: &ObjectId,
        commits_max: usize,
    ) -> Result<Bundle, HistoryFailure> {
        let odb = &self.odb;
        let mut seen = Trees::of(odb);
        let mut commits = Vec::new();
        let mut next = Some(*tip);
        let (mut cut_short, mut bytes) = (false, 0);
        while let Some(id) = next.filter(|id| id != from) {
            if commits.len() >= commits_max || bytes > WALK_BYTES_MAX {
                cut_short = true;
                break;
            }
            let raw = match seen.commit(id) {
                Ok(raw) => raw,
                // A shallow repository ends somewhere; what was met is evidence enough.
                Err(HistoryFailure::Object { .. }) if !commits.is_empty() => break,
                Err(failure) => return Err(failure),
            };
            bytes += raw.len();
            let parsed = Commit::parse(&raw, id.format()).ok();
            commits.push(seen.evidence(id, raw, parsed.as_ref())?);
            next = parsed.and_then(|it| it.parents.first().copied());
        }
        commits.reverse();
        let start = match seen.commit(*from) {
            Ok(raw) => {
                let parsed = Commit::parse(&raw, from.format()).ok();
                Some(seen.evidence(*from, raw, parsed.as_ref())?)
            }
            Err(HistoryFailure::Object { .. } | HistoryFailure::NotACommit { .. }) => None,
            Err(failure) => return Err(failure),
        };
        let waiting = Vec::new();
        Ok(Bundle { format: tip.format(), tip: *tip, start, commits, cut_short, waiting })
    }

    /// One commit as evidence.
    pub(super) fn commit_evidence(&self, id: ObjectId) -> Result<CommitEvidence, HistoryFailure> {
        let mut seen = Trees::of(&self.odb);
        let raw = seen.commit(id)?;
        let parsed = Commit::parse(&raw, id.format()).ok();
        seen.evidence(id, raw, parsed.as_ref())
    }

    /// The tree of a commit that can be read.
    pub(super) fn tree_of(&self, commit: &ObjectId) -> Option<Oid> {
        let raw = Trees::of(&self.odb).commit(*commit).ok()?;
        oid(&Commit::parse(&raw, commit.format()).ok()?.tree)
    }
}

/// Trees that were looked at, with what was seen.
struct Trees<'o> {
    odb: &'o Odb<'o>,
    tops: HashMap<Oid, Rc<Top>>,
    folders: HashMap<Oid, Rc<Folder>>,
    blobs: HashMap<Oid, Arc<[u8]>>,
    /// Bytes of policies that were read.
    bytes: u64,
}

/// A commit's tree, as far as policies are concerned.
struct Top {
    /// Digest over everything else than the `.bowline` folder.
    rest: Sha256,
    folder: Option<Rc<Folder>>,
}

/// A `.bowline` folder.
struct Folder {
    /// Digest over everything else than the three files of the policy and its roots.
    rest: Sha256,
    policy: PathEvidence,
    envelope: PathEvidence,
    roots: PathEvidence,
}

impl Folder {
    /// A tree that readers may read in different ways says nothing about the policy.
    fn malformed(tree: &[u8]) -> Rc<Self> {
        let other = PathEvidence::Other { what: "in a malformed tree" };
        let (policy, envelope) = (other.clone(), other.clone());
        Rc::new(Self { rest: Sha256::of(tree), policy, envelope, roots: other })
    }
}

impl<'o> Trees<'o> {
    fn of(odb: &'o Odb<'o>) -> Self {
        let (tops, folders, blobs) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { odb, tops, folders, blobs, bytes: 0 }
    }

    /// The raw commit of this id.
    fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, HistoryFailure> {
        let missing = |why: &str| HistoryFailure::Object { id, why: why.to_owned() };
        let oid = oid(&id).ok_or_else(|| missing("is named by SHA-256"))?;
        match read(self.odb, oid, ObjectType::Commit, LARGEST_COMMIT as u64) {
            Ok(object) => Ok(Arc::from(object.data())),
            Err(NoObject::Kind(found)) => {
                Err(HistoryFailure::NotACommit { id, found: found.to_string() })
            }
            Err(NoObject::TooLarge(size)) => Err(HistoryFailure::TooLarge { id, size }),
            Err(other) => Err(object_failure(oid, &other)),
        }
    }

    /// What stands in the tree of a commit that parsed.
    fn evidence(
        &mut self,
        id: ObjectId,
        raw: Arc<[u8]>,
        commit: Option<&Commit>,
    ) -> Result<CommitEvidence, HistoryFailure> {
        let (mut policy, mut policy_envelope) = (PathEvidence::Missing, PathEvidence::Missing);
        let mut roots = PathEvidence::Missing;
        let mut outside_policy_unchanged = false;
        if let Some(commit) = commit {
            let top = self.top(commit.tree)?;
            if let Some(folder) = &top.folder {
                (policy, policy_envelope) = (folder.policy.clone(), folder.envelope.clone());
                roots.clone_from(&folder.roots);
            }
            outside_policy_unchanged = self.only_policy_changed(&top, commit);
        }
        let beside = Beside::default();
        Ok(CommitEvidence {
            id,
            raw,
            policy,
            policy_envelope,
            roots,
            outside_policy_unchanged,
            beside,
        })
    }

    /// A parent that cannot be read may differ in anything.
    fn only_policy_changed(&mut self, top: &Top, commit: &Commit) -> bool {
        let Some(parent) = commit.parents.first() else {
            return false;
        };
        let Ok(raw) = self.commit(*parent) else {
            return false;
        };
        let Ok(parent) = Commit::parse(&raw, parent.format()) else {
            return false;
        };
        let Ok(before) = self.top(parent.tree) else {
            return false;
        };
        let rest = |top: &Top| top.folder.as_ref().map_or_else(|| Sha256::of(b""), |it| it.rest);
        top.rest == before.rest && rest(top) == rest(&before)
    }

    /// Looks at a commit's tree, once.
    fn top(&mut self, tree: ObjectId) -> Result<Rc<Top>, HistoryFailure> {
        let Some(id) = oid(&tree) else {
            return Err(HistoryFailure::Object { id: tree, why: "is named by SHA-256".to_owned() });
        };
        if let Some(found) = self.tops.get(&id) {
            return Ok(Rc::clone(found));
        }
        let Some(object) = self.tree(id)? else {
            let folder = Some(Folder::malformed(id.as_bytes()));
            return Ok(Rc::new(Top { rest: Sha256::of(id.as_bytes()), folder }));
        };
        let mut rest = Sha256Stream::new();
        let mut folder = None;
        for entry in entries(object.data()) {
            let Ok(entry) = entry else {
                folder = Some(Folder::malformed(object.data()));
                break;
            };
            if entry.name == b".bowline" && entry.mode == Mode::Folder && folder.is_none() {
                folder = Some(self.folder(entry.id)?);
            } else {
                rest.update(entry.raw);
            }
        }
        let top = Rc::new(Top { rest: rest.finish(), folder });
        if self.tops.len() >= TREES_KEPT_MAX {
            self.tops.clear();
        }
        self.tops.insert(id, Rc::clone(&top));
        Ok(top)
    }

    /// A tree; `None` when the id names something else, or something too large: that is the
    /// revision's fault, and no fetch would change it.
    fn tree(&self, id: Oid) -> Result<Option<OdbObject<'o>>, HistoryFailure> {
        match read_tree(self.odb, id) {
            Ok(object) => Ok(Some(object)),
            Err(NoObject::Kind(_) | NoObject::TooLarge(_)) => Ok(None),
            Err(why) => Err(object_failure(id, &why)),
        }
    }

    /// Looks at a `.bowline` folder, once.
    fn folder(&mut self, id: Oid) -> Result<Rc<Folder>, HistoryFailure> {
        if let Some(found) = self.folders.get(&id) {
            return Ok(Rc::clone(found));
        }
        let Some(object) = self.tree(id)? else { return Ok(Folder::malformed(id.as_bytes())) };
        let mut rest = Sha256Stream::new();
        let [mut policy, mut envelope, mut roots] = [const { PathEvidence::Missing }; 3];
        for entry in entries(object.data()) {
            let Ok(entry) = entry else {
                return Ok(Folder::malformed(object.data()));
            };
            let place = match entry.name {
                b"policy.yaml" => &mut policy,
                b"policy.dsse.json" => &mut envelope,
                b"root.jsonl" => &mut roots,
                _ => {
                    rest.update(entry.raw);
                    continue;
                }
            };
            // Of two entries of one name, readers may take either.
            if *place != PathEvidence::Missing {
                return Ok(Folder::malformed(object.data()));
            }
            *place = self.path_evidence(&entry)?;
        }
        let folder = Rc::new(Folder { rest: rest.finish(), policy, envelope, roots });
        if self.folders.len() >= TREES_KEPT_MAX {
            self.folders.clear();
        }
        self.folders.insert(id, Rc::clone(&folder));
        Ok(folder)
    }

    fn path_evidence(&mut self, entry: &RawEntry<'_>) -> Result<PathEvidence, HistoryFailure> {
        let what = match entry.mode {
            Mode::File { .. } => return self.blob(entry.id),
            Mode::Symlink => "symlink",
            Mode::Folder => "folder",
            Mode::Submodule => "submodule",
            Mode::Unknown => "unknown",
        };
        Ok(PathEvidence::Other { what })
    }
}

impl Trees<'_> {
    /// A policy file, read once.
    fn blob(&mut self, id: Oid) -> Result<PathEvidence, HistoryFailure> {
        let evidence = |bytes| PathEvidence::Blob { id: object_id(id), bytes };
        if let Some(found) = self.blobs.get(&id) {
            return Ok(evidence(Arc::clone(found)));
        }
        let limit = POLICY_BYTES_MAX.min(POLICIES_BYTES_MAX.saturating_sub(self.bytes));
        match read(self.odb, id, ObjectType::Blob, limit) {
            Ok(blob) => {
                let bytes: Arc<[u8]> = Arc::from(blob.data());
                self.bytes += bytes.len() as u64;
                self.blobs.insert(id, Arc::clone(&bytes));
                Ok(evidence(bytes))
            }
            Err(NoObject::TooLarge(_)) => Ok(PathEvidence::Other { what: "too large" }),
            Err(NoObject::Kind(_)) => Ok(PathEvidence::Other { what: "named as a file" }),
            Err(why) => Err(object_failure(id, &why)),
        }
    }
}

fn object_failure(id: Oid, why: &NoObject) -> HistoryFailure {
    HistoryFailure::Object { id: object_id(id), why: why.to_string() }
}
