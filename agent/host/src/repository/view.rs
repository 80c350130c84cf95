//! A stranger's repository, read where it lies: for whoever only looks.
//!
//! **Invariant:** nothing is written there, and neither its configuration nor its hooks are read.

use std::path::PathBuf;
use std::sync::Arc;

use bowline_model::object_id::ObjectId;
use bowline_trust::commit::LARGEST_COMMIT;
use git2::ObjectType;
use thiserror::Error;

use super::fetch_failure::FetchFailure;
use super::objects::{NoObject, read};
use super::source::Remote;
use super::{Repository, object_id, oid};

/// A revision that was named and not found.
#[derive(Debug, Error)]
pub enum NoRevision {
    /// The repository cannot be read.
    #[error("find {name:?}")]
    Repository {
        /// What was sought.
        name: String,
        /// Why.
        #[source]
        source: FetchFailure,
    },
    /// Nothing is called so.
    #[error("{name:?} is neither a branch, a tag nor the id of a commit in {url}")]
    Unknown {
        /// What was sought.
        name: String,
        /// Where.
        url: String,
    },
    /// Several objects begin so.
    #[error("more than one object in {url} begins with {name}")]
    Ambiguous {
        /// What was sought.
        name: String,
        /// Where.
        url: String,
    },
    /// The name goes on to a parent that is not there.
    #[error("{name:?}: {} in {url} has no such parent", id.short())]
    NoParent {
        /// What was sought.
        name: String,
        /// The commit without it.
        id: ObjectId,
        /// Where.
        url: String,
    },
    /// Something is called so, and it is no commit that can be read.
    #[error("{id} in {url} {why}")]
    NotACommit {
        /// The object.
        id: ObjectId,
        /// Where.
        url: String,
        /// What it is instead.
        why: String,
    },
}

impl Repository {
    /// Opens the repository that a path or `file://` address names, for reading only.
    pub fn view(url: &str) -> Result<Self, FetchFailure> {
        Ok(Self { odb: Remote::find(url)?.objects()?, folder: PathBuf::from(url) })
    }

    /// The raw commit of an id.
    pub fn raw_commit(&self, id: &ObjectId) -> Result<Arc<[u8]>, NoRevision> {
        self.raw(id, ObjectType::Commit)
    }

    /// What somebody may have signed under an id: a raw commit, or a raw tag.
    pub fn raw_signed(&self, id: &ObjectId) -> Result<Arc<[u8]>, NoRevision> {
        let found = oid(id).and_then(|oid| self.odb.read_header(oid).ok());
        let is_tag = found.is_some_and(|(_, kind)| kind == ObjectType::Tag);
        self.raw(id, if is_tag { ObjectType::Tag } else { ObjectType::Commit })
    }

    fn raw(&self, id: &ObjectId, kind: ObjectType) -> Result<Arc<[u8]>, NoRevision> {
        let url = || self.folder.display().to_string();
        let refuse = |why: String| NoRevision::NotACommit { id: *id, url: url(), why };
        let oid = oid(id).ok_or_else(|| refuse("is named by SHA-256".to_owned()))?;
        match read(&self.odb, oid, kind, LARGEST_COMMIT as u64) {
            Ok(object) => Ok(Arc::from(object.data())),
            Err(NoObject::Kind(found)) => Err(refuse(format!("is a {found}, not a commit"))),
            Err(why) => Err(refuse(why.to_string())),
        }
    }

    /// Whether a commit is one of the first parents of another, or the same; at most so many are looked at.
    pub fn is_first_parent(&self, commit: &ObjectId, of: &ObjectId, most: usize) -> bool {
        self.first_parents(of, most).contains(commit)
    }
}

/// The object that a reference names in a repository.
pub fn tip_of(url: &str, reference: &str) -> Result<ObjectId, FetchFailure> {
    Remote::find(url)?.resolve(reference).map(object_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::Signature;

    /// A repository with one commit on `main`, in a folder of its own.
    fn sample(name: &str) -> (PathBuf, ObjectId) {
        let folder =
            std::env::temp_dir().join(format!("bowline-view-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        let git = git2::Repository::init(&folder).unwrap();
        let tree = git.treebuilder(None).unwrap().write().unwrap();
        let who = Signature::now("A", "a@example.org").unwrap();
        let tree = git.find_tree(tree).unwrap();
        let id = git.commit(Some("refs/heads/main"), &who, &who, "one", &tree, &[]).unwrap();
        (folder, object_id(id))
    }

    #[test]
    fn a_commit_is_read_where_it_lies_and_nothing_is_written() {
        let (folder, id) = sample("names");
        let url = folder.to_str().unwrap();
        let view = Repository::view(url).unwrap();
        assert!(view.raw_commit(&id).unwrap().starts_with(b"tree "));
        let missing = "0".repeat(40).parse().unwrap();
        assert!(view.raw_commit(&missing).is_err());
        assert!(view.odb.write(ObjectType::Blob, b"x").is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
