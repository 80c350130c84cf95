//! Notes: what somebody wrote down about an object, found by the object's id.
//!
//! **Invariant:** only trees on the way to one object are read, so what others wrote costs nothing.
//! **Invariant:** notes are a stranger's word; one that is too large, or no note, is as good as none.

use std::cell::Cell;

use bowline_model::object_id::ObjectId;
use bowline_trust::commit::{Commit, LARGEST_COMMIT};
use git2::{ObjectType, Odb, Oid};

use super::objects::{Mode, entries, read, read_tree};
use super::{Repository, oid};

/// Ten thousand envelopes of the usual size.
const NOTE_BYTES_MAX: u64 = 16 << 20;

/// Folders that are read for one walk: Git's own have some kilobytes.
const FOLDER_BYTES_MAX: usize = 512 << 20;

impl Repository {
    /// What is noted on an object; `None` where nothing is, or nothing that can be read.
    pub fn note_on(&self, notes: &ObjectId, object: &ObjectId) -> Option<Vec<u8>> {
        Notes::at(&self.odb, notes)?.on(object)
    }
}

/// The notes of a repository at one moment.
pub(super) struct Notes<'o> {
    odb: &'o Odb<'o>,
    tree: Oid,
    /// Bytes of folders that may still be read.
    left: Cell<usize>,
}

impl<'o> Notes<'o> {
    /// The notes that a commit of notes holds; `None` when it is no such commit.
    pub(super) fn at(odb: &'o Odb<'o>, commit: &ObjectId) -> Option<Self> {
        let raw = read(odb, oid(commit)?, ObjectType::Commit, LARGEST_COMMIT as u64).ok()?;
        // A commit of notes is nobody's proof; its form is asked for because everything here has it.
        let tree = Commit::parse(raw.data(), commit.format()).ok()?.tree;
        Some(Self { odb, tree: oid(&tree)?, left: Cell::new(FOLDER_BYTES_MAX) })
    }

    /// Lets as many folders be read once more.
    pub(super) fn begin_anew(&self) {
        self.left.set(FOLDER_BYTES_MAX);
    }

    /// The note on an object. Git files it under the object's id, the first digits of which may be
    /// folders.
    pub(super) fn on(&self, object: &ObjectId) -> Option<Vec<u8>> {
        let name = object.to_string();
        let (mut rest, mut at) = (name.as_bytes(), self.tree);
        // Each round takes two digits off, so there are no more rounds than digits.
        while !rest.is_empty() {
            let tree = read_tree(self.odb, at).ok()?;
            self.left.set(self.left.get().checked_sub(tree.data().len())?);
            let mut deeper = None;
            for entry in entries(tree.data()) {
                let entry = entry.ok()?;
                match entry.mode {
                    Mode::File { .. } if entry.name == rest => {
                        let note = read(self.odb, entry.id, ObjectType::Blob, NOTE_BYTES_MAX);
                        return note.ok().map(|it| it.data().to_vec());
                    }
                    Mode::Folder if entry.name.len() == 2 && rest.starts_with(entry.name) => {
                        deeper = Some(entry.id);
                    }
                    _ => {}
                }
            }
            at = deeper?;
            rest = rest.get(2..)?;
        }
        None
    }
}
