//! The transaction's journal: an append-only file of framed, chained records.
//!
//! **Invariant:** [`Journal::append`] returns only when the records are durable; what is done after it
//! may rely on them.
//! **Invariant:** a torn tail is dropped; anything else that is not as written is damage, and damage
//! is never repaired here.

mod frame;
mod tail;
mod find;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;
use bowline_model::mark::{JOURNAL_BYTES_MAX, Mark};
use nix::fcntl::{FallocateFlags, fallocate};
use thiserror::Error;

pub use find::{Found, find};

use crate::door::{barrier, files};
use crate::failure::{Kind, OsFailure};

/// What a journal file begins with.
const HEADER: &[u8; 16] = b"bowline journal1";

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    tail: tail::Tail,
    offset: u64,
    seq: u64,
    last: Sha256,
}

/// The journal could not be written. Nothing may be written after that.
#[derive(Debug, Error)]
pub enum JournalFailure {
    /// The system refused.
    #[error("keep the journal")]
    Os(#[from] OsFailure),
    /// A record has no JSON form.
    #[error("write a record of the journal")]
    Record(#[from] serde_json::Error),
    /// It would grow beyond all reason.
    #[error("the journal {} would be larger than {JOURNAL_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The journal.
        path: PathBuf,
    },
}

impl JournalFailure {
    /// Whether it failed before anything could rely on it: no room, and nothing recorded.
    pub fn left_nothing(&self) -> bool {
        match self {
            Self::Os(failure) => failure.kind != Kind::Fatal,
            Self::Record(_) | Self::TooLarge { .. } => true,
        }
    }

    /// A journal that cannot be written ends the process.
    pub fn kind(&self) -> Kind {
        Kind::Fatal
    }
}

impl Journal {
    /// Makes a journal with room for `capacity` bytes, so that taking back needs no new blocks.
    pub fn create(folder: &Path, deployment: &str, capacity: u64) -> Result<Self, JournalFailure> {
        let made = Self::make(folder, deployment, capacity);
        if matches!(&made, Err(error) if error.left_nothing()) {
            let path = folder.join(format!("{deployment}.wal"));
            files::remove(&path.with_extension("tail"))?;
            files::remove(&path)?;
        }
        made
    }

    fn make(folder: &Path, deployment: &str, capacity: u64) -> Result<Self, JournalFailure> {
        let path = folder.join(format!("{deployment}.wal"));
        if capacity > JOURNAL_BYTES_MAX {
            return Err(JournalFailure::TooLarge { path });
        }
        // An earlier journal whose removal a power cut took back would stand beside this one.
        barrier::whole(files::open_folder(folder)?, folder)?;
        let file = files::create(&path, 0o600)?;
        let length = i64::try_from(capacity).unwrap_or(i64::MAX);
        fallocate(&file, FallocateFlags::empty(), 0, length)
            .map_err(|source| OsFailure::new("reserve room for", &path, source))?;
        file.write_all_at(HEADER, 0).map_err(|source| OsFailure::new("write", &path, source))?;
        barrier::data(&file, &path)?;
        let tail = tail::Tail::create(&path.with_extension("tail"))?;
        barrier::whole(files::open_folder(folder)?, folder)?;
        let offset = HEADER.len() as u64;
        Ok(Self { file, path, tail, offset, seq: 0, last: Sha256::of(HEADER) })
    }

    /// Adds records and makes them durable.
    pub fn append(&mut self, marks: &[Mark]) -> Result<(), JournalFailure> {
        let mut bytes = Vec::new();
        let (mut seq, mut last) = (self.seq, self.last);
        for mark in marks {
            seq += 1;
            last = frame::write(&mut bytes, seq, &last, mark)?;
        }
        if self.offset + bytes.len() as u64 > JOURNAL_BYTES_MAX {
            return Err(JournalFailure::TooLarge { path: self.path.clone() });
        }
        self.file
            .write_all_at(&bytes, self.offset)
            .map_err(|source| OsFailure::new("write", &self.path, source))?;
        barrier::data(&self.file, &self.path)?;
        self.tail.set(seq, &last)?;
        self.offset += bytes.len() as u64;
        (self.seq, self.last) = (seq, last);
        Ok(())
    }

    /// Removes the journal of a transaction that is over.
    pub fn remove(self) -> Result<(), JournalFailure> {
        let folder = self.path.parent().unwrap_or(Path::new("/")).to_owned();
        // The tail mark goes first, and durably: a tail mark without its journal means damage.
        files::remove(&self.path.with_extension("tail"))?;
        barrier::whole(files::open_folder(&folder)?, &folder)?;
        files::remove(&self.path)?;
        Ok(())
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests;
