//! Files of the agent's own that a process without rights may use: lent to nobody's group, or given to nobody.
//!
//! **Invariant:** it lies in a closed folder of the agent's, so that others who are nobody do not come there.
//! **Invariant:** an agent that is not root lends nothing: whoever it starts is as it is.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::Uid;

use super::confined::NOBODY;
use super::files::set_mode;
use crate::failure::OsFailure;

/// What the system says where an account is not known, or files are not to be given away.
const EINVAL: i32 = Errno::EINVAL as i32;
const EPERM: i32 = Errno::EPERM as i32;

/// Whether this process may give files to others.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Lets nobody's group use what the agent owns, as far as the mode says; elsewhere it is the agent's alone.
pub fn lend(path: &Path, mode: u32) -> Result<(), OsFailure> {
    let found = fs::symlink_metadata(path).map_err(|it| OsFailure::new("look at", path, it))?;
    let (own, group) = (Uid::effective().as_raw(), if is_root() { NOBODY } else { found.gid() });
    if (found.uid(), found.gid()) != (own, group) {
        set_owner(path, own, group)?;
    }
    if found.mode() & 0o7777 == mode { Ok(()) } else { set_mode(path, mode) }
}

/// Makes nobody the owner of a folder, if this process may.
pub fn give(path: &Path) -> Result<(), OsFailure> {
    if !is_root() {
        return Ok(());
    }
    set_owner(path, NOBODY, NOBODY)
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
