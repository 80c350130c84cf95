//! Manifests: what a host should hold, as someone wrote it and someone merged it.
//!
//! **Invariant:** a manifest that exists is well formed, has every default filled in, and knows
//! where it was written.
//! **Invariant:** specs are made by the strict reader only; they serialize, they do not deserialize.

pub mod kind;
pub mod origin;
pub mod metadata;
pub mod policy;
pub mod argv;
pub mod glob;
pub mod file;
pub mod template;
pub mod directory;
pub mod symlink;
pub mod command;
pub mod probe;
pub mod unit;
pub mod artifact;
pub mod http;
pub mod host;
pub mod repository;
mod compose;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

pub use self::argv::{Argv, Validation};
pub use self::artifact::{ArtifactSpec, ArtifactUrl};
pub use self::command::{CommandSpec, Guard};
pub use self::directory::{DirectorySpec, Planting};
pub use self::file::{FileContent, FileSpec, State};
pub use self::glob::Glob;
pub use self::host::HostSpec;
pub use self::http::HttpProbe;
pub use self::kind::{Kind, ResourceId};
pub use self::metadata::{Action, Metadata, Notify};
pub use self::origin::Origin;
pub use self::policy::{Adopt, Drift, OnConflict, Policy, Prune, Reboot, Rollback, WriteStrategy};
pub use self::probe::{ProbeMeans, ProbeSpec};
pub use self::repository::RepositorySpec;
pub use self::symlink::SymlinkSpec;
pub use self::template::TemplateSpec;
pub use self::unit::{OnChange, RunState, UnitSpec};
use crate::digest::Sha256;
use crate::host_path::HostPath;
use crate::target::Target;

pub(crate) use self::compose::compose;

/// One thing that a host should hold or do.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Where it was written.
    pub origin: Origin,
    /// Its kind; the same as that of `spec`.
    pub kind: Kind,
    /// Name, labels, annotations.
    pub metadata: Metadata,
    /// The hosts it is for.
    pub target: Target,
    /// What must stand before it.
    pub depends_on: Vec<ResourceId>,
    /// What is told when it changed.
    pub notify: Vec<Notify>,
    /// What is wanted.
    pub spec: Spec,
    /// How its changes are handled.
    pub policy: Policy,
}

/// What is wanted, by kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Spec {
    /// A release that is fetched.
    Artifact(ArtifactSpec),
    /// A file with given content.
    File(FileSpec),
    /// A file rendered from a template.
    Template(TemplateSpec),
    /// A directory, or a whole tree.
    Directory(DirectorySpec),
    /// A symlink.
    Symlink(SymlinkSpec),
    /// A command.
    Command(CommandSpec),
    /// A unit of the service manager.
    Unit(UnitSpec),
    /// A check that the change works.
    Probe(ProbeSpec),
    /// A host that may take part.
    Host(HostSpec),
    /// The repository itself.
    Repository(RepositorySpec),
}

/// A place on the host that a manifest claims for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The path.
    pub path: &'a HostPath,
    /// The field that says so.
    pub field: &'static str,
    /// How far the claim reaches.
    pub reach: Reach,
    /// Whether the path should be there.
    pub state: State,
}

/// How far a claim reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This path, which is no directory: nothing can lie below it.
    Leaf,
    /// This directory, and nothing below it.
    Directory,
    /// This directory and whatever the repository's folder holds, below it.
    Tree,
}

impl Manifest {
    /// Its kind and name, shown as `File/web-config`.
    pub fn id(&self) -> ResourceId {
        ResourceId { kind: self.kind, name: self.metadata.name.clone() }
    }

    /// The paths that it claims, if its kind has any.
    pub fn claims(&self) -> Vec<Claim<'_>> {
        let claim = |path, reach, state| vec![Claim { path, field: "spec.path", reach, state }];
        match &self.spec {
            Spec::File(it) => claim(&it.path, Reach::Leaf, it.state),
            Spec::Template(it) => claim(&it.path, Reach::Leaf, it.state),
            Spec::Symlink(it) => claim(&it.path, Reach::Leaf, it.state),
            Spec::Directory(it) => {
                let reach = if it.planting.is_some() { Reach::Tree } else { Reach::Directory };
                claim(&it.path, reach, it.state)
            }
            Spec::Unit(it) => it.claim().into_iter().collect(),
            Spec::Artifact(it) => it.claims().into(),
            Spec::Command(_) | Spec::Probe(_) | Spec::Host(_) | Spec::Repository(_) => Vec::new(),
        }
    }

    /// Digests the whole manifest in its canonical form, without where it was written.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn digest(&self) -> Result<Sha256, serde_json::Error> {
        Sha256::of_value(self)
    }

    /// Digests kind and spec only: what the host is asked for, whatever the manifest is called.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn spec_digest(&self) -> Result<Sha256, serde_json::Error> {
        Sha256::of_value(&(self.kind, &self.spec))
    }
}

/// The canonical form: every field, defaults included, under its written name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a> {
    api_version: &'static str,
    kind: Kind,
    metadata: &'a Metadata,
    target: &'a Target,
    depends_on: &'a [ResourceId],
    notify: &'a [Notify],
    spec: &'a Spec,
    policy: &'a Policy,
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Canonical {
            api_version: metadata::API_VERSION,
            kind: self.kind,
            metadata: &self.metadata,
            target: &self.target,
            depends_on: &self.depends_on,
            notify: &self.notify,
            spec: &self.spec,
            policy: &self.policy,
        }
        .serialize(to)
    }
}
