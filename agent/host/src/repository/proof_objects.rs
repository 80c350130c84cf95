//! Raw objects that prove what policy a commit carries, for whoever verifies it without this program.
//!
//! **Invariant:** objects go out as they are kept; nothing of them is believed here.

use bowline_model::object_id::ObjectId;
use bowline_trust::commit::{Commit, LARGEST_COMMIT};
use git2::{ObjectType, Oid};

use super::objects::{Mode, NoObject, entries, read, read_tree};
use super::view::NoRevision;
use super::{Repository, object_id, oid};

/// No policy and no envelope of one is larger.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// What `.bowline` holds of a policy and of the roots that may sign one.
const FILES: [&str; 3] = ["policy.yaml", "policy.dsse.json", "root.jsonl"];

/// An object as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawObject {
    /// commit, tree or blob.
    pub kind: &'static str,
    /// Its id.
    pub id: ObjectId,
    /// What it is called in `.bowline`; empty for what is no file there.
    pub name: &'static str,
    /// Its bytes.
    pub raw: Vec<u8>,
}

impl Repository {
    /// A commit, its tree, that of `.bowline`, and the files there that are a policy, its envelope and the roots.
    ///
    /// # Errors
    /// When one of them is not here or cannot be read.
    pub fn proof_objects(&self, commit: &ObjectId) -> Result<Vec<RawObject>, NoRevision> {
        let refuse = |id: ObjectId, why: String| NoRevision::NotACommit {
            id,
            url: self.folder().display().to_string(),
            why,
        };
        let fail = |id: Oid| move |why: NoObject| refuse(object_id(id), why.to_string());
        let nameless = || refuse(*commit, "is named by SHA-256".to_owned());
        let id = oid(commit).ok_or_else(nameless)?;
        let raw = read(&self.odb, id, ObjectType::Commit, LARGEST_COMMIT as u64);
        let raw = raw.map_err(fail(id))?.data().to_vec();
        let parsed = Commit::parse(&raw, commit.format());
        let top = parsed.map_err(|bad| refuse(*commit, bad.to_string()))?.tree;
        let mut found = vec![RawObject { kind: "commit", id: *commit, name: "", raw }];
        let mut next = oid(&top).map(|it| (it, b".bowline".as_slice()));
        while let Some((id, name)) = next.take() {
            let tree = read_tree(&self.odb, id).map_err(fail(id))?;
            for entry in entries(tree.data()).flatten() {
                let file = FILES.into_iter().find(|it| entry.name == it.as_bytes());
                let file = file.filter(|_| name.is_empty());
                if matches!(entry.mode, Mode::Folder) && entry.name == name {
                    next = Some((entry.id, b"".as_slice()));
                } else if let (Mode::File { .. }, Some(name)) = (entry.mode, file) {
                    let blob = read(&self.odb, entry.id, ObjectType::Blob, POLICY_BYTES_MAX);
                    let raw = blob.map_err(fail(entry.id))?.data().to_vec();
                    found.push(RawObject { kind: "blob", id: object_id(entry.id), name, raw });
                }
            }
            let raw = tree.data().to_vec();
            found.push(RawObject { kind: "tree", id: object_id(id), name: "", raw });
        }
        Ok(found)
    }
}
