//! A repository that is fetched from: found by path, its references read as plain files.
//!
//! **Invariant:** neither its configuration nor its hooks are read, whoever owns it.

use std::path::{Path, PathBuf};

use git2::{Odb, Oid};

use super::address::{Address, shown};
use super::fetch_failure::FetchFailure;
use super::objects_in;
use crate::door::files;

/// References are one line; packed ones of 100,000 branches fit.
const REFERENCES_BYTES_MAX: u64 = 16 << 20;

/// Symbolic references that lead to one another; Git's own limit.
const SYMBOLIC_MAX: usize = 5;

/// A repository on this machine that is fetched from.
#[derive(Debug)]
pub(super) struct Remote {
    /// As it was named.
    pub(super) url: String,
    /// Its own folder, with its HEAD.
    git: PathBuf,
    /// Where objects and branches are: another folder only for a linked work tree.
    common: PathBuf,
}

impl Remote {
    /// Finds the repository that a path or `file://` address names.
    pub(super) fn find(url: &str) -> Result<Self, FetchFailure> {
        match Address::of(url)? {
            Address::Local(path) => Self::at(url, &path),
            Address::Ssh(_) | Address::Web(_) => Err(FetchFailure::Elsewhere { url: shown(url) }),
        }
    }

    /// Finds the repository at a path.
    pub(super) fn at(url: &str, path: &Path) -> Result<Self, FetchFailure> {
        let git = [path.join(".git"), path.to_owned()]
            .into_iter()
            .find_map(|it| git_folder(&it))
            .ok_or_else(|| FetchFailure::NotARepository { url: url.to_owned() })?;
        // A linked work tree keeps objects and branches in its main repository.
        let common = match read_line(&git.join("commondir")) {
            Some(text) => git.join(text),
            None => git.clone(),
        };
        Ok(Self { url: url.to_owned(), git, common })
    }

    /// The object that a reference leads to.
    pub(super) fn resolve(&self, name: &str) -> Result<Oid, FetchFailure> {
        if self.common.join("reftable").is_dir() {
            return Err(FetchFailure::Unreadable { url: self.url.clone() });
        }
        let mut name = name.to_owned();
        for _ in 0..SYMBOLIC_MAX {
            let Some(line) = self.line_of(&name) else {
                break;
            };
            match line.strip_prefix("ref:") {
                Some(next) if well_formed(next.trim()) => next.trim().clone_into(&mut name),
                Some(_) => break,
                None if line.len() == 64 => {
                    return Err(FetchFailure::ObjectFormat { url: self.url.clone() });
                }
                None if line.len() == 40 => {
                    return Oid::from_str(&line)
                        .map_err(|_| FetchFailure::Unreadable { url: self.url.clone() });
                }
                None => {
                    return Err(FetchFailure::Unreadable { url: self.url.clone() });
                }
            }
        }
        if self.holds_any_branch() {
            let reference = name;
            return Err(FetchFailure::MissingRef { url: self.url.clone(), reference });
        }
        Err(FetchFailure::Empty { url: self.url.clone() })
    }

    /// Its objects, and those of its alternates.
    pub(super) fn objects(&self) -> Result<Odb<'static>, FetchFailure> {
        let fail = |source| FetchFailure::Git {
            doing: "open the objects of",
            url: self.url.clone(),
            source,
        };
        objects_in(&[self.common.join("objects")]).map_err(fail)
    }

    /// The line of a reference: a loose one counts before a packed one.
    fn line_of(&self, name: &str) -> Option<String> {
        if !well_formed(name) {
            return None;
        }
        let folder = if name.starts_with("refs/") { &self.common } else { &self.git };
        read_line(&folder.join(name)).or_else(|| self.packed(name))
    }

    /// The id that `packed-refs` gives a reference; peeled lines begin with `^` and name none.
    fn packed(&self, name: &str) -> Option<String> {
        let bytes = files::read(&self.common.join("packed-refs"), REFERENCES_BYTES_MAX).ok()??;
        let text = String::from_utf8_lossy(&bytes);
        text.lines().find_map(|line| {
            let (id, its) = line.split_once(' ')?;
            (its == name).then(|| id.to_owned())
        })
    }

    /// Whether anything was ever pushed: it tells a wrong name from an empty repository.
    fn holds_any_branch(&self) -> bool {
        let packed = files::read(&self.common.join("packed-refs"), REFERENCES_BYTES_MAX);
        let in_pack =
            matches!(packed, Ok(Some(bytes)) if bytes.windows(5).any(|it| it == b"refs/"));
        in_pack
            || files::names(&self.common.join("refs/heads"), 100_000).is_ok_and(|it| !it.is_empty())
    }
}

/// A path that is a repository's own folder, or a file that says where that is.
fn git_folder(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        let target = read_line(path)?;
        let target = path.parent()?.join(target.strip_prefix("gitdir:")?.trim());
        return is_git_folder(&target).then_some(target);
    }
    is_git_folder(path).then(|| path.to_owned())
}

/// Git's own test for a repository.
fn is_git_folder(path: &Path) -> bool {
    let own = path.join("objects").is_dir() && path.join("refs").is_dir();
    path.join("HEAD").exists() && (own || path.join("commondir").is_file())
}

/// The first line of a small file; what cannot be read is as good as not there.
fn read_line(path: &Path) -> Option<String> {
    let bytes = files::read(path, REFERENCES_BYTES_MAX).ok()??;
    Some(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned())
}

/// A reference's name that stays inside the repository.
fn well_formed(name: &str) -> bool {
    let is_lock = |it: &str| it.strip_suffix(".lock").is_some();
    let plain = |it: &str| !it.is_empty() && it != "." && it != ".." && !is_lock(it);
    name.len() <= 1_024
        && name.split('/').all(plain)
        && !name.contains(|it: char| it.is_control() || it.is_whitespace() || it == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_on_this_machine_is_read_in_place() {
        for (url, is_here) in [
            ("https://git.example/a.git", false),
            ("ssh://git@git.example/a.git", false),
            ("git@git.example:a.git", false),
            ("/nowhere/at/all", true),
            ("./odd:name", true),
            ("file:///nowhere/at/all", true),
        ] {
            let failure = Remote::find(url).unwrap_err();
            let found = matches!(failure, FetchFailure::NotARepository { .. });
            assert_eq!(found, is_here, "{url}: {failure}");
        }
    }

    #[test]
    fn a_reference_does_not_lead_outside() {
        for (name, good) in [
            ("refs/heads/main", true),
            ("HEAD", true),
            ("refs/../../etc/shadow", false),
            ("/etc/shadow", false),
            ("refs/heads/a.lock", false),
            ("refs/heads/a b", false),
            ("", false),
        ] {
            assert_eq!(well_formed(name), good, "{name}");
        }
    }
}
