//! Which files of a tree manifests are gathered from, and which they name.
//!
//! **Invariant:** what is a manifest is the model's rule alone: gates judged by the same.

use std::sync::Arc;

use bowline_model::host_path::RepoPath;
use bowline_model::manifest::{Manifest, Spec};
use bowline_model::manifest_files::{self, Gathered, NoDesired, inside};
use bowline_model::read::{Fault, Faults};
use bowline_model::tree::{Contents, Entry, Tree};

use super::CompileFailure;

/// Finds and parses every manifest.
pub(super) fn gather(
    folder: &str,
    tree: &Tree,
    contents: &Contents,
) -> Result<Gathered, CompileFailure> {
    let size_of = |entry: &Entry| match entry {
        Entry::File { size, .. } => Some(*size),
        Entry::Symlink { .. } => None,
    };
    manifest_files::gather(folder, &tree.entries, size_of, contents).map_err(
        |failure| match failure {
            NoDesired::Manifests(faults) => CompileFailure::Manifests(faults),
            NoDesired::Unresolved { at, detail } => CompileFailure::Unresolved { at, detail },
        },
    )
}

/// Where a file or folder lies that a manifest names: beside the manifest, else from the
/// repository's own folder on.
pub(super) fn locate(
    folder: &str,
    tree: &Tree,
    manifest: &Manifest,
    source: &RepoPath,
) -> Option<String> {
    let beside = manifest.origin.file.rsplit_once('/').map(|(folder, _)| folder);
    let beside = beside.map(|it| format!("{it}/{}", source.as_str()));
    let candidates = beside.into_iter().chain([inside(folder, source.as_str())]);
    let mut found = candidates.filter(|path| {
        let below = format!("{path}/");
        let next = tree.entries.range(path.clone()..).map(|(it, _)| it);
        // A name that begins alike may stand between a folder's name and what lies in it.
        tree.entries.contains_key(path)
            || next.take_while(|it| it.starts_with(path)).any(|it| it.starts_with(&below))
    });
    found.next()
}

/// Templates that are not at hand yet.
pub(super) fn templates(
    folder: &str,
    tree: &Tree,
    resources: &[Arc<Manifest>],
    contents: &Contents,
) -> Vec<String> {
    resources
        .iter()
        .filter_map(|manifest| match &manifest.spec {
            Spec::Template(spec) => locate(folder, tree, manifest, &spec.source),
            _ => None,
        })
        .filter(|path| !contents.contains_key(path))
        .collect()
}

/// Shows faults as one text.
pub(super) fn of_fault(fault: Fault) -> CompileFailure {
    CompileFailure::Manifests(Faults::from(fault))
}
