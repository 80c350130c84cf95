//! Finds which files of a tree hold manifests, and parses them.
//!
//! **Invariant:** a file is read only if `bowline.yaml` lists its folder; number and size are limited.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use bowline_model::desired::Desired;
use bowline_model::host_path::RepoPath;
use bowline_model::manifest::{Manifest, Spec};
use bowline_model::read::{self, Fault, Faults};
use bowline_model::tree::{Contents, Entry, Tree};

use super::CompileFailure;

/// Files with manifests in one repository: more than a fleet of ten thousand hosts has.
const MANIFEST_FILES_MAX: usize = 20_000;

/// Bytes of all manifests together.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Folders inside a listed folder that hold contents, not manifests.
const CONTENT_FOLDERS: [&str; 3] = ["templates", "files", "secrets"];

/// What gathering gives.
pub(super) enum Gathered {
    /// It needs these files first.
    Read(Vec<String>),
    /// All manifests.
    Desired(Desired),
}

/// The path of something in the repository's own folder.
pub(super) fn inside(folder: &str, path: &str) -> String {
    match folder.trim_matches('/') {
        "" | "." => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}

/// Finds and parses every manifest.
pub(super) fn gather(
    folder: &str,
    tree: &Tree,
    contents: &Contents,
) -> Result<Gathered, CompileFailure> {
    let repository = inside(folder, "bowline.yaml");
    if !tree.entries.contains_key(&repository) {
        let detail = "the file is missing: it says which folders hold manifests".to_owned();
        return Err(CompileFailure::Unresolved { at: repository, detail });
    }
    let Some(bytes) = contents.get(&repository) else {
        return Ok(Gathered::Read(vec![repository]));
    };
    let (mut manifests, mut faults) = read::manifests(&repository, bytes);
    let folders: Vec<String> = manifests
        .iter()
        .find_map(|it| match &it.spec {
            Spec::Repository(spec) => Some(&spec.folders),
            _ => None,
        })
        .map(|folders| folders.iter().map(|it| inside(folder, it.as_str())).collect())
        .unwrap_or_default();
    if folders.is_empty() && faults.is_empty() {
        faults.push(no_folders(&repository));
    }
    if !faults.is_empty() {
        return Err(CompileFailure::Manifests(faults));
    }
    let files = manifest_files(&folders, tree)?;
    let missing: Vec<_> = files
        .iter()
        .filter(|path| !contents.contains_key(**path))
        .map(|it| (*it).to_owned())
        .collect();
    if !missing.is_empty() {
        return Ok(Gathered::Read(missing));
    }
    for path in files {
        let bytes = contents.get(path).map(AsRef::as_ref).unwrap_or_default();
        let (found, wrong) = read::manifests(path, bytes);
        manifests.extend(found);
        for fault in wrong {
            faults.push(fault);
        }
    }
    if !faults.is_empty() {
        return Err(CompileFailure::Manifests(faults));
    }
    Desired::assemble(manifests).map(Gathered::Desired).map_err(CompileFailure::Manifests)
}

fn no_folders(file: &str) -> Fault {
    let message = "no manifest of kind Repository";
    Fault::at(&file.into(), 1, 1, "kind", message, "kind: Repository with spec.folders")
}

fn manifest_files<'t>(folders: &[String], tree: &'t Tree) -> Result<Vec<&'t str>, CompileFailure> {
    let mut files = BTreeSet::new();
    let mut bytes = 0;
    for folder in folders {
        let prefix = format!("{folder}/");
        let below =
            tree.entries.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        for (path, entry) in below {
            let inner = path.get(prefix.len()..).unwrap_or_default();
            let extension = Path::new(inner).extension().and_then(OsStr::to_str);
            let is_yaml = matches!(extension, Some("yaml" | "yml"));
            let is_content = inner.split('/').rev().skip(1).any(|it| CONTENT_FOLDERS.contains(&it));
            let Entry::File { size, .. } = entry else {
                continue;
            };
            if is_yaml && !is_content && files.insert(path.as_str()) {
                bytes += size;
            }
        }
    }
    if files.len() > MANIFEST_FILES_MAX || bytes > MANIFEST_BYTES_MAX {
        let detail = format!(
            "{} files with {bytes} bytes of manifests; at most {MANIFEST_FILES_MAX} files and \
             {MANIFEST_BYTES_MAX} bytes are read",
            files.len()
        );
        return Err(CompileFailure::Unresolved { at: "bowline.yaml".to_owned(), detail });
    }
    Ok(files.into_iter().collect())
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
