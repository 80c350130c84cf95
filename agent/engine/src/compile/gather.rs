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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bowline_model::digest::Sha256;
    use bowline_model::object_id::ObjectId;

    use super::*;

    const KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn host(name: &str, environment: &str) -> String {
        format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\n\
             spec: {{keyFingerprint: \"{KEY}\", environment: {environment}}}\n"
        )
    }

    /// The environment of the host with the key.
    fn environment(gathered: Result<Gathered, impl std::fmt::Debug>) -> String {
        match gathered.unwrap() {
            Gathered::Desired(desired) => desired.host_with(KEY).unwrap().1.environment.to_string(),
            Gathered::Read(paths) => panic!("{paths:?} is at hand"),
        }
    }

    #[test]
    fn a_host_is_compiled_for_the_environment_that_its_gates_were_judged_for() {
        let repository = "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [hosts]}\n";
        let texts = [
            ("fleet/bowline.yaml", repository.to_owned()),
            ("fleet/hosts/a.yaml", host("web-1", "production")),
            ("fleet/other/a.yaml", host("web-1", "lab")),
            ("hosts/a.yaml", host("web-1", "staging")),
        ];
        let all: Contents =
            texts.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().into())).collect();
        let id: ObjectId = "1111111111111111111111111111111111111111".parse().unwrap();
        let of_file = |bytes: &Arc<[u8]>| {
            let (sha256, size) = (Sha256::of(bytes), bytes.len() as u64);
            Entry::File { blob: id, sha256, size, executable: false }
        };
        let mut entries: BTreeMap<_, _> =
            all.iter().map(|(path, bytes)| (path.clone(), of_file(bytes))).collect();
        let contents = host("web-1", "lab");
        for path in ["fleet/hosts/files/z.yaml", "fleet/hosts/z.txt"] {
            entries.insert(path.to_owned(), of_file(&Arc::from(contents.as_bytes())));
        }
        let link = Entry::Symlink { target: "a.yaml".to_owned() };
        entries.insert("fleet/hosts/b.yaml".to_owned(), link);
        let tree = Tree { commit: id, entries, sha256: Sha256::default() };
        let compiled = environment(gather("fleet", &tree, &all));
        // What gates are judged by: the regular YAML files of the repository's own folder, and nothing else.
        let own = |it: &(&String, &Arc<[u8]>)| it.0.starts_with("fleet/");
        let raw: Contents =
            all.iter().filter(own).map(|(path, it)| (path.clone(), Arc::clone(it))).collect();
        let size = |it: &Arc<[u8]>| u64::try_from(it.len()).ok();
        let judged = environment(manifest_files::gather("fleet", &raw, size, &raw));
        assert_eq!((compiled.as_str(), judged.as_str()), ("production", "production"));
    }
}
