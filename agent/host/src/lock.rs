//! One writer per state folder.
//!
//! **Invariant:** the lock is on the folder itself, so that it cannot be deleted away; it ends with
//! the process, however the process ends.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

use crate::door::files;
use crate::failure::OsFailure;

/// The lock, held as long as this value lives.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<OwnedFd>,
}

/// The lock could not be taken.
#[derive(Debug, Error)]
pub enum LockFailure {
    /// Another agent has it.
    #[error("another agent works with the state folder {}", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The system said no.
    #[error(transparent)]
    Os(#[from] OsFailure),
}

/// Takes the lock on a state folder, or says who is in the way. It does not wait.
pub fn take(folder: &Path) -> Result<Lock, LockFailure> {
    let fd = files::open_folder(folder)?;
    match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
        Ok(held) => Ok(Lock { _held: held }),
        Err((_, Errno::EWOULDBLOCK)) => Err(LockFailure::Taken { path: folder.to_owned() }),
        Err((_, source)) => Err(OsFailure::new("lock", folder, source).into()),
    }
}
