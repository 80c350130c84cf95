//! The throw-away folder in which everything of the demo lies.
//!
//! **Invariant:** nothing outside it is written, and it is removed at the end unless it is to be kept.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A socket's path has at most 107 bytes, and those of the demo lie this deep in its folder.
const FOLDER_BYTES_MAX: usize = 107 - "/shop-1.state/agent.sock".len();

/// Names that are tried for the folder, before somebody has to tidy up.
const TRIES: u32 = 100;

/// What becomes of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It stays, for whoever wants to look.
    Kept,
    /// It goes.
    Removed,
}

/// Where everything lies.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder itself.
    pub(crate) folder: PathBuf,
    /// The repository.
    pub(crate) fleet: PathBuf,
    /// The root of the host that the story is about.
    pub(crate) host: PathBuf,
    /// Where the stand-in for systemd listens.
    pub(crate) units: PathBuf,
    /// The program that the agent takes for the service manager.
    pub(crate) manager: PathBuf,
    afterwards: Afterwards,
}

/// Where one host and its agent lie.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The host's name.
    pub(crate) name: &'static str,
    /// The host's root.
    pub(crate) root: PathBuf,
    /// The agent's settings.
    pub(crate) settings: PathBuf,
    /// Where the agent listens.
    pub(crate) socket: PathBuf,
    /// The agent's public key, once it has made one.
    pub(crate) key: PathBuf,
    /// The token by which it enrols.
    pub(crate) token: PathBuf,
    /// What the agent says.
    pub(crate) log: PathBuf,
}

impl Place {
    /// Makes the folder, and in it a host with something that nobody manages.
    pub(crate) fn make(afterwards: Afterwards) -> Result<Self> {
        let folder = fresh(&std::env::temp_dir())?;
        let inner = |name: &str| folder.join(name);
        let place = Self {
            fleet: inner("fleet"),
            host: inner("host"),
            units: inner("units.sock"),
            manager: inner("manager"),
            folder,
            afterwards,
        };
        place.furnish().context("make the throw-away host")?;
        Ok(place)
    }

    /// The seat of the host that the story is about: `bowline init` made its settings.
    pub(crate) fn first_seat(&self, name: &'static str) -> Seat {
        self.seat(name, "fleet", self.host.clone())
    }

    /// A seat for another host.
    pub(crate) fn further_seat(&self, name: &'static str) -> Result<Seat> {
        let seat = self.seat(name, name, self.folder.join(name));
        host_at(&seat.root, name).with_context(|| format!("make the host {name}"))?;
        Ok(seat)
    }

    fn seat(&self, name: &'static str, stem: &str, root: PathBuf) -> Seat {
        let inner = |what: &str| self.folder.join(format!("{stem}.{what}"));
        Seat {
            name,
            root,
            settings: inner("agent.toml"),
            socket: inner("state/agent.sock"),
            key: inner("host.key.pub"),
            token: inner("token"),
            log: inner("log"),
        }
    }

    fn furnish(&self) -> Result<()> {
        host_at(&self.host, "shop-1")?;
        let demo = std::env::current_exe().context("find the demo's own program")?;
        let (demo, socket) = (quoted(&demo), quoted(&self.units));
        let script = format!("#!/bin/sh\nexec {demo} service --socket {socket} \"$@\"\n");
        fs::write(&self.manager, script)?;
        fs::set_permissions(&self.manager, Permissions::from_mode(0o755))?;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.afterwards == Afterwards::Kept {
            println!("\nkept: {}", self.folder.display());
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be removed: {error}", self.folder.display());
        }
    }
}

/// A host's root, with something that nobody manages.
fn host_at(root: &Path, name: &str) -> Result<()> {
    // Modes are set, not asked for: the demo's own account may have any umask.
    for folder in [root.to_owned(), root.join("etc")] {
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    }
    fs::write(root.join("etc/hostname"), format!("{name}\n"))?;
    Ok(())
}

/// A new folder that nobody else may look into.
fn fresh(parent: &Path) -> Result<PathBuf> {
    let parent = parent.canonicalize().with_context(|| format!("find {}", parent.display()))?;
    for number in 0..TRIES {
        let folder = parent.join(format!("bowline-demo-{}-{number}", std::process::id()));
        if folder.as_os_str().len() > FOLDER_BYTES_MAX {
            bail!("{} is too long for sockets in it\nhint: set TMPDIR=/tmp", folder.display());
        }
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("make {}", folder.display())),
        }
    }
    bail!("{} holds the folders of {TRIES} earlier demos; remove them", parent.display())
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_removed_or_kept_as_asked() {
        for (afterwards, stands) in [(Afterwards::Removed, false), (Afterwards::Kept, true)] {
            let place = Place::make(afterwards).unwrap();
            let folder = place.folder.clone();
            assert!(place.host.join("etc/hostname").is_file());
            drop(place);
            assert_eq!(folder.exists(), stands, "{afterwards:?}");
            drop(fs::remove_dir_all(folder));
        }
    }
}
