//! The desired state that every contender is given: 10 directories, N files of 2 KiB, 10 links.
//!
//! **Invariant:** the same number makes the same bytes, in every form and for every contender.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bowline_model::digest::Sha256;

/// Directories, and links: one link in each directory.
pub(crate) const FOLDERS: usize = 10;

/// Bytes of each file.
const FILE_BYTES: usize = 2048;

/// Permission bits of files.
const FILE_MODE: u32 = 0o640;

/// Permission bits of directories: those of the files, with `x` where `r` is, so that every
/// contender can say them in its recursive form.
const FOLDER_MODE: u32 = 0o750;

/// The folder of the state below a root.
pub(crate) const SITE: &str = "site";

/// The state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desired {
    /// How many files.
    pub(crate) files: usize,
}

impl Desired {
    /// Names of the directories.
    pub(crate) fn folders() -> impl Iterator<Item = String> {
        (0..FOLDERS).map(|number| format!("d{number}"))
    }

    /// Paths of the files, below the state's folder.
    pub(crate) fn names(self) -> impl Iterator<Item = String> {
        (0..self.files).map(|number| format!("d{}/f{number:05}.conf", number % FOLDERS))
    }

    /// Paths of the links with what they say.
    pub(crate) fn links() -> impl Iterator<Item = (String, &'static str)> {
        Self::folders().map(|folder| (format!("{folder}/current"), "release"))
    }

    /// The content of one file: different in every file, compressible as text is.
    pub(crate) fn content(name: &str) -> String {
        let mut text = format!("# {name}\n");
        let mut digest = Sha256::of(name.as_bytes());
        while text.len() < FILE_BYTES {
            digest = Sha256::of(digest.as_bytes());
            // Writing to a String cannot fail.
            let _ = writeln!(text, "setting = {digest}");
        }
        text.truncate(FILE_BYTES - 1);
        text.push('\n');
        text
    }

    /// Writes the files below a folder.
    pub(crate) fn write_files(self, folder: &Path) -> Result<()> {
        for inner in Self::folders() {
            fs::create_dir_all(folder.join(inner))?;
        }
        for name in self.names() {
            let path = folder.join(&name);
            fs::write(&path, Self::content(&name))?;
            fs::set_permissions(&path, Permissions::from_mode(FILE_MODE))?;
        }
        Ok(())
    }

    /// Writes the links below a folder.
    pub(crate) fn write_links(folder: &Path) -> Result<()> {
        for (name, target) in Self::links() {
            symlink(target, folder.join(name))?;
        }
        Ok(())
    }

    /// Every path of the state below a root, for the limits to look at.
    pub(crate) fn list(self, root: &Path) -> String {
        let site = root.join(SITE);
        let folders = Self::folders();
        let links = Self::links().map(|(name, _)| name);
        let all = folders.chain(self.names()).chain(links);
        let paths: Vec<String> = all.map(|name| site.join(name).display().to_string()).collect();
        paths.join("\n")
    }

    /// Changes eight bytes of one file; the size stays.
    pub(crate) fn disturb(self, root: &Path) -> Result<()> {
        let name = self.names().nth(self.files / 2).context("no file to disturb")?;
        let path = root.join(SITE).join(&name);
        let mut text = fs::read(&path)?;
        let from = text.len() / 2;
        text.get_mut(from..from + 8).context("a file is too short")?.copy_from_slice(b"DRIFTED!");
        fs::write(&path, text)?;
        Ok(())
    }

    /// Compares a tree with the state: every path, by hash, and nothing besides.
    pub(crate) fn check(self, root: &Path) -> Result<()> {
        let site = root.join(SITE);
        for name in Self::folders() {
            let found = fs::symlink_metadata(site.join(&name))?;
            ensure!(found.is_dir(), "{name} is no directory");
            ensure!(found.permissions().mode() & 0o7777 == FOLDER_MODE, "{name} has a wrong mode");
        }
        for name in self.names() {
            let path = site.join(&name);
            let found = fs::symlink_metadata(&path).with_context(|| format!("look at {name}"))?;
            ensure!(found.is_file(), "{name} is no file");
            ensure!(found.permissions().mode() & 0o7777 == FILE_MODE, "{name} has a wrong mode");
            let expected = Sha256::of(Self::content(&name).as_bytes());
            ensure!(Sha256::of(&fs::read(&path)?) == expected, "{name} has a wrong content");
        }
        for (name, target) in Self::links() {
            let found = fs::read_link(site.join(&name)).with_context(|| format!("read {name}"))?;
            ensure!(found == Path::new(target), "{name} points elsewhere");
        }
        let expected = FOLDERS * 2 + self.files;
        let found = count(&site)?;
        ensure!(found == expected, "{found} paths instead of {expected}");
        Ok(())
    }
}

/// Checks that nothing of the state stands below a root.
pub(crate) fn check_empty(root: &Path) -> Result<()> {
    let site = root.join(SITE);
    ensure!(!site.exists(), "{} is still there", site.display());
    Ok(())
}

fn count(folder: &Path) -> Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        found += 1;
        if entry.file_type()?.is_dir() {
            found += count(&entry.path())?;
        }
    }
    Ok(found)
}
