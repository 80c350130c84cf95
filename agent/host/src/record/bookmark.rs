//! Where the record log ended last, kept beside the host's key and outside its state folder.
//!
//! **Invariant:** it is written after the record is durable, so it is never ahead of a log that nobody touched.
//! **Invariant:** it may be lost, as in a power cut: then nothing is claimed, so no barrier is needed.

use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;
use serde::{Deserialize, Serialize};

use crate::door::files;
use crate::failure::OsFailure;

/// A number and a digest.
const BYTES_MAX: u64 = 4 << 10;

/// The newest record, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Its sequence.
    pub(super) seq: u64,
    /// Of its line.
    pub(super) sha256: Sha256,
}

/// The file.
#[derive(Debug, Clone)]
pub struct Bookmark(PathBuf);

impl Bookmark {
    /// Beside a host's key.
    pub fn beside(key: &Path) -> Self {
        let mut name = key.file_name().unwrap_or_default().to_owned();
        name.push(".records");
        Self(key.with_file_name(name))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Forgets it: the log begins anew.
    pub fn forget(&self) -> Result<(), OsFailure> {
        files::remove(&self.0)
    }

    /// What it says; `None` when it says nothing, or cannot be read.
    pub(super) fn place(&self) -> Option<Place> {
        let bytes = files::read(&self.0, BYTES_MAX).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn keep(&self, place: Place) -> Result<(), OsFailure> {
        // A number and a text have a JSON form.
        let bytes = serde_json::to_vec(&place).unwrap_or_default();
        files::replace_cheaply(&self.0, &bytes, 0o600)
    }
}
