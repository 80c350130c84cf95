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
        Ok(Self { file, path: path.to_owned() })
    }

    pub(super) fn open(path: &Path) -> Result<Option<Self>, OsFailure> {
        Ok(files::edit(path)?.map(|file| Self { file, path: path.to_owned() }))
    }

    pub(super) fn set(&self, seq: u64, digest: &Sha256) -> Result<(), OsFailure> {
        let mut bytes = seq.to_le_bytes().to_vec();
        bytes.extend_from_slice(digest.as_bytes());
        let check = Sha256::of(&bytes);
        bytes.extend(check.as_bytes().iter().take(MARK - bytes.len()));
        let [even, odd] = PLACES;
        let place = if seq.is_multiple_of(2) { even } else { odd };
        self.file
            .write_all_at(&bytes, place)
            .map_err(|source| OsFailure::new("write", &self.path, source))?;
        barrier::data(&self.file, &self.path)
    }

    /// What it says; `None` when it says nothing yet.
    pub(super) fn read(&self) -> Option<Said> {
        PLACES.iter().filter_map(|place| self.read_at(*place)).max_by_key(|said| said.seq)
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
