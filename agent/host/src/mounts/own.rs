//! The agent's own mount table: where filesystems begin below the root, and of which type they are.
//!
//! **Invariant:** only mounts of the agent's own namespace are looked into: what other namespaces show
//! is the word of whoever made them.
//! **Invariant:** nothing waits for a filesystem's server that somebody else runs.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::readlink;

use crate::door::files;
use crate::door::root::Root;
use crate::failure::OsFailure;

/// Largest mount table read: as many mounts as one namespace may have, with long paths.
pub(super) const MOUNTINFO_BYTES_MAX: u64 = 64 << 20;

/// Mount points looked at; the kernel allows one namespace as many.
pub(super) const POINTS_MAX: usize = 100_000;

/// Filesystems that never hold a stage: their server may leave the agent waiting for ever, or what
/// stands there are no objects that could be exchanged. `fuse` stands for `fuse.sshfs` too.
const NEVER_A_BASE: [&str; 19] = [
    "fuse",
    "fuseblk",
    "fusectl",
    "nfs",
    "nfs4",
    "nfsd",
    "autofs",
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "configfs",
    "pstore",
    "bpf",
];

/// Mounts below the root that the agent itself sees.
#[derive(Debug)]
pub struct OwnMounts {
    /// The type of the topmost filesystem at each mount point.
    types: BTreeMap<String, String>,
}

impl OwnMounts {
    /// Reads the agent's own mount table.
    pub fn read(root: &Root) -> Result<Self, OsFailure> {
        let path = Path::new("/proc/self/mountinfo");
        let table = files::read(path, MOUNTINFO_BYTES_MAX)?.unwrap_or_default();
        let top = top(root)?;
        // A later mount covers an earlier one at the same place.
        let types: BTreeMap<_, _> = mounts_in(&String::from_utf8_lossy(&table), &top).collect();
        if types.len() > POINTS_MAX {
            return Err(OsFailure::new("count the mounts below", root.path(), Errno::E2BIG));
        }
        Ok(Self { types })
    }

    /// Where stages may lie: the root as an empty text, and mount points below it.
    pub fn bases(&self) -> impl Iterator<Item = &str> {
        let may = |(path, _): &(&String, &String)| self.hindrance(path).is_none();
        std::iter::once("").chain(self.types.iter().filter(may).map(|(path, _)| path.as_str()))
    }

    /// Says why nothing is staged on the filesystem at a mount point; `None` when it may be.
    pub fn hindrance(&self, base: &str) -> Option<String> {
        let its = self.types.get(base)?;
        let family = its.split('.').next().unwrap_or_default();
        NEVER_A_BASE.contains(&family).then(|| {
            format!("it lies on {base}, and a filesystem of type {its} is not changed safely")
        })
    }
}

/// Where the root really lies, as mount tables name it.
pub(super) fn top(root: &Root) -> Result<PathBuf, OsFailure> {
    let link = format!("/proc/self/fd/{}", root.as_fd().as_raw_fd());
    readlink(link.as_str())
        .map(PathBuf::from)
        .map_err(|errno| OsFailure::new("find the root", root.path(), errno))
}

/// Mount points of a table that lie below `top`, as paths in it, and the type of each.
pub(super) fn mounts_in<'t>(
    table: &'t str,
    top: &'t Path,
) -> impl Iterator<Item = (String, String)> + 't {
    // Blanks, tabs, line ends and backslashes in a path are written in octal.
    let unescape = |text: &str| {
        text.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\012", "\n")
            .replace("\\134", "\\")
    };
    table.lines().filter_map(move |line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let point = unescape(mount.split(' ').nth(4)?);
        let inner = Path::new(&point).strip_prefix(top).ok()?.to_str()?;
        let its = filesystem.split(' ').next().unwrap_or_default();
        (!inner.is_empty()).then(|| (format!("/{inner}"), its.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "22 1 8:1 / / rw - ext4 /dev/a rw\n\
                         23 22 0:5 / /srv/host/my\\040data rw master:1 - tmpfs t rw\n\
                         24 22 0:6 / /srv/other rw - fuse.sshfs t rw\n\
                         25 22 0:7 / /srv/auto rw - autofs t rw\n\
                         26 25 0:8 / /srv/auto rw - ext4 /dev/b rw\n\
                         27 22 0:9 / /srv/net rw - nfs4 t rw\n";

    fn own(top: &str) -> OwnMounts {
        OwnMounts { types: mounts_in(TABLE, Path::new(top)).collect() }
    }

    #[test]
    fn a_mount_table_gives_paths_below_the_root() {
        let paths = |top| own(top).types.into_keys().collect::<Vec<_>>();
        assert_eq!(paths("/srv/host"), ["/my data"]);
        assert_eq!(paths("/"), ["/srv/auto", "/srv/host/my data", "/srv/net", "/srv/other"]);
    }

    #[test]
    fn what_a_server_may_hold_up_is_no_place_for_stages() {
        let own = own("/");
        assert_eq!(own.bases().collect::<Vec<_>>(), ["", "/srv/auto", "/srv/host/my data"]);
        assert!(own.hindrance("/srv/other").is_some_and(|it| it.contains("fuse.sshfs")));
        assert!(own.hindrance("/srv/net").is_some());
        assert_eq!(own.hindrance("/srv/auto"), None, "a disk covers the automounter");
        assert_eq!(own.hindrance(""), None);
    }
}
