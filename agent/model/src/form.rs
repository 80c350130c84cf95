//! How a path stands, or should stand: everything about it that the agent manages.
//!
//! **Invariant:** two forms with the same digest are the same to every reader of the path.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// How a path stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", deny_unknown_fields)]
pub enum Form {
    /// Nothing stands there.
    Absent,
    /// A regular file.
    File {
        /// SHA-256 of its content.
        sha256: Sha256,
        /// Bytes.
        size: u64,
        /// Permission bits, with setuid, setgid and sticky.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
        /// SHA-256 over its extended attributes; `None` when it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        xattrs: Option<Sha256>,
    },
    /// A folder; what lies in it is not part of its form.
    Directory {
        /// Permission bits, with setgid and sticky.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// A symbolic link; its owner has no effect and is not compared.
    Symlink {
        /// What it points at.
        target: String,
    },
    /// A device, socket or pipe: never touched.
    Other {
        /// What it is, for people.
        what: String,
    },
}

impl Form {
    /// Tells whether two forms are the same but for extended attributes, which manifests do not
    /// declare.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { sha256, size, mode, uid, gid, xattrs: _ },
                Self::File {
                    sha256: sha256_,
                    size: size_,
                    mode: mode_,
                    uid: uid_,
                    gid: gid_,
                    xattrs: _,
                },
            ) => (sha256, size, mode, uid, gid) == (sha256_, size_, mode_, uid_, gid_),
            (one, two) => one == two,
        }
    }

    /// What it is, in one word.
    pub fn word(&self) -> &str {
        match self {
            Self::Absent => "nothing",
            Self::File { .. } => "a file",
            Self::Directory { .. } => "a directory",
            Self::Symlink { .. } => "a symlink",
            Self::Other { what } => what,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { sha256, size, mode, uid, gid, .. } => {
                write!(
                    f,
                    "a file of {size} bytes, sha256 {sha256}, mode {mode:04o}, owner {uid}:{gid}"
                )
            }
            Self::Directory { mode, uid, gid } => {
                write!(f, "a directory, mode {mode:04o}, owner {uid}:{gid}")
            }
            Self::Symlink { target } => write!(f, "a symlink to {target}"),
            Self::Absent | Self::Other { .. } => f.write_str(self.word()),
        }
    }
}

/// Which object stands at a path: it changes when somebody replaces the object, even by its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inode {
    /// The device.
    pub dev: u64,
    /// The number on it.
    pub ino: u64,
    /// How many names it has.
    pub links: u64,
}
