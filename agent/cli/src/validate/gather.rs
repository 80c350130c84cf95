//! Which files are meant by what was named on the command line.
//!
//! **Invariant:** a repository is read as the agent reads it: `bowline.yaml`, and the folders it lists.
//! **Invariant:** links are not followed, and number and depth of files are limited.

use std::collections::BTreeSet;
use std::fs::FileType;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bowline_host::door::files;
use bowline_model::manifest::Spec;
use bowline_model::manifest_files::CONTENT_FOLDERS;
use bowline_model::policy::POLICY_PATH;
use bowline_model::read;

use super::FILE_BYTES_MAX;
use crate::failure::{Failure, read_given};

/// As many as the agent reads.
const FILES_MAX: usize = 20_000;

/// As deep as the agent looks.
const DEPTH_MAX: usize = 64;

/// Names in one folder; more are no repository of manifests.
const NAMES_MAX: usize = 100_000;

/// Files that are looked at together.
#[derive(Debug, Default)]
pub(super) struct Case {
    /// The repository that they belong to.
    pub(super) repository: Option<Repository>,
    /// Each file once, sorted.
    pub(super) files: Vec<File>,
    /// YAML files of a whole repository that lie in none of the folders it lists.
    pub(super) unlisted: Vec<File>,
}

/// The repository that files belong to.
#[derive(Debug)]
pub(super) struct Repository {
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// How its `bowline.yaml` is shown.
    pub(super) label: String,
}

/// One file.
#[derive(Debug)]
pub(super) struct File {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// How it is shown.
    pub(super) label: String,
    /// Whether it was named, and is not only read for what the named ones refer to.
    pub(super) is_meant: bool,
}

/// Sorts what was named into repositories and loose files; the loose ones are one case.
pub(super) fn cases(paths: &[PathBuf]) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    let mut loose = Files::default();
    for path in paths {
        if let Some(folder) = enclosing(path) {
            let case = repository(&folder, Some(path))?;
            if case.files.iter().any(|it| it.is_meant) {
                cases.push(case);
                continue;
            }
        }
        if path.is_dir() {
            loose.below(path, Wanted::Everything, 0)?;
        } else {
            loose.found.insert(path.clone());
        }
    }
    for folder in &loose.repositories {
        cases.push(repository(folder, None)?);
    }
    if !loose.found.is_empty() || cases.is_empty() {
        let file = |path: PathBuf| File { label: shown(&path), path, is_meant: true };
        let files = loose.found.into_iter().map(file).collect();
        cases.push(Case { files, ..Case::default() });
    }
    Ok(cases)
}

/// The repository in whose folder a path lies.
fn enclosing(path: &Path) -> Option<PathBuf> {
    let whole = path.canonicalize().ok()?;
    let folder =
        whole.ancestors().skip(1).take(DEPTH_MAX).find(|it| it.join("bowline.yaml").is_file());
    folder.map(Path::to_owned)
}

/// The files of a repository; with `named` those at or below it are meant, else all.
fn repository(folder: &Path, named: Option<&Path>) -> Result<Case, Failure> {
    let first = folder.join("bowline.yaml");
    let bytes = read_given(&first, "file", FILE_BYTES_MAX)?;
    let (manifests, _) = read::manifests("bowline.yaml", &bytes);
    let mut files = Files::default();
    files.found.insert(first.clone());
    files.found.extend(Some(folder.join(POLICY_PATH)).filter(|it| it.is_file()));
    for manifest in &manifests {
        let Spec::Repository(spec) = &manifest.spec else { continue };
        for listed in &spec.folders {
            let listed = folder.join(listed.as_str());
            if listed.is_dir() {
                files.below(&listed, Wanted::Manifests, 0)?;
            }
        }
    }
    let target = named.and_then(|it| it.canonicalize().ok());
    let file = |path: PathBuf| match (named, &target) {
        (Some(named), Some(target)) => match path.strip_prefix(target) {
            Ok(inner) if inner.as_os_str().is_empty() => {
                File { label: shown(named), path, is_meant: true }
            }
            Ok(inner) => File { label: shown(&named.join(inner)), path, is_meant: true },
            Err(_) => File { label: shown(&path), path, is_meant: false },
        },
        _ => File { label: shown(&path), path, is_meant: true },
    };
    let mut beside = Files::default();
    if named.is_none() {
        beside.below(folder, Wanted::Beside, 0)?;
    }
    let unlisted = beside.found.difference(&files.found).cloned();
    let unlisted =
        unlisted.map(|path| File { label: shown(&path), path, is_meant: true }).collect();
    let repository = Some(Repository { folder: folder.to_owned(), label: shown(&first) });
    Ok(Case { repository, files: files.found.into_iter().map(file).collect(), unlisted })
}

/// What is wanted of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// What the agent takes for manifests.
    Manifests,
    /// Every YAML file.
    Everything,
    /// What lies in a repository's folder and might be taken for manifests.
    Beside,
}

/// Files and repositories found on the way.
#[derive(Debug, Default)]
struct Files {
    found: BTreeSet<PathBuf>,
    repositories: BTreeSet<PathBuf>,
}

impl Files {
    fn below(&mut self, folder: &Path, wanted: Wanted, depth: usize) -> Result<(), Failure> {
        let too_much = |what: String| {
            let refused = anyhow!("{} holds {what}", folder.display());
            Err(Failure::usage(refused).hint("name a folder that holds manifests"))
        };
        if depth > DEPTH_MAX {
            return too_much(format!("folders more than {DEPTH_MAX} deep"));
        }
        if wanted == Wanted::Everything && folder.join("bowline.yaml").is_file() {
            self.repositories.insert(folder.to_owned());
            return Ok(());
        }
        if wanted == Wanted::Beside && depth > 0 && folder.join("bowline.yaml").is_file() {
            return Ok(());
        }
        for name in files::names(folder, NAMES_MAX).map_err(Failure::usage)? {
            let path = folder.join(&name);
            let kind = path.symlink_metadata().map(|it| it.file_type());
            let is_folder = kind.as_ref().is_ok_and(FileType::is_dir);
            let is_content = CONTENT_FOLDERS.contains(&name.as_str());
            let is_yaml = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
            if is_folder && name != ".git" && !(is_content && wanted != Wanted::Everything) {
                self.below(&path, wanted, depth + 1)?;
            } else if is_yaml && kind.is_ok_and(|it| it.is_file()) {
                self.found.insert(path);
            }
            if self.found.len() > FILES_MAX {
                return too_much(format!("more than {FILES_MAX} files"));
            }
        }
        Ok(())
    }
}

/// The path as people write it.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").map_or(text.clone(), str::to_owned)
}
