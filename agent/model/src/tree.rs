//! A verified revision's tree, listed: names, kinds, sizes and digests, without contents.
//!
//! **Invariant:** made only from objects whose ids were recomputed; entries are sorted by path.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Sha256;
use crate::object_id::ObjectId;
use crate::release::Extract;

/// The listed tree of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The commit it belongs to.
    pub commit: ObjectId,
    /// Entries by path.
    pub entries: BTreeMap<String, Entry>,
    /// SHA-256 over path, mode, type and content of every entry.
    pub sha256: Sha256,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its blob.
        blob: ObjectId,
        /// SHA-256 of its content.
        sha256: Sha256,
        /// Bytes.
        size: u64,
        /// Whether Git calls it executable.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// What it points at.
        target: String,
    },
}

/// Contents of files of a tree, by path.
pub type Contents = BTreeMap<String, Arc<[u8]>>;

/// Where the content of a new object comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A blob of the repository.
    Blob(ObjectId),
    /// A file of a release: one with the digest that its form has.
    Member {
        /// SHA-256 of the archive.
        archive: Sha256,
        /// What was done with it.
        extract: Extract,
    },
    /// A file of a release whose archive cannot be had: it cannot be staged.
    Away,
    /// Bytes at hand: written in the manifest, or rendered.
    Bytes(Arc<[u8]>),
    /// None: a directory, a link, or a removal.
    Nothing,
}
