//! Tests against real repositories, made object by object so that they can hold what Git would refuse.
//!
//! **Invariant:** nothing here runs the `git` program.

mod beside;
mod evidence;
mod fetch;
mod history;
mod manifests;
mod tree;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bowline_model::object_id::ObjectId;
use git2::{ObjectType, Oid};

use super::fetch::{Branches, FetchFailure, FetchLimits, Remotes};
use super::{Repository, object_id};
use crate::scratch::Scratch;
use crate::settings::Access;

const MAIN: &str = "refs/heads/main";

const LIMITS: FetchLimits = FetchLimits { bytes: 64 << 20, timeout: Duration::from_mins(1) };

/// A repository to fetch from, and an agent's own.
struct World {
    scratch: Scratch,
    git: git2::Repository,
    own: Repository,
}

impl World {
    fn new() -> Self {
        let scratch = Scratch::new();
        let git = git2::Repository::init_bare(scratch.path().join("origin.git")).unwrap();
        let own = Repository::open(&scratch.path().join("state/objects.git")).unwrap();
        Self { scratch, git, own }
    }

    fn url(&self) -> String {
        self.folder().display().to_string()
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().join("origin.git")
    }

    fn object(&self, kind: ObjectType, bytes: &[u8]) -> Oid {
        self.git.odb().unwrap().write(kind, bytes).unwrap()
    }

    fn blob(&self, bytes: &[u8]) -> Oid {
        self.object(ObjectType::Blob, bytes)
    }

    /// A tree exactly as it is given, well formed or not.
    fn tree(&self, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend_from_slice(mode.as_bytes());
            raw.push(b' ');
            raw.extend_from_slice(name);
            raw.push(0);
            raw.extend_from_slice(id.as_bytes());
        }
        self.object(ObjectType::Tree, &raw)
    }

    /// A tree of regular files.
    fn files(&self, files: &[(&str, &str)]) -> Oid {
        let entries: Vec<_> = files
            .iter()
            .map(|(name, text)| ("100644", name.as_bytes(), self.blob(text.as_bytes())))
            .collect();
        self.tree(&entries)
    }

    /// A tree with a `.bowline` folder and one other file.
    fn policy_tree(&self, policy: &str, envelope: &str, other: &str) -> Oid {
        let folder = self.files(&[("policy.dsse.json", envelope), ("policy.yaml", policy)]);
        let other = self.blob(other.as_bytes());
        self.tree(&[("40000", b".bowline", folder), ("100644", b"a", other)])
    }

    fn commit(&self, tree: Oid, parents: &[Oid], message: &str) -> Oid {
        let parents: Vec<_> = parents.iter().map(|it| format!("parent {it}\n")).collect();
        let parents = parents.concat();
        let who = "A <a@example.org> 1790000000 +0000";
        let raw = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\n{message}\n");
        self.object(ObjectType::Commit, raw.as_bytes())
    }

    fn point(&self, reference: &str, id: Oid) {
        self.git.reference(reference, id, true, "test").unwrap();
    }

    fn fetch(&self) -> Result<ObjectId, FetchFailure> {
        let sources = Remotes::by(vec![self.url()], Access::default());
        self.own.fetch(&sources, Branches::only(MAIN), &LIMITS, &Arc::default()).map(|it| it.branch)
    }

    /// Lets the agent's repository read what lies in the other one, without a fetch.
    fn share(&self, from: &World) {
        let objects = from.folder().join("objects");
        self.own.odb.add_disk_alternate(objects.to_str().unwrap()).unwrap();
    }

    /// Points main at a commit with this tree, and fetches it.
    fn publish(&self, tree: Oid) -> ObjectId {
        self.point(MAIN, self.commit(tree, &[], "one"));
        self.fetch().unwrap()
    }

    /// Commits one after another, each with its tree; oldest first.
    fn chain(&self, trees: &[Oid]) -> Vec<Oid> {
        let mut ids = Vec::new();
        for (at, tree) in trees.iter().enumerate() {
            let parents: Vec<Oid> = ids.last().copied().into_iter().collect();
            ids.push(self.commit(*tree, &parents, &format!("number {at}")));
        }
        ids
    }
}

fn ids(of: &[Oid]) -> Vec<ObjectId> {
    of.iter().copied().map(object_id).collect()
}
