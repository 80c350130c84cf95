//! Expands an artifact into the folder of its release, the members in it, and the link to it.
//!
//! **Invariant:** a release is one object for each member, so that drift, prune and undo are those of files.
//! **Invariant:** the link comes last: whoever follows it finds a whole release.

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_model::form::Form;
use bowline_model::generation::Generation;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{ArtifactSpec, Manifest, Spec};
use bowline_model::name::Account;
use bowline_model::release::{Archive, Body, HeldRelease, Listing, Member, Wanted};
use bowline_model::tree::Content;

use super::objects::Place;
use super::{CompileFailure, Object};

/// As a package makes the folders that it brings.
const FOLDER_MODE: u32 = 0o755;

/// Artifacts of one host: each is fetched before the next, and holds up whatever waits for the plan.
const ARTIFACTS_MAX: usize = 32;

/// Archives that were asked for, and what each of them holds.
pub type Obtained = BTreeMap<Archive, Supply>;

/// What is known of an archive.
#[derive(Debug, Clone)]
pub struct Supply {
    /// What it holds.
    pub listing: Arc<Listing>,
    /// Whether its files can be staged; else it is only known by what stands on the host.
    pub is_here: bool,
}

impl Supply {
    /// An archive that is here.
    pub fn here(listing: Listing) -> Self {
        Self { listing: Arc::new(listing), is_here: true }
    }

    /// An archive that cannot be had, but a release of which this host holds.
    pub fn standing(wanted: &Wanted, generation: &Generation) -> Option<Self> {
        let is_it = |it: &&HeldRelease| {
            it.resource == wanted.resource && it.archive == wanted.archive && !it.is_rest
        };
        let held = generation.releases.iter().find(is_it)?;
        let listing = Arc::new(held.listing(&generation.inventory));
        Some(Self { listing, is_here: false })
    }
}

/// What an artifact says.
pub(super) fn spec(manifest: &Manifest) -> Option<&ArtifactSpec> {
    match &manifest.spec {
        Spec::Artifact(spec) => Some(spec),
        _ => None,
    }
}

/// The archive of an artifact, beside those of all artifacts.
pub(super) fn wanted<'a>(
    manifest: &Manifest,
    spec: &ArtifactSpec,
    all: impl Iterator<Item = &'a ArtifactSpec>,
) -> Wanted {
    Wanted {
        resource: manifest.id().to_string().into(),
        url: spec.url.clone(),
        archive: spec.archive.clone(),
        beside: all.map(|it| it.archive.clone()).collect(),
    }
}

/// The first archive that is not at hand yet.
pub(super) fn missing(
    resources: &[Arc<Manifest>],
    obtained: &Obtained,
) -> Result<Option<Wanted>, CompileFailure> {
    let artifacts: Vec<(&Manifest, &ArtifactSpec)> =
        resources.iter().filter_map(|it| Some((&**it, spec(it)?))).collect();
    for (at, (manifest, spec)) in artifacts.iter().enumerate() {
        if at >= ARTIFACTS_MAX {
            let message = format!("more than {ARTIFACTS_MAX} artifacts for one host");
            let fault = manifest.origin.fault("kind", message, "fewer");
            return Err(super::gather::of_fault(fault));
        }
        if !obtained.contains_key(&spec.archive) {
            return Ok(Some(wanted(manifest, spec, artifacts.iter().map(|(_, it)| *it))));
        }
    }
    Ok(None)
}

impl Place<'_> {
    /// Adds the release's objects and the link.
    pub(super) fn artifact(
        &self,
        spec: &ArtifactSpec,
        objects: &mut Vec<Object>,
        warnings: &mut Vec<String>,
    ) -> Result<(), CompileFailure> {
        let root = Account::root();
        let (uid, gid) = self.owners(&root, &root, warnings)?;
        let folder = |mode| Form::Directory { mode, uid, gid };
        objects.push(self.object(&spec.releases_dir, folder(FOLDER_MODE), Content::Nothing));
        objects.push(self.object(spec.folder(), folder(FOLDER_MODE), Content::Nothing));
        // It is asked for before, and without it nothing is compiled.
        let supply = self.material.obtained.get(&spec.archive);
        for Member { path, body } in supply.iter().flat_map(|it| &it.listing.members) {
            let at = spec.folder().join(path).map_err(|_too_long| {
                let message = format!("{path} cannot be a path on the host");
                self.fault("spec.releasesDir", message, "a shorter path")
            })?;
            let form = match body {
                Body::Folder { mode } => folder(*mode),
                Body::Link { target } => Form::Symlink { target: target.clone() },
                Body::File { sha256, size, mode } => {
                    Form::File { sha256: *sha256, size: *size, mode: *mode, uid, gid, xattrs: None }
                }
            };
            let content = match body {
                Body::File { .. } if supply.is_some_and(|it| it.is_here) => {
                    Content::Member { archive: spec.archive.sha256, extract: spec.archive.extract }
                }
                Body::File { .. } => Content::Away,
                Body::Folder { .. } | Body::Link { .. } => Content::Nothing,
            };
            objects.push(self.object(&at, form, content));
        }
        let form = Form::Symlink { target: spec.link_text(|it| self.facts.resolve(it)) };
        objects.push(self.object(&spec.link, form, Content::Nothing));
        Ok(())
    }

    /// The release as a generation keeps it.
    pub(super) fn release(&self, spec: &ArtifactSpec) -> HeldRelease {
        let folder: HostPath = self.facts.resolve(spec.folder());
        let resource = self.manifest.id().to_string().into();
        let archive = spec.archive.clone();
        HeldRelease { resource, archive, folder, lines: Vec::new(), is_rest: false }
    }
}
