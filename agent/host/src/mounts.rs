//! Where filesystems begin, and which paths are mount points for anybody.
//!
//! **Invariant:** a path that some process sees as a mount point is never exchanged: that process
//! would go on with the old object.

use std::collections::BTreeSet;
use std::path::Path;

use bowline_model::host_path::HostPath;
use nix::errno::Errno;
use nix::sys::stat::stat;
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

use crate::door::files;
use crate::door::root::Root;
use crate::failure::OsFailure;

/// Processes whose mounts are looked at; more run on no ordinary host.
const PROCESSES_MAX: usize = 100_000;

/// Largest mount table read.
const MOUNTINFO_BYTES_MAX: u64 = 16 << 20;

/// Mount points that any process sees, below the root.
#[derive(Debug)]
pub struct Mounts {
    points: BTreeSet<String>,
}

impl Mounts {
    /// Reads the mount table of every mount namespace.
    pub fn read(root: &Root) -> Result<Self, OsFailure> {
        let mut points = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let proc = Path::new("/proc");
        let own = top_of(&proc.join("self"));
        let mut processes = vec!["self".to_owned()];
        let all = files::names(proc, PROCESSES_MAX)?;
        processes.extend(all.into_iter().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())));
        for process in processes {
            let folder = proc.join(process);
            // A process may end meanwhile, or belong to somebody else: then it is passed over.
            let Ok(namespace) = nix::fcntl::readlink(&folder.join("ns/mnt")) else {
                continue;
            };
            // A container's table names paths below the container's own root: they are not ours.
            if !seen.insert(namespace) || top_of(&folder) != own {
                continue;
            }
            if let Ok(Some(table)) = files::read(&folder.join("mountinfo"), MOUNTINFO_BYTES_MAX) {
                points.extend(points_in(&String::from_utf8_lossy(&table), root.path()));
            }
        }
        Ok(Self { points })
    }

    /// Says why an object must not be exchanged; `None` when it may.
    pub fn obstacle(&self, root: &Root, target: &HostPath) -> Option<String> {
        if self.points.contains(root.resolve(target.as_str()).as_str()) {
            return Some("a process sees a mount point there".to_owned());
        }
        let (parent, name) = target.as_str().rsplit_once('/')?;
        let folder = root.folder(parent).ok()?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let stat = statx(&folder, name, flags, StatxFlags::BASIC_STATS).ok()?;
        let fixed = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        stat.stx_attributes.intersects(fixed).then(|| "it is immutable or append-only".to_owned())
    }

    /// Mount points below the root, and the root itself as an empty text.
    pub fn bases(&self) -> impl Iterator<Item = &str> {
        std::iter::once("").chain(self.points.iter().map(String::as_str))
    }
}

/// Which object a process sees as its root; `None` when that is not to be known.
fn top_of(process: &Path) -> Option<(u64, u64)> {
    let stat = stat(&process.join("root")).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// Paths of a mount table that lie below `root`, as paths in it.
fn points_in(table: &str, root: &Path) -> Vec<String> {
    let below = |point: &str| {
        let inner = Path::new(point).strip_prefix(root).ok()?.to_str()?;
        (!inner.is_empty()).then(|| format!("/{inner}"))
    };
    // Field 5 is the mount point; blanks, tabs and backslashes in it are written in octal.
    let unescape = |text: &str| {
        text.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\012", "\n")
            .replace("\\134", "\\")
    };
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter_map(|point| below(&unescape(point)))
        .collect()
}

/// The topmost folder, below the root, of the mount that holds `folder` or its nearest existing parent.
pub fn mount_root(root: &Root, folder: &str) -> Result<String, OsFailure> {
    let fail =
        |path: &str, errno| OsFailure::new("find the filesystem of", root.outside(path), errno);
    let mut path = root.resolve(folder).trim_end_matches('/').to_owned();
    let mut top: Option<(String, u64)> = None;
    // Each turn shortens the path, whose length is limited.
    loop {
        let mount = match root.folder(&path) {
            Ok(fd) => statx(&fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
                .map_err(|error| fail(&path, Errno::from_raw(error.raw_os_error())))
                .map(|stat| Some(stat.stx_mnt_id))?,
            Err(Errno::ENOENT) => None,
            Err(errno) => return Err(fail(&path, errno)),
        };
        match (mount, &top) {
            (Some(mount), Some((found, its))) if mount != *its => return Ok(found.clone()),
            (Some(mount), _) => top = Some((path.clone(), mount)),
            (None, _) => {}
        }
        match path.rfind('/') {
            Some(at) => path.truncate(at),
            None => return Ok(top.map(|(path, _)| path).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_table_gives_paths_below_the_root() {
        let table = "22 1 8:1 / / rw - ext4 /dev/a rw\n\
                     23 22 0:5 / /srv/host/my\\040data rw - tmpfs t rw\n\
                     24 22 0:6 / /srv/other rw - tmpfs t rw\n";
        assert_eq!(points_in(table, Path::new("/srv/host")), ["/my data"]);
        assert_eq!(points_in(table, Path::new("/")), ["/srv/host/my data", "/srv/other"]);
    }
}
