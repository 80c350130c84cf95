//! Takes a pack from a stranger into the agent's repository.
//!
//! **Invariant:** it is read beside the repository, and becomes part of it only when it is let in.
//! **Invariant:** its objects are counted before the first is unpacked, its bytes while they come.
//! **Invariant:** a pack that is not whole leaves nothing that is ever read.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use git2::{ErrorClass, Indexer};

use super::fetch_failure::FetchFailure;
use super::watch::Watch;
use super::{ARRIVALS, FILES_MAX, Repository, RepositoryFailure};
use crate::door::files;
use crate::failure::{OsFailure, chain};
use crate::wire::BadAnswer;

/// `PACK`, the version, and how many objects follow.
const HEAD_BYTES: usize = 12;

/// A pack on its way in.
pub(super) struct Intake<'i> {
    own: &'i Repository,
    watch: &'i Watch<'i>,
    index: Indexer<'i>,
    head: Vec<u8>,
}

impl<'i> Intake<'i> {
    /// Makes room for a pack.
    pub(super) fn begin(own: &'i Repository, watch: &'i Watch<'i>) -> Result<Self, FetchFailure> {
        let local = |source| own.failure("write objects", source);
        // Complete in itself, as was asked for: no base of a delta is looked for elsewhere.
        clear_arrivals(&own.folder).map_err(RepositoryFailure::from)?;
        let arrivals = own.folder.join(ARRIVALS);
        let mut index = Indexer::new(None, &arrivals, 0o400, false).map_err(local)?;
        // Deltas are put together long after the last byte came.
        index.progress(|_| watch.check().is_ok());
        Ok(Self { own, watch, index, head: Vec::new() })
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), FetchFailure> {
        self.watch.check()?;
        if self.head.len() < HEAD_BYTES {
            let more = HEAD_BYTES - self.head.len();
            self.head.extend(bytes.iter().take(more));
            if self.head.len() == HEAD_BYTES {
                self.watch.count(0, self.objects()?)?;
            }
        }
        self.index.write_all(bytes).map_err(|error| self.refused(error))
    }

    /// Ends it: everything is put together and named, and waits to be let in.
    pub(super) fn end(self) -> Result<(), FetchFailure> {
        let Self { own, watch, index, head } = self;
        if head.len() < HEAD_BYTES {
            return Err(watch.answer(BadAnswer::Cut));
        }
        index.commit().map_err(|error| sorted(own, watch, error))?;
        watch.check()
    }

    /// How many objects the pack says it has.
    fn objects(&self) -> Result<usize, FetchFailure> {
        let malformed = |what| self.watch.answer(BadAnswer::Malformed(what));
        let (name, rest) = self.head.split_at_checked(8).unwrap_or_default();
        if name != b"PACK\0\0\0\x02" {
            return Err(malformed("the pack is none of version 2"));
        }
        Ok(rest.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    }

    fn refused(&self, error: io::Error) -> FetchFailure {
        let said = error.to_string();
        let cause = error.into_inner().and_then(|it| it.downcast::<git2::Error>().ok());
        let cause = cause.map_or_else(|| git2::Error::from_str(&said), |it| *it);
        sorted(self.own, self.watch, cause)
    }
}

impl Repository {
    /// Folders of objects: the repository's own, and that of what arrived.
    pub(super) fn with_arrivals(&self) -> [PathBuf; 2] {
        [self.folder.join("objects"), self.folder.join("arriving")]
    }

    /// Lets in what arrived. Gives the names of its files.
    pub(super) fn let_in(&self) -> Result<Vec<String>, RepositoryFailure> {
        let (from, to) = (self.folder.join(ARRIVALS), self.packs());
        let mut names = files::names(&from, FILES_MAX)?;
        // A pack is found by its index, so that comes last.
        names.sort_by_key(|it| it.strip_suffix(".idx").is_some());
        for name in &names {
            files::rename(&from.join(name), &to.join(name))?;
        }
        self.odb.refresh().map_err(|error| self.failure("write objects", error))?;
        Ok(names)
    }

    /// Throws away what arrived and is not wanted.
    pub(super) fn turn_away(&self) {
        if let Err(error) = clear_arrivals(&self.folder) {
            // Nobody looks there, and the next one to arrive tries again.
            tracing::warn!(error = %chain(&error), "what a remote sent is still on the disk");
        }
    }
}

/// Empties the folder of what is on its way in.
pub(super) fn clear_arrivals(folder: &Path) -> Result<(), OsFailure> {
    let folder = folder.join(ARRIVALS);
    for name in files::names(&folder, FILES_MAX)? {
        files::remove(&folder.join(name))?;
    }
    Ok(())
}

/// Whether the disk here or the pack from there is to blame.
fn sorted(own: &Repository, watch: &Watch<'_>, error: git2::Error) -> FetchFailure {
    match error.class() {
        ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory => {
            own.failure("write objects", error).into()
        }
        _ => watch.failure("unpack what came from", error),
    }
}
