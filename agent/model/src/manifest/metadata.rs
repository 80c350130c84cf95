//! The envelope: what every kind has around its spec.
//!
//! **Invariant:** the envelope is the same for every kind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::ResourceId;
use super::policy::Policy;
use crate::name::{Key, Label, Name, UnitName};
use crate::target::Target;

/// The one version of the language.
pub(super) const API_VERSION: &str = "bowline/v1";

/// The version of the manifest language.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) enum ApiVersion {
    #[serde(rename = "bowline/v1")]
    V1,
}

/// What stands around `spec`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a manifest (a map)")]
pub(crate) struct Envelope {
    /// Version of the manifest language.
    #[serde(rename = "apiVersion")]
    pub(crate) _api_version: ApiVersion,
    /// What the manifest describes.
    #[serde(rename = "kind")]
    pub(crate) _kind: String,
    /// Name, labels, annotations.
    pub(crate) metadata: Metadata,
    /// The hosts it is for; by default every host.
    #[serde(default)]
    pub(crate) target: Target,
    /// What must stand before it, as `Kind/name`.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(crate) depends_on: Vec<ResourceId>,
    /// Units that are told once, after all steps, only if this changed.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub(crate) notify: Vec<Notify>,
    /// How its changes are handled.
    #[serde(default)]
    pub(crate) policy: Policy,
}

/// Who a manifest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with a name")]
pub struct Metadata {
    /// Its name, unique for the kind.
    pub name: Name,
    /// For selecting; nothing is decided by them.
    #[serde(default)]
    pub labels: BTreeMap<Key, Label>,
    /// For people and tools, such as `bowline/ticket`.
    #[serde(default)]
    pub annotations: BTreeMap<Key, String>,
}

/// A unit that is told of a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with unit and action")]
pub struct Notify {
    /// The unit's full name.
    pub unit: UnitName,
    /// What is done to it.
    pub action: Action,
}

/// What is done to a unit that is told of a change.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Stop it and start it.
    Restart,
    /// Have it read its configuration again.
    Reload,
    /// Reload where it can, else restart.
    ReloadOrRestart,
}

impl Action {
    /// How it is written, and what the service manager calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::ReloadOrRestart => "reload-or-restart",
        }
    }
}
