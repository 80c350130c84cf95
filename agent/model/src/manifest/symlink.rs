//! Kind Symlink: a link to another path.
//!
//! **Invariant:** a link is never followed to find out whether it is right; only its text counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compose::{Written, Wrongs};
use super::file::State;
use crate::host_path::{HostPath, LinkTarget};

/// A symlink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct SymlinkSpec {
    /// Absolute path of the link.
    pub path: HostPath,
    /// What it says; needed unless it should be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<LinkTarget>,
    /// Whether it should be there.
    #[serde(default)]
    pub state: State,
}

impl Written for SymlinkSpec {
    type Spec = Self;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<Self> {
        match (self.state, &self.target) {
            (State::Present, None) => wrongs.add("target", "`target` is missing", "a path"),
            (State::Absent, Some(_)) => {
                wrongs.add("target", "target with state absent", "one of them");
            }
            (State::Present, Some(target)) if target.as_str() == self.path.as_str() => {
                wrongs.add("target", "a link to itself", "another path");
            }
            _ => {}
        }
        Some(self)
    }
}
