//! Kind Template: a file rendered from a template of the repository.
//!
//! **Invariant:** nothing is rendered here; the template's text and its values are only named.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::argv::Validation;
use super::compose::{Written, Wrongs};
use super::file::{State, file_mode};
use crate::file_mode::FileMode;
use crate::host_path::{HostPath, RepoPath};
use crate::name::Account;

/// A file rendered from a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct TemplateSpec {
    /// Absolute path on the host.
    pub path: HostPath,
    /// The template, a file of the repository relative to its root.
    pub source: RepoPath,
    /// What the template may use, beside the host's facts.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// The user that owns it.
    #[serde(default = "Account::root")]
    pub owner: Account,
    /// The group that owns it.
    #[serde(default = "Account::root")]
    pub group: Account,
    /// Permission bits as quoted octal text.
    #[serde(default = "file_mode")]
    pub mode: FileMode,
    /// Command that checks it: with %s the staged file before any change, without it the file in
    /// place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Validation>,
    /// Never show its content in plans and logs.
    #[serde(default)]
    pub sensitive: bool,
    /// Make it once, then leave it alone.
    #[serde(default)]
    pub create_only: bool,
    /// Whether it should be there.
    #[serde(default)]
    pub state: State,
}

impl Written for TemplateSpec {
    type Spec = Self;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<Self> {
        if self.state == State::Absent && self.create_only {
            wrongs.add("createOnly", "createOnly with state absent", "one of them");
        }
        for name in self.values.keys() {
            // A template can only name what is written like a variable.
            let plain = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
                && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
            if !plain {
                let message = format!("the value `{name}`, which no template can name");
                wrongs.add("values", &message, "a name of letters, digits and `_`");
            }
        }
        if self.values.contains_key("facts") {
            wrongs.add("values.facts", "a value named facts", "another name: facts are the host's");
        }
        Some(self)
    }
}
