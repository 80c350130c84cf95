//! Takes a pack from a stranger into the agent's repository.
//!
//! **Invariant:** its objects are counted before the first is unpacked, its bytes while they come.
//! **Invariant:** a pack that is not whole leaves nothing that is ever read.

use std::io::{self, Write as _};

use git2::{ErrorClass, Indexer};

use super::Repository;
use super::fetch_failure::FetchFailure;
use super::watch::Watch;
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
        let mut index = Indexer::new(None, &own.packs(), 0o400, false).map_err(local)?;
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

    /// Ends it: everything is put together, named, and can be read.
    pub(super) fn end(self) -> Result<(), FetchFailure> {
        let Self { own, watch, index, head } = self;
        if head.len() < HEAD_BYTES {
            return Err(watch.answer(BadAnswer::Cut));
        }
        index.commit().map_err(|error| sorted(own, watch, error))?;
        watch.check()?;
        Ok(own.odb.refresh().map_err(|error| own.failure("write objects", error))?)
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

/// Whether the disk here or the pack from there is to blame.
fn sorted(own: &Repository, watch: &Watch<'_>, error: git2::Error) -> FetchFailure {
    match error.class() {
        ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory => {
            own.failure("write objects", error).into()
        }
        _ => watch.failure("unpack what came from", error),
    }
}
