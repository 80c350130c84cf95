//! Kind Directory: a directory, or with `source` a whole tree as one resource.
//!
//! **Invariant:** what only a tree has is only there when there is a tree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compose::{Written, Wrongs};
use super::file::State;
use super::glob::Glob;
use crate::file_mode::FileMode;
use crate::host_path::{HostPath, RepoPath};
use crate::name::Account;

/// A directory, or a whole tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "DirectoryFields")]
pub struct DirectorySpec {
    /// Where it stands.
    pub path: HostPath,
    /// The user that owns it, and everything planted in it.
    pub owner: Account,
    /// The group that owns it, and everything planted in it.
    pub group: Account,
    /// The directory's own permission bits.
    pub mode: FileMode,
    /// Whether it should be there.
    pub state: State,
    /// Whether what nobody declared is removed from it.
    pub purge_unmanaged: bool,
    /// What is planted below it.
    pub planting: Option<Planting>,
}

/// A folder of the repository that is planted below a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planting {
    /// The folder.
    pub source: RepoPath,
    /// Permission bits of the files; those executable in the repository get `x` where `r` is.
    pub file_mode: FileMode,
    /// Permission bits of the directories below the first.
    pub dir_mode: FileMode,
    /// What of the folder is left out.
    pub exclude: Vec<Glob>,
}

/// What may be written in a Directory's spec.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct DirectoryFields {
    /// Absolute path on the host.
    path: HostPath,
    /// The user that owns it, and everything in a tree.
    #[serde(default = "Account::root")]
    owner: Account,
    /// The group that owns it, and everything in a tree.
    #[serde(default = "Account::root")]
    group: Account,
    /// Permission bits as quoted octal text.
    #[serde(default = "dir_mode")]
    mode: FileMode,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
    /// Remove what nobody declared.
    #[serde(default)]
    purge_unmanaged: bool,
    /// A folder of the repository: the whole tree becomes one resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<RepoPath>,
    /// With source: permission bits of the files, by default "0644".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_mode: Option<FileMode>,
    /// With source: permission bits of the directories below the first, by default "0755".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dir_mode: Option<FileMode>,
    /// With source: what is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    exclude: Option<Vec<Glob>>,
}

/// Most patterns: each is held against every file of the tree.
const MAX_EXCLUDES: usize = 256;

fn dir_mode() -> FileMode {
    FileMode::DIRECTORY
}

impl Written for DirectoryFields {
    type Spec = DirectorySpec;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<DirectorySpec> {
        let only_with_source = [
            ("fileMode", self.file_mode.is_some()),
            ("dirMode", self.dir_mode.is_some()),
            ("exclude", self.exclude.is_some()),
        ];
        for (field, _) in only_with_source.iter().filter(|(_, it)| *it && self.source.is_none()) {
            wrongs.add(field, &format!("{field} without source"), "source beside it, or neither");
        }
        if self.state == State::Absent {
            if self.source.is_some() {
                wrongs.add("source", "source with state absent", "one of them");
            }
            if self.purge_unmanaged {
                wrongs.add("purgeUnmanaged", "purgeUnmanaged with state absent", "one of them");
            }
        }
        let exclude = self.exclude.unwrap_or_default();
        if exclude.len() > MAX_EXCLUDES {
            wrongs.add("exclude", &format!("more than {MAX_EXCLUDES} patterns"), "fewer patterns");
        }
        let planting = self.source.map(|source| Planting {
            source,
            file_mode: self.file_mode.unwrap_or(FileMode::FILE),
            dir_mode: self.dir_mode.unwrap_or(FileMode::DIRECTORY),
            exclude,
        });
        Some(DirectorySpec {
            path: self.path,
            owner: self.owner,
            group: self.group,
            mode: self.mode,
            state: self.state,
            purge_unmanaged: self.purge_unmanaged,
            planting,
        })
    }
}

impl From<DirectorySpec> for DirectoryFields {
    fn from(spec: DirectorySpec) -> Self {
        let (source, file_mode, dir_mode, exclude) = match spec.planting {
            Some(it) => (Some(it.source), Some(it.file_mode), Some(it.dir_mode), Some(it.exclude)),
            None => (None, None, None, None),
        };
        Self {
            path: spec.path,
            owner: spec.owner,
            group: spec.group,
            mode: spec.mode,
            state: spec.state,
            purge_unmanaged: spec.purge_unmanaged,
            source,
            file_mode,
            dir_mode,
            exclude,
        }
    }
}
