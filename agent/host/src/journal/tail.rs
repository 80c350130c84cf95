//! The tail mark: sequence and digest of the last record that a barrier made durable.
//!
//! **Invariant:** it is never ahead of the journal; so a journal that ends before it is damaged, and
//! what stands behind it may be torn.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;

use crate::door::{barrier, files};
use crate::failure::OsFailure;

/// Sequence (8), digest (32), and the first bytes of the digest over both (8).
const MARK: usize = 48;

/// Two places, written in turn, each in a sector of its own: a torn write spoils only one.
const PLACES: [u64; 2] = [0, 512];

/// An open tail mark.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    path: PathBuf,
    /// Which place holds the newest mark: the other one is written next. Batches of records raise the
    /// sequence by more than one, so it does not tell.
    newest: usize,
}

/// What the tail mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// The last sequence.
    pub(super) seq: u64,
    /// Its digest.
    pub(super) digest: Sha256,
}

impl Tail {
    pub(super) fn create(path: &Path) -> Result<Self, OsFailure> {
        let file = files::create(path, 0o600)?;
        Ok(Self { file, path: path.to_owned(), newest: 0 })
    }

    pub(super) fn open(path: &Path) -> Result<Option<Self>, OsFailure> {
        let Some(file) = files::edit(path)? else { return Ok(None) };
        let mut tail = Self { file, path: path.to_owned(), newest: 0 };
        tail.newest = tail.places().max_by_key(|(_, said)| said.seq).map_or(0, |(at, _)| at);
        Ok(Some(tail))
    }

    pub(super) fn set(&mut self, seq: u64, digest: &Sha256) -> Result<(), OsFailure> {
        let mut bytes = seq.to_le_bytes().to_vec();
        bytes.extend_from_slice(digest.as_bytes());
        let check = Sha256::of(&bytes);
        bytes.extend(check.as_bytes().iter().take(MARK - bytes.len()));
        let next = (self.newest + 1) % PLACES.len();
        let place = PLACES.get(next).copied().unwrap_or_default();
        self.file
            .write_all_at(&bytes, place)
            .map_err(|source| OsFailure::new("write", &self.path, source))?;
        barrier::data(&self.file, &self.path)?;
        self.newest = next;
        Ok(())
    }

    /// What it says; `None` when it says nothing yet.
    pub(super) fn read(&self) -> Option<Said> {
        self.places().map(|(_, said)| said).max_by_key(|said| said.seq)
    }

    fn places(&self) -> impl Iterator<Item = (usize, Said)> {
        PLACES.iter().enumerate().filter_map(|(at, place)| Some((at, self.read_at(*place)?)))
    }

    fn read_at(&self, place: u64) -> Option<Said> {
        let mut bytes = [0; MARK];
        self.file.read_exact_at(&mut bytes, place).ok()?;
        let (said, check) = bytes.split_at(40);
        let whole = Sha256::of(said);
        if whole.as_bytes().get(..8) != Some(check) {
            return None;
        }
        let (seq, digest) = said.split_at(8);
        Some(Said {
            seq: u64::from_le_bytes(seq.try_into().ok()?),
            digest: Sha256::from_bytes(digest.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_torn_write_leaves_the_mark_before_it_whatever_the_batches_were() {
        for step in 1..=4_u64 {
            let scratch = Scratch::new();
            let path = scratch.path().join("d.tail");
            let mut tail = Tail::create(&path).unwrap();
            for round in 1..=6 {
                let (seq, digest) = (round * step, Sha256::of(&round.to_le_bytes()));
                let before = tail.read();
                tail.set(seq, &digest).unwrap();
                assert_eq!(tail.read(), Some(Said { seq, digest }));
                // Torn: half of what was written last is not there.
                let place = PLACES[tail.newest];
                let mut whole = [0; MARK];
                tail.file.read_exact_at(&mut whole, place).unwrap();
                tail.file.write_all_at(&[0; MARK / 2], place).unwrap();
                assert_eq!(tail.read(), before, "step {step}, round {round}");
                tail.file.write_all_at(&whole, place).unwrap();
                tail = Tail::open(&path).unwrap().unwrap();
            }
        }
    }
}
