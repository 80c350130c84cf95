//! Kind File: a file with content that stands in the repository.
//!
//! **Invariant:** a file that should be there has exactly one source of content; one that should be
//! gone has none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::argv::Validation;
use super::compose::{Written, Wrongs};
use crate::file_mode::FileMode;
use crate::host_path::{HostPath, RepoPath};
use crate::name::Account;

/// Whether something should be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It should.
    #[default]
    Present,
    /// It should not.
    Absent,
}

/// A file with given content.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "FileFields")]
pub struct FileSpec {
    /// Where it stands.
    pub path: HostPath,
    /// What is in it; `None` for a file that should be gone.
    pub content: Option<FileContent>,
    /// The user that owns it.
    pub owner: Account,
    /// The group that owns it.
    pub group: Account,
    /// Its permission bits.
    pub mode: FileMode,
    /// The command that checks it.
    pub validate: Option<Validation>,
    /// Whether its content must not be shown.
    pub sensitive: bool,
    /// Whether it is made once and then left alone.
    pub create_only: bool,
    /// Whether it should be there.
    pub state: State,
}

/// Where a file's content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// The manifest itself.
    Inline(String),
    /// A file of the repository.
    Repository(RepoPath),
}

/// What may be written in a File's spec.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct FileFields {
    /// Absolute path on the host.
    path: HostPath,
    /// The content itself; exactly one of content and contentFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// Where the content comes from; exactly one of content and contentFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_from: Option<ContentFrom>,
    /// The user that owns it.
    #[serde(default = "Account::root")]
    owner: Account,
    /// The group that owns it.
    #[serde(default = "Account::root")]
    group: Account,
    /// Permission bits as quoted octal text.
    #[serde(default = "file_mode")]
    mode: FileMode,
    /// Command that checks it: with %s the staged file before any change, without it the file in
    /// place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validate: Option<Validation>,
    /// Never show its content in plans and logs.
    #[serde(default)]
    sensitive: bool,
    /// Make it once, then leave it alone.
    #[serde(default)]
    create_only: bool,
    /// Whether it should be there.
    #[serde(default)]
    state: State,
}

/// Where the content of a File comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with file")]
struct ContentFrom {
    /// A file of the repository, relative to its root.
    file: RepoPath,
}

/// The mode of a file that says nothing else.
pub(super) fn file_mode() -> FileMode {
    FileMode::FILE
}

impl Written for FileFields {
    type Spec = FileSpec;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<FileSpec> {
        let content = match (self.content, self.content_from) {
            (Some(text), None) => Some(FileContent::Inline(text)),
            (None, Some(from)) => Some(FileContent::Repository(from.file)),
            (None, None) => None,
            (Some(_), Some(_)) => {
                wrongs.add("contentFrom", "both content and contentFrom", "exactly one of them");
                None
            }
        };
        match (self.state, &content) {
            (State::Present, None) if wrongs.is_empty() => {
                wrongs.add("", "neither content nor contentFrom", "exactly one of them");
            }
            (State::Absent, Some(_)) => {
                wrongs.add("state", "content for a file that should be gone", "no content");
            }
            _ => {}
        }
        if self.state == State::Absent && self.create_only {
            wrongs.add("createOnly", "createOnly with state absent", "one of them");
        }
        Some(FileSpec {
            path: self.path,
            content,
            owner: self.owner,
            group: self.group,
            mode: self.mode,
            validate: self.validate,
            sensitive: self.sensitive,
            create_only: self.create_only,
            state: self.state,
        })
    }
}

impl From<FileSpec> for FileFields {
    fn from(spec: FileSpec) -> Self {
        let (content, content_from) = match spec.content {
            Some(FileContent::Inline(text)) => (Some(text), None),
            Some(FileContent::Repository(file)) => (None, Some(ContentFrom { file })),
            None => (None, None),
        };
        Self {
            path: spec.path,
            content,
            content_from,
            owner: spec.owner,
            group: spec.group,
            mode: spec.mode,
            validate: spec.validate,
            sensitive: spec.sensitive,
            create_only: spec.create_only,
            state: spec.state,
        }
    }
}
