//! Turns a verified tree into the objects that should stand on this host.
//!
//! **Invariant:** nothing of a repository is parsed here before its revision is verified.
//! **Invariant:** compiled objects hold everything a plan needs: forms, contents, conduct, order.

pub mod artifact;
mod gather;
mod objects;
mod unit;

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_model::desired::Desired;
use bowline_model::digest::Sha256;
use bowline_model::facts::Facts;
use bowline_model::form::Form;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{Manifest, Spec};
use bowline_model::manifest_files::Gathered;
use bowline_model::name::{Key, Label};
use bowline_model::policy::LabelSource;
use bowline_model::read::Faults;
use bowline_model::release::{Archive, HeldRelease, Wanted};
use bowline_model::tree::{Content, Contents, Tree};
use thiserror::Error;

use self::artifact::Obtained;
use crate::gate::{self, Cleared, Hold};
use crate::settings::Settings;
use crate::verify::Verified;

/// A revision, compiled for this host.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The proof that it may be deployed.
    pub cleared: Cleared,
    /// Who this host is; `None` when nothing names its key.
    pub host: Option<String>,
    /// The environment that the Host with this host's key names.
    pub environment: Option<String>,
    /// Digest of the facts it was compiled with.
    pub facts: Sha256,
    /// Objects at paths, in the order in which they come to stand.
    pub objects: Vec<Object>,
    /// Resources in order, with those that are no objects at paths.
    pub resources: Vec<Resource>,
    /// The release that each artifact asks for.
    pub releases: Vec<HeldRelease>,
    /// SHA-256 over the tree's paths, modes, types and contents.
    pub tree_sha256: Sha256,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// One resource of the revision that is for this host.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its name, as `Kind/name`.
    pub id: Arc<str>,
    /// What was written.
    pub manifest: Arc<Manifest>,
    /// Digest of a template and its values before facts come in; `None` for other kinds.
    pub unrendered: Option<Sha256>,
}

/// One object that should stand at a path.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where.
    pub path: HostPath,
    /// Whose.
    pub resource: u32,
    /// How it should stand.
    pub form: Form,
    /// Where its content comes from.
    pub content: Content,
}

/// What compiling has at hand beside the tree.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Contents of files of the tree.
    pub contents: Contents,
    /// What archives hold.
    pub obtained: Obtained,
}

/// What compiling needs next.
#[derive(Debug)]
pub enum Step {
    /// These files of the tree.
    Read(Vec<String>),
    /// This archive.
    Obtain(Box<Wanted>),
    /// Nothing: here it is.
    Done(Box<Compiled>),
}

/// A revision that cannot be compiled for this host.
#[derive(Debug, Error)]
pub enum CompileFailure {
    /// Its manifests are at fault.
    #[error("{0}")]
    Manifests(Faults),
    /// A manifest names something that the tree or the host does not have.
    #[error("{at}: {detail}")]
    Unresolved {
        /// The manifest.
        at: String,
        /// What is missing.
        detail: String,
    },
    /// It is held.
    #[error("{}", .0.detail)]
    Held(Hold),
}

impl CompileFailure {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifests(_) => "invalid-manifest",
            Self::Unresolved { .. } => "unresolved-reference",
            Self::Held(hold) => hold.code,
        }
    }
}

/// Compiles as far as the material at hand allows.
pub fn compile(
    settings: &Settings,
    verified: &Verified,
    tree: &Tree,
    material: &Material,
    facts: &Facts,
) -> Result<Step, CompileFailure> {
    let contents = &material.contents;
    let desired = match gather::gather(&settings.folder, tree, contents)? {
        Gathered::Read(paths) => return Ok(Step::Read(paths)),
        Gathered::Desired(desired) => desired,
    };
    let cleared = gate::clear(settings, verified.clone(), desired.repository())
        .map_err(CompileFailure::Held)?;
    let (host, labels, warning) = identity(settings, verified, &desired);
    let chosen = desired.select(&labels, &facts.values).map_err(CompileFailure::Manifests)?;
    let templates = gather::templates(&settings.folder, tree, chosen.resources(), contents);
    if !templates.is_empty() {
        return Ok(Step::Read(templates));
    }
    if let Some(wanted) = artifact::missing(chosen.resources(), &material.obtained)? {
        return Ok(Step::Obtain(Box::new(wanted)));
    }
    let mut compiled = Compiled {
        cleared,
        host,
        environment: desired
            .host_with(&settings.fingerprint)
            .map(|(_, spec)| spec.environment.to_string()),
        facts: facts_digest(facts),
        objects: Vec::new(),
        resources: Vec::new(),
        releases: Vec::new(),
        tree_sha256: tree.sha256,
        warnings: warning.into_iter().collect(),
    };
    for manifest in chosen.resources() {
        let number = u32::try_from(compiled.resources.len()).unwrap_or(u32::MAX);
        let at = objects::Place { settings, tree, material, facts, manifest, number };
        at.compile(&mut compiled.objects, &mut compiled.warnings)?;
        if let Spec::Artifact(spec) = &manifest.spec {
            compiled.releases.push(at.release(spec));
        }
        let id = manifest.id().to_string().into();
        let unrendered = at.unrendered();
        compiled.resources.push(Resource { id, manifest: Arc::clone(manifest), unrendered });
    }
    for object in &mut compiled.objects {
        object.path = facts.resolve(&object.path);
    }
    let reserved: Vec<HostPath> = settings.reserved.iter().map(|it| facts.resolve(it)).collect();
    objects::check_paths(&compiled, &reserved)?;
    Ok(Step::Done(Box::new(compiled)))
}

impl Compiled {
    /// Whether it still holds for these facts.
    pub fn is_for(&self, verified: &Verified, facts: &Facts) -> bool {
        self.cleared.verified().revision() == verified.revision()
            && self.facts == facts_digest(facts)
    }

    /// The same, once the archive of a release that stands is here: its members can be staged.
    pub(crate) fn supplied(&self, wanted: &Wanted) -> Self {
        let mut supplied = self.clone();
        let mine = |it: &Object| self.resource_of(it).is_some_and(|it| it.id == wanted.resource);
        let Archive { sha256: archive, extract, .. } = wanted.archive;
        for object in &mut supplied.objects {
            if object.content == Content::Away && mine(object) {
                object.content = Content::Member { archive, extract };
            }
        }
        supplied
    }

    /// The archive that an artifact asks for, by the number of its resource.
    pub(crate) fn archive_of(&self, number: u32) -> Option<Wanted> {
        let artifacts = || self.resources.iter().map(|it| &*it.manifest).filter_map(artifact::spec);
        let manifest = &self.resources.get(number as usize)?.manifest;
        Some(artifact::wanted(manifest, artifact::spec(manifest)?, artifacts()))
    }

    /// The resource of an object.
    pub fn resource_of(&self, object: &Object) -> Option<&Resource> {
        self.resources.get(object.resource as usize)
    }

    /// Manifests of kind Probe.
    pub fn probes(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|it| matches!(it.manifest.spec, Spec::Probe(_)))
    }
}

/// Digest of the facts that count for compiling: the boot does not.
fn facts_digest(facts: &Facts) -> Sha256 {
    let seen = (&facts.values, &facts.users, &facts.groups, &facts.only_owner, &facts.links);
    // Facts are maps with text keys, which always have a JSON form.
    Sha256::of_value(&seen).unwrap_or_default()
}

/// Who this host is, and the labels by which manifests choose it.
fn identity(
    settings: &Settings,
    verified: &Verified,
    desired: &Desired,
) -> (Option<String>, BTreeMap<Key, Label>, Option<String>) {
    if verified.policy().labels == LabelSource::Local {
        let host = Some("named by its own settings".to_owned());
        return (host, settings.local_labels.clone(), None);
    }
    if let Some((host, spec)) = desired.host_with(&settings.fingerprint) {
        return (Some(host.id().to_string()), spec.labels.clone(), None);
    }
    let warning = format!(
        "no hosts/*.yaml has this host's key {}: only manifests without a target apply",
        settings.fingerprint
    );
    (None, BTreeMap::new(), Some(warning))
}
