//! Remembers SHA-256 and size of blobs, so that a listing need not read them again.
//!
//! **Invariant:** the cache may be lost or damaged at any time: it only saves reading, and what is
//! staged is digested again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;
use git2::Oid;

use crate::door::files;
use crate::failure::OsFailure;

/// What the file begins with.
const HEADER: &[u8; 16] = b"bowline blobs 1\n";

/// Blob id, SHA-256, size.
const LINE: usize = 20 + 32 + 8;

/// Five revisions of the largest tree; more are old ones.
const BLOBS_MAX: usize = 500_000;

/// SHA-256 and size by blob.
#[derive(Debug)]
pub struct BlobCache {
    path: PathBuf,
    known: HashMap<Oid, (Sha256, u64)>,
    grew: bool,
}

impl BlobCache {
    /// Reads the cache; one that is lost, damaged or too large is empty.
    pub fn open(path: &Path) -> Self {
        let limit = (HEADER.len() + BLOBS_MAX * LINE + 32) as u64;
        let bytes = files::read(path, limit).ok().flatten();
        let known = bytes.and_then(|it| parse(&it)).unwrap_or_default();
        Self { path: path.to_owned(), known, grew: false }
    }

    /// What is known of a blob.
    pub(super) fn look(&self, id: Oid) -> Option<(Sha256, u64)> {
        self.known.get(&id).copied()
    }

    /// Remembers a blob that was read.
    pub(super) fn keep(&mut self, id: Oid, sha256: Sha256, size: u64) {
        // Old revisions' blobs are not worth telling apart: begin again.
        if self.known.len() >= BLOBS_MAX {
            self.known.clear();
        }
        self.known.insert(id, (sha256, size));
        self.grew = true;
    }

    /// Writes the cache if it grew since it was read.
    pub fn save(&mut self) -> Result<(), OsFailure> {
        if !self.grew {
            return Ok(());
        }
        let mut bytes = HEADER.to_vec();
        bytes.reserve(self.known.len() * LINE + 32);
        for (id, (sha256, size)) in &self.known {
            bytes.extend_from_slice(id.as_bytes());
            bytes.extend_from_slice(sha256.as_bytes());
            bytes.extend_from_slice(&size.to_le_bytes());
        }
        let check = Sha256::of(&bytes);
        bytes.extend_from_slice(check.as_bytes());
        files::replace_cheaply(&self.path, &bytes, 0o600)?;
        self.grew = false;
        Ok(())
    }

    /// How many blobs it knows.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Reads the file's content; `None` when a single byte of it is wrong.
fn parse(bytes: &[u8]) -> Option<HashMap<Oid, (Sha256, u64)>> {
    let (body, check) = bytes.split_last_chunk::<32>()?;
    if Sha256::of(body).as_bytes() != check {
        return None;
    }
    let lines = body.strip_prefix(HEADER)?;
    let mut known = HashMap::with_capacity(lines.len() / LINE);
    for line in lines.chunks_exact(LINE) {
        let (id, rest) = line.split_at_checked(20)?;
        let (sha256, size) = rest.split_first_chunk::<32>()?;
        let size = u64::from_le_bytes(size.try_into().ok()?);
        known.insert(Oid::from_bytes(id).ok()?, (Sha256::from_bytes(*sha256), size));
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn id(of: u8) -> Oid {
        Oid::from_bytes(&[of; 20]).unwrap()
    }

    #[test]
    fn what_was_kept_is_known_after_a_restart() {
        let scratch = Scratch::new();
        let path = scratch.path().join("blobs");
        let mut cache = BlobCache::open(&path);
        cache.keep(id(1), Sha256::of(b"a"), 1);
        cache.save().unwrap();
        let cache = BlobCache::open(&path);
        assert_eq!(cache.look(id(1)), Some((Sha256::of(b"a"), 1)));
        assert_eq!(cache.look(id(2)), None);
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let scratch = Scratch::new();
        let path = scratch.path().join("blobs");
        let mut cache = BlobCache::open(&path);
        cache.keep(id(1), Sha256::of(b"a"), 1);
        cache.save().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in [0, HEADER.len() + 3, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(BlobCache::open(&path).is_empty(), "byte {at}");
        }
    }

    #[test]
    fn it_is_written_only_when_it_grew() {
        let scratch = Scratch::new();
        let path = scratch.path().join("blobs");
        BlobCache::open(&path).save().unwrap();
        assert!(!path.exists());
    }
}
