//! Where the content of what is staged comes from: the repository, and archives that were fetched.
//!
//! **Invariant:** a file of an archive is digested while it is copied; one that is not what it was takes its
//! whole archive with it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::object_id::ObjectId;
use bowline_model::release::Extract;
use nix::errno::Errno;
use nix::unistd::write;

use super::Store;
use crate::door::files;
use crate::failure::OsFailure;
use crate::repository::Repository;
use crate::stage::{Source, StageFailure};

/// Bytes that are copied at once.
const PIECE: usize = 64 << 10;

/// Both places.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The fetched repository.
    pub repository: &'a Repository,
    /// Archives that were fetched.
    pub artifacts: &'a Store,
}

impl Source for Sources<'_> {
    fn blob(&self, id: &ObjectId) -> Result<Vec<u8>, OsFailure> {
        self.repository.blob(id)
    }

    fn copy_member(
        &self,
        (archive, extract): (Sha256, Extract),
        sha256: Sha256,
        into: &OwnedFd,
    ) -> Result<(), StageFailure> {
        let path = self.artifacts.file((archive, extract), sha256);
        let away = || StageFailure::Away { archive: archive.to_string(), file: sha256.to_string() };
        let Some(mut file) = files::look(&path)? else {
            self.artifacts.forget(archive, extract)?;
            return Err(away());
        };
        if copy(&mut file, into, &path)? != sha256 {
            self.artifacts.forget(archive, extract)?;
            return Err(away());
        }
        Ok(())
    }
}

/// Copies a whole file, and says what it was.
fn copy(from: &mut File, into: &OwnedFd, path: &Path) -> Result<Sha256, OsFailure> {
    let mut digest = Sha256Stream::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece).map_err(|it| OsFailure::new("read", path, it))?;
        let mut rest = piece.get(..count).unwrap_or_default();
        if rest.is_empty() {
            return Ok(digest.finish());
        }
        digest.update(rest);
        while !rest.is_empty() {
            let written = write(into.as_fd(), rest);
            let written = written.map_err(|it| OsFailure::new("stage a copy of", path, it))?;
            if written == 0 {
                return Err(OsFailure::new("stage a copy of", path, Errno::EIO));
            }
            rest = rest.get(written..).unwrap_or_default();
        }
    }
}
