//! Which files of a tree hold manifests, and what they ask for together.
//!
//! **Invariant:** there is one rule for it: what gates judge by is what is compiled.
//! **Invariant:** a file is read only if `bowline.yaml` lists its folder; number and size are limited.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use thiserror::Error;

use crate::desired::Desired;
use crate::manifest::Spec;
use crate::read::{self, Fault, Faults};
use crate::tree::Contents;

/// Files with manifests in one repository: more than a fleet of ten thousand hosts has.
pub const MANIFEST_FILES_MAX: usize = 20_000;

/// Bytes of all manifests together.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Folders inside a listed folder that hold contents, not manifests.
pub const CONTENT_FOLDERS: [&str; 3] = ["templates", "files", "secrets"];

/// What gathering gives.
#[derive(Debug)]
pub enum Gathered {
    /// It needs these files first.
    Read(Vec<String>),
    /// All manifests.
    Desired(Desired),
}

/// Why a tree's manifests give nothing.
#[derive(Debug, Error)]
pub enum NoDesired {
    /// They are at fault.
    #[error("{0}")]
    Manifests(Faults),
    /// The tree lacks a file, or holds too much.
    #[error("{at}: {detail}")]
    Unresolved {
        /// The file.
        at: String,
        /// What is wrong.
        detail: String,
    },
}

/// The repository's own folder without slashes around it; empty for the root.
pub fn own_folder(folder: &str) -> &str {
    match folder.trim_matches('/') {
        "." => "",
        folder => folder,
    }
}

/// The path of something in the repository's own folder.
pub fn inside(folder: &str, path: &str) -> String {
    match own_folder(folder) {
        "" => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}

/// Whether a file of this name may hold manifests.
pub fn is_yaml(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml"))
}

/// Finds and parses every manifest of a tree whose entries are listed by path. `size_of` gives the size of a regular
/// file and nothing for everything else.
///
/// # Errors
/// When `bowline.yaml` is missing, there is too much of it, or any manifest is at fault.
pub fn gather<T>(
    folder: &str,
    entries: &BTreeMap<String, T>,
    size_of: impl Fn(&T) -> Option<u64>,
    contents: &Contents,
) -> Result<Gathered, NoDesired> {
    let repository = inside(folder, "bowline.yaml");
    if !entries.contains_key(&repository) {
        let detail = "the file is missing: it says which folders hold manifests".to_owned();
        return Err(NoDesired::Unresolved { at: repository, detail });
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
        return Err(NoDesired::Manifests(faults));
    }
    let files = manifest_files(&folders, entries, size_of)?;
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
        return Err(NoDesired::Manifests(faults));
    }
    Desired::assemble(manifests).map(Gathered::Desired).map_err(NoDesired::Manifests)
}

fn no_folders(file: &str) -> Fault {
    let message = "no manifest of kind Repository";
    Fault::at(&file.into(), 1, 1, "kind", message, "kind: Repository with spec.folders")
}

fn manifest_files<'t, T>(
    folders: &[String],
    entries: &'t BTreeMap<String, T>,
    size_of: impl Fn(&T) -> Option<u64>,
) -> Result<Vec<&'t str>, NoDesired> {
    let mut files = BTreeSet::new();
    let mut bytes = 0;
    for folder in folders {
        let prefix = format!("{folder}/");
        let below =
            entries.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        for (path, entry) in below {
            let inner = path.get(prefix.len()..).unwrap_or_default();
            let is_content = inner.split('/').rev().skip(1).any(|it| CONTENT_FOLDERS.contains(&it));
            let Some(size) = size_of(entry) else {
                continue;
            };
            if is_yaml(inner) && !is_content && files.insert(path.as_str()) {
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
        return Err(NoDesired::Unresolved { at: "bowline.yaml".to_owned(), detail });
    }
    Ok(files.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Kind;

    const REPOSITORY: &str = "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [hosts, site]}\n";

    fn host(name: &str) -> String {
        let key = "A".repeat(43);
        format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\n\
             spec: {{keyFingerprint: \"SHA256:{key}\", environment: staging}}\n"
        )
    }

    /// Names of what a tree of these files asks for.
    fn names(folder: &str, files: &[(&str, &str)]) -> Result<String, NoDesired> {
        let contents: Contents =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().into())).collect();
        let size = |it: &std::sync::Arc<[u8]>| Some(it.len() as u64);
        match gather(folder, &contents, size, &contents)? {
            Gathered::Read(paths) => panic!("{paths:?} is there"),
            Gathered::Desired(desired) => {
                let hosts = desired.hosts().iter().map(|it| it.metadata.name.to_string());
                assert!(desired.repository().is_some_and(|it| it.kind == Kind::Repository));
                Ok(hosts.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn only_what_a_listed_folder_holds_is_a_manifest() {
        let one = host("web-1");
        let not = "}{";
        for (place, found) in [
            ("hosts/a.yaml", "web-1"),
            ("hosts/deep/er/a.yml", "web-1"),
            ("site/a.yaml", "web-1"),
            ("other/a.yaml", ""),
            ("hosts.yaml", ""),
            ("hosts/a.yaml.txt", ""),
            ("hosts/files/a.yaml", ""),
            ("site/x/templates/y/a.yaml", ""),
            ("site/secrets/a.yml", ""),
        ] {
            let files = [("bowline.yaml", REPOSITORY), (place, &*one), ("docs/x.yaml", not)];
            assert_eq!(names("", &files).unwrap(), found, "{place}");
            let below: Vec<_> =
                files.iter().map(|(path, text)| (format!("ops/fleet/{path}"), *text)).collect();
            let below: Vec<_> = below.iter().map(|(path, text)| (path.as_str(), *text)).collect();
            for folder in ["ops/fleet", "/ops/fleet/"] {
                assert_eq!(names(folder, &below).unwrap(), found, "{place}");
            }
            assert!(names("ops", &below).is_err(), "another folder's");
        }
    }

    #[test]
    fn half_a_repository_is_none() {
        let (good, bad) = (host("web-1"), host("web-2").replace("staging", "\"\""));
        let first = ("bowline.yaml", REPOSITORY);
        let contents = REPOSITORY.replace("site", "site/files");
        for (files, why) in [
            (vec![("hosts/a.yaml", &*good)], "bowline.yaml: the file is missing"),
            (vec![("bowline.yaml", "")], "no manifest of kind Repository"),
            // What lies there was never looked at for gates, so it may not be listed either.
            (
                vec![("bowline.yaml", &*contents), ("site/files/a.yaml", &*good)],
                "a folder of contents",
            ),
            (vec![first, ("hosts/a.yaml", &*good), ("hosts/b.yaml", &*bad)], "hosts/b.yaml:4"),
            (vec![first, ("hosts/a.yaml", &*good), ("site/b.yaml", &*good)], "written twice"),
        ] {
            let failure = names("", &files).unwrap_err().to_string();
            assert!(failure.contains(why), "{failure}");
        }
    }
}
