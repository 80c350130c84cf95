//! How far the control service has this host's records, kept beside them.
//!
//! **Invariant:** it may be lost: the service says itself where it stands, so no barrier is needed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::door::files;
use crate::failure::OsFailure;

/// An address and a number.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// How far which service has the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// The service.
    pub url: String,
    /// The newest record that it acknowledged.
    pub acked: u64,
}

/// The file in which that stands.
#[derive(Debug, Clone)]
pub struct AckedFile(PathBuf);

impl AckedFile {
    /// In a state folder.
    pub fn within(state: &Path) -> Self {
        Self(state.join("control.json"))
    }

    /// What it says of a service; `None` when it says nothing, or cannot be read.
    pub fn read(&self, url: &str) -> Option<u64> {
        let bytes = files::read(&self.0, FILE_BYTES_MAX).ok().flatten()?;
        let said: Acked = serde_json::from_slice(&bytes).ok()?;
        (said.url == url).then_some(said.acked)
    }

    /// Writes it anew.
    pub fn keep(&self, url: &str, acked: u64) -> Result<(), OsFailure> {
        let said = Acked { url: url.to_owned(), acked };
        // A text and a number have a JSON form.
        let bytes = serde_json::to_vec(&said).unwrap_or_default();
        files::replace_cheaply(&self.0, &bytes, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_is_damaged_or_of_another_service_says_nothing() {
        let scratch = Scratch::new();
        let file = AckedFile::within(scratch.path());
        assert_eq!(file.read("http://a/"), None);
        file.keep("http://a/", 7).unwrap();
        assert_eq!((file.read("http://a/"), file.read("http://b/")), (Some(7), None));
        std::fs::write(scratch.path().join("control.json"), "{\"url\":\"http").unwrap();
        assert_eq!(file.read("http://a/"), None);
    }
}
