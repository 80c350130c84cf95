//! Where filesystems begin, and which paths are mount points for anybody.
//!
//! **Invariant:** a path that some process sees as a mount point is never exchanged: that process
//! would go on with the old object.
//! **Invariant:** what somebody without rights mounts in a user namespace of their own hinders nobody.

mod own;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use bowline_model::host_path::HostPath;
use nix::errno::Errno;
use nix::fcntl::readlink;
use nix::sys::stat::stat;
use nix::unistd::geteuid;
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

pub use own::OwnMounts;
use own::{MOUNTINFO_BYTES_MAX, POINTS_MAX, mounts_in, top};

use crate::door::files;
use crate::door::root::Root;
use crate::failure::OsFailure;

/// Processes whose mounts are looked at; more run on no ordinary host.
const PROCESSES_MAX: usize = 100_000;

/// Largest table of mapped users: 340 lines of three numbers.
const UID_MAP_BYTES_MAX: u64 = 64 << 10;

/// Mount points that any process sees, below the root.
#[derive(Debug)]
pub struct Mounts {
    points: BTreeSet<String>,
}

impl Mounts {
    /// Reads the mount table of every mount namespace that the agent's own users made.
    pub fn read(root: &Root) -> Result<Self, OsFailure> {
        let mut points = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let proc = Path::new("/proc");
        let top = top(root)?;
        let own = proc.join("self");
        let (own_users, own_root) = (users_of(&own), root_of(&own));
        let mut processes = vec!["self".to_owned()];
        let all = files::names(proc, PROCESSES_MAX)?;
        processes.extend(all.into_iter().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())));
        for process in processes {
            let folder = proc.join(process);
            // A process may end meanwhile, or belong to somebody else: then it is passed over.
            let Ok(namespace) = readlink(&folder.join("ns/mnt")) else { continue };
            if seen.contains(&namespace) || !(users_of(&folder) == own_users || maps_us(&folder)) {
                continue;
            }
            // A container's table names paths below the container's own root: they are not ours.
            if root_of(&folder) != own_root {
                continue;
            }
            seen.insert(namespace);
            if let Ok(Some(table)) = files::read(&folder.join("mountinfo"), MOUNTINFO_BYTES_MAX) {
                let table = String::from_utf8_lossy(&table);
                points.extend(mounts_in(&table, &top).map(|(path, _)| path));
            }
            if points.len() > POINTS_MAX {
                return Err(OsFailure::new("count the mounts below", root.path(), Errno::E2BIG));
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
}

/// The user namespace of a process; `None` when that is not to be known.
fn users_of(process: &Path) -> Option<OsString> {
    readlink(&process.join("ns/user")).ok()
}

/// Whether a process's user namespace holds the agent's own user. Only who has that user's rights makes
/// such a one: a service manager, for a service whose mounts then count.
fn maps_us(process: &Path) -> bool {
    let Ok(Some(map)) = files::read(&process.join("uid_map"), UID_MAP_BYTES_MAX) else {
        return false;
    };
    holds(&String::from_utf8_lossy(&map), geteuid().as_raw())
}

/// Whether a map of users, as seen from outside, holds one: first inside, first outside, how many.
fn holds(map: &str, uid: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().skip(1).map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(uid))
    })
}

/// Which object a process sees as its root; `None` when that is not to be known.
fn root_of(process: &Path) -> Option<(u64, u64)> {
    let stat = stat(&process.join("root")).ok()?;
    Some((stat.st_dev, stat.st_ino))
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
            // Not there yet, or something else until this very plan makes a folder of it.
            Err(Errno::ENOENT | Errno::ENOTDIR) => None,
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
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn only_a_map_of_the_agents_own_user_holds_it() {
        for (map, holds_root) in [
            ("         0          0 4294967295\n", true),
            ("0 0 1\n33 33 1\n", true),
            ("33 33 1\n0 0 1\n", true),
            // As a user without rights writes it, and as a container of theirs has it.
            ("0 65534 1\n", false),
            ("0 1000 1\n1 100000 65536\n", false),
            ("", false),
            ("0\n", false),
        ] {
            assert_eq!(holds(map, 0), holds_root, "{map:?}");
        }
    }

    #[test]
    fn a_root_that_is_named_by_way_of_a_link_has_its_mounts() {
        let scratch = Scratch::new();
        let link = scratch.path().join("link");
        symlink("/", &link).unwrap();
        let points = |path: &Path| Mounts::read(&Root::open(path).unwrap()).unwrap().points;
        assert!(points(Path::new("/")).contains("/proc"));
        assert!(points(&link).contains("/proc"));
    }
}
