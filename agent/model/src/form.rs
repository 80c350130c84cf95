//! How a path stands, or should stand: everything about it that the agent manages.
//!
//! **Invariant:** two forms with the same digest are the same to every reader of the path.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digest::Sha256;

/// How a path stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", try_from = "Fields")]
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
        #[serde(skip_serializing_if = "Option::is_none")]
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

/// A form as it is written. Read as one flat record: an inventory holds ten thousands, and serde's
/// own way of reading a tagged choice copies every field first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    is: Kind,
    sha256: Option<Sha256>,
    size: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    xattrs: Option<Sha256>,
    target: Option<String>,
    what: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Absent,
    File,
    Directory,
    Symlink,
    Other,
}

/// A form with a field too many or too few.
#[derive(Debug, Error)]
#[error("the fields do not fit a form that is {0:?}")]
struct Misfit(Kind);

impl TryFrom<Fields> for Form {
    type Error = Misfit;

    fn try_from(fields: Fields) -> Result<Self, Misfit> {
        let Fields { is, sha256, size, mode, uid, gid, xattrs, target, what } = fields;
        match (is, (sha256, size), (mode, uid, gid), xattrs, (target, what)) {
            (Kind::Absent, (None, None), (None, None, None), None, (None, None)) => {
                Ok(Self::Absent)
            }
            (
                Kind::File,
                (Some(sha256), Some(size)),
                (Some(mode), Some(uid), Some(gid)),
                xattrs,
                (None, None),
            ) => Ok(Self::File { sha256, size, mode, uid, gid, xattrs }),
            (
                Kind::Directory,
                (None, None),
                (Some(mode), Some(uid), Some(gid)),
                None,
                (None, None),
            ) => Ok(Self::Directory { mode, uid, gid }),
            (Kind::Symlink, (None, None), (None, None, None), None, (Some(target), None)) => {
                Ok(Self::Symlink { target })
            }
            (Kind::Other, (None, None), (None, None, None), None, (None, Some(what))) => {
                Ok(Self::Other { what })
            }
            (is, ..) => Err(Misfit(is)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let sha256 = Sha256::of(b"a");
        let file = |xattrs| Form::File { sha256, size: 1, mode: 0o640, uid: 1, gid: 2, xattrs };
        for form in [
            Form::Absent,
            file(None),
            file(Some(sha256)),
            Form::Directory { mode: 0o755, uid: 0, gid: 0 },
            Form::Symlink { target: "a".to_owned() },
            Form::Other { what: "a pipe".to_owned() },
        ] {
            let text = serde_json::to_string(&form).unwrap();
            assert_eq!(serde_json::from_str::<Form>(&text).unwrap(), form, "{text}");
        }
    }

    #[test]
    fn a_field_too_many_or_too_few_is_refused() {
        for text in [
            r#"{"is":"absent","mode":1}"#,
            r#"{"is":"directory","mode":1,"uid":0}"#,
            r#"{"is":"symlink","target":"a","what":"b"}"#,
            r#"{"is":"symlink","target":"a","new":1}"#,
            r#"{"is":"socket"}"#,
            r#"{"mode":1}"#,
        ] {
            assert!(serde_json::from_str::<Form>(text).is_err(), "{text}");
        }
    }
}
