//! The example repositories parse, fit together, and name only files that they hold.
//!
//! **Invariant:** what is written here is read by the strict reader, as a repository's files are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{FileContent, Manifest, Spec};
use crate::desired::Desired;
use crate::read::manifests;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests")
}

/// Every manifest of an example: of `bowline.yaml` and of the folders that it lists.
fn read(root: &Path) -> Vec<Manifest> {
    let mut found = file(root, &root.join("bowline.yaml"));
    let folders: Vec<PathBuf> = found
        .iter()
        .filter_map(|it| match &it.spec {
            Spec::Repository(spec) => Some(spec.folders.iter().map(|it| root.join(it.as_str()))),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(!folders.is_empty(), "{} lists no folders", root.display());
    for folder in folders {
        walk(root, &folder, &mut found);
    }
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Manifest>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_content = ["templates", "files", "secrets"].contains(&name);
        if path.is_dir() && !is_content {
            walk(root, &path, found);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            found.extend(file(root, &path));
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test reads its own repository")]
fn file(root: &Path, path: &Path) -> Vec<Manifest> {
    let label = path.strip_prefix(root).unwrap().to_str().unwrap();
    let (found, faults) = manifests(label, &fs::read(path).unwrap());
    assert!(faults.is_empty(), "{faults}");
    found
}

#[test]
fn every_example_parses_and_fits_together() {
    let mut names = Vec::new();
    for entry in fs::read_dir(examples()).unwrap() {
        let root = entry.unwrap().path();
        if !root.is_dir() {
            continue;
        }
        let found = read(&root);
        for manifest in &found {
            let source = match &manifest.spec {
                Spec::Template(spec) => Some(&spec.source),
                Spec::Directory(spec) => spec.planting.as_ref().map(|it| &it.source),
                Spec::File(spec) => match &spec.content {
                    Some(FileContent::Repository(source)) => Some(source),
                    _ => None,
                },
                _ => None,
            };
            let missing = source.filter(|it| !root.join(it.as_str()).exists());
            assert!(missing.is_none(), "{}: {missing:?} does not exist", manifest.origin);
        }
        let desired = Desired::assemble(found).unwrap_or_else(|it| panic!("{it}"));
        assert!(desired.repository().is_some());
        for host in desired.hosts() {
            let Spec::Host(spec) = &host.spec else {
                continue;
            };
            let chosen = desired.select(&spec.labels, &BTreeMap::new());
            let chosen = chosen.unwrap_or_else(|it| panic!("{}: {it}", host.id()));
            assert!(!chosen.resources().is_empty(), "{} holds nothing", host.id());
        }
        names.push(root.file_name().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["first-host", "release", "shop", "web"]);
}

#[test]
fn the_web_example_stands_in_its_order() {
    let desired = Desired::assemble(read(&examples().join("web"))).unwrap();
    let order: Vec<_> = desired.resources().iter().map(|it| it.id().to_string()).collect();
    let expected = [
        "Command/dhparam",
        "Directory/nginx-conf",
        "Directory/web-root",
        "Directory/site",
        "File/security-headers",
        "Probe/site-answers",
        "Probe/site-listens",
        "Symlink/current-site",
        "Template/site-server",
    ];
    assert_eq!(order, expected);
}
