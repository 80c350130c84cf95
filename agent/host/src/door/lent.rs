//! Files of the agent's own that a process without rights may use: lent to nobody's group, or given to nobody.
//!
//! **Invariant:** it lies in a closed folder of the agent's, so that others who are nobody do not come there.
//! **Invariant:** an agent that is not root lends nothing: whoever it starts is as it is.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

use super::confined::NOBODY;
use super::files::{self, set_mode};
use crate::failure::OsFailure;

/// What the system says where an account is not known, or files are not to be given away.
const EINVAL: i32 = Errno::EINVAL as i32;
const EPERM: i32 = Errno::EPERM as i32;

/// The kernel writes at most 340 lines of three numbers.
const MAP_BYTES_MAX: u64 = 64 << 10;

/// Whether this process may give files to nobody, and become nobody: it is root, and not in a namespace in which
/// there is no such account.
pub fn is_able() -> bool {
    let map = || files::read(Path::new("/proc/self/uid_map"), MAP_BYTES_MAX).ok().flatten();
    Uid::effective().is_root()
        && map().is_some_and(|it| knows_nobody(&String::from_utf8_lossy(&it)))
}

/// Whether a map of accounts has nobody: lines of the first account inside, the first outside, and how many.
fn knows_nobody(map: &str) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().filter_map(|it| it.parse::<u64>().ok());
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        let (first, count) = (first.unwrap_or(u64::MAX), count.unwrap_or_default());
        (first..first.saturating_add(count)).contains(&u64::from(NOBODY))
    })
}

/// Lets nobody's group use what the agent owns, as far as the mode says; elsewhere it is the agent's alone.
pub fn lend(path: &Path, mode: u32) -> Result<(), OsFailure> {
    let found = fs::symlink_metadata(path).map_err(|it| OsFailure::new("look at", path, it))?;
    let (own, group) = (Uid::effective().as_raw(), if is_able() { NOBODY } else { found.gid() });
    if (found.uid(), found.gid()) != (own, group) {
        set_owner(path, own, group)?;
    }
    if found.mode() & 0o7777 == mode { Ok(()) } else { set_mode(path, mode) }
}

/// Makes nobody the owner of a folder, if this process may.
pub fn give(path: &Path) -> Result<(), OsFailure> {
    if !is_able() {
        return Ok(());
    }
    // The agent's group stays: an agent in a namespace without nobody still comes in.
    set_owner(path, NOBODY, Gid::effective().as_raw())?;
    set_mode(path, 0o770)
}

/// Whether a path is nobody's.
pub fn is_nobodys(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.uid() == NOBODY)
}

/// Sets owner and group. Where this machine knows no such account, or lets nobody give files away, things
/// stay as they are.
fn set_owner(path: &Path, user: u32, group: u32) -> Result<(), OsFailure> {
    match lchown(path, Some(user), Some(group)) {
        Err(error) if [Some(EINVAL), Some(EPERM)].contains(&error.raw_os_error()) => Ok(()),
        done => done.map_err(|source| OsFailure::new("set the owner of", path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_may_know_nobody_or_not() {
        for (map, knows) in [
            ("         0          0 4294967295\n", true),
            ("0 100000 65536\n", true),
            ("0 0 1\n65534 1000 1\n", true),
            ("0 0 1\n", false),
            ("0 100000 65534\n", false),
            ("", false),
        ] {
            assert_eq!(knows_nobody(map), knows, "{map}");
        }
    }
}
