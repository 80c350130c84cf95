//! Makes what was written durable.
//!
//! **Invariant:** a barrier that fails is never tried again: the kernel may have thrown the data away
//! and would report success.

use std::os::fd::AsFd;
use std::path::Path;

use nix::unistd::{fdatasync, fsync, syncfs};

use crate::failure::OsFailure;

/// Makes a file's content durable, and its size.
pub fn data(fd: impl AsFd, path: impl AsRef<Path>) -> Result<(), OsFailure> {
    fdatasync(fd).map_err(|source| OsFailure::barrier("sync", path, source))
}

/// Makes a directory's entries durable, or a file with all its metadata.
pub fn whole(fd: impl AsFd, path: impl AsRef<Path>) -> Result<(), OsFailure> {
    fsync(fd).map_err(|source| OsFailure::barrier("sync", path, source))
}

/// Makes everything on the filesystem of `fd` durable.
pub fn filesystem(fd: impl AsFd, path: impl AsRef<Path>) -> Result<(), OsFailure> {
    syncfs(fd).map_err(|source| OsFailure::barrier("sync the filesystem of", path, source))
}
