//! Carries extended attributes (labels, ACLs, capabilities) from the old object to the new one.
//!
//! **Invariant:** manifests do not declare them, so a replaced file keeps those it had.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

/// More than any common filesystem stores for one file.
const BYTES_MAX: usize = 64 << 10;

/// Copies all extended attributes of the file `name` to an open file.
pub(crate) fn copy(folder: impl AsFd, name: &str, to: &OwnedFd) -> Result<(), Errno> {
    let errno = |error: rustix::io::Errno| Errno::from_raw(error.raw_os_error());
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let from = openat(folder, name, flags, Mode::empty())?;
    let mut list = vec![0; BYTES_MAX];
    let length = flistxattr(&from, &mut list).map_err(errno)?;
    list.truncate(length);
    let mut value = vec![0; BYTES_MAX];
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = fgetxattr(&from, name, &mut value).map_err(errno)?;
        let value = value.get(..length).unwrap_or_default();
        fsetxattr(to, name, value, XattrFlags::empty()).map_err(errno)?;
    }
    Ok(())
}
