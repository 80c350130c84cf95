//! Releases of artifacts: what an archive holds, and what of it stands on a host.
//!
//! **Invariant:** a listing is sorted by path, a folder before what lies in it; every path lies inside the
//! release, and no link leads out of it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::form::Form;
use crate::generation::Held;
use crate::host_path::{HostPath, RepoPath};
use crate::manifest::artifact::ArtifactUrl;

/// How what was fetched becomes a release.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Extract {
    /// A tar archive, packed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// A tar archive, packed by Zstandard.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// A zip archive.
    #[serde(rename = "zip")]
    Zip,
    /// Not at all: the file itself is the release's one file.
    #[serde(rename = "none")]
    None,
}

impl Extract {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
            Self::None => "none",
        }
    }

    /// Names by whose end a file is known, each with its meaning.
    pub const ENDINGS: [(&'static str, Self); 5] = [
        (".tar.gz", Self::TarGz),
        (".tgz", Self::TarGz),
        (".tar.zst", Self::TarZst),
        (".tzst", Self::TarZst),
        (".zip", Self::Zip),
    ];
}

/// What identifies the content of a release: equal archives make equal listings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// SHA-256 of what is fetched.
    pub sha256: Sha256,
    /// What is done with it.
    pub extract: Extract,
    /// The name of the one file of a release that is not extracted.
    pub name: RepoPath,
}

/// An archive, and where it is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The resource that asks for it, as `Kind/name`.
    pub resource: Arc<str>,
    /// Where it is.
    pub url: ArtifactUrl,
    /// What it must be.
    pub archive: Archive,
    /// What the same revision asks for on this host, it included.
    pub beside: Vec<Archive>,
}

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Members, sorted by path.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Where it stands in the release.
    pub path: RepoPath,
    /// What it is.
    pub body: Body,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", deny_unknown_fields)]
pub enum Body {
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// SHA-256 of its content.
        sha256: Sha256,
        /// Bytes.
        size: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link to something inside the release.
    Link {
        /// What it says.
        target: String,
    },
}

/// A release that this host holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldRelease {
    /// Whose, as `Kind/name`.
    pub resource: Arc<str>,
    /// What it was made of.
    pub archive: Archive,
    /// Its folder.
    pub folder: HostPath,
    /// Its paths; none while it is the one that is wanted: then the inventory has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Held>,
    /// Whether it was to go, and only what somebody else's stands in the way of is left of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_rest: bool,
}

impl HeldRelease {
    /// Whether it only stays on the host.
    pub fn is_earlier(&self) -> bool {
        !self.lines.is_empty()
    }

    /// What its archive holds, by what stands of it on the host.
    pub fn listing(&self, inventory: &[Held]) -> Listing {
        let lines = if self.is_earlier() { &self.lines } else { inventory };
        let inside = lines.iter().filter(|it| it.resource == self.resource);
        let member = |line: &Held| {
            let path = line.path.as_str().strip_prefix(self.folder.as_str())?.strip_prefix('/')?;
            let body = match &line.form {
                Form::File { sha256, size, mode, .. } => {
                    Body::File { sha256: *sha256, size: *size, mode: *mode }
                }
                Form::Directory { mode, .. } => Body::Folder { mode: *mode },
                Form::Symlink { target } => Body::Link { target: target.clone() },
                Form::Absent | Form::Other { .. } => return None,
            };
            Some(Member { path: path.parse().ok()?, body })
        };
        Listing { members: inside.filter_map(member).collect() }
    }
}
