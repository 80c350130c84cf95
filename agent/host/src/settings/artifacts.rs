//! What settings say of archives of releases.
//!
//! **Invariant:** a cache in which nothing would fit is found here, before anything is fetched.

use std::time::Duration;

use bowline_model::byte_size::ByteSize;

use super::{BadSettings, Place, fragment, text};

/// Smallest cache of archives: below it hardly any release fits.
const CACHE_BYTES_MIN: u64 = 16 << 20;

/// How archives of releases are fetched and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artifacts {
    /// How long fetching one may take.
    pub timeout: Duration,
    /// How many bytes of unpacked archives are kept.
    pub cache_bytes: u64,
}

impl Place<'_> {
    pub(super) fn artifacts(
        &self,
        written: &fragment::Artifacts,
    ) -> Result<Artifacts, BadSettings> {
        let timeout = self.span("artifacts.timeout", written.timeout.as_ref())?;
        let key = "artifacts.cache";
        let cache: ByteSize = text(written.cache.as_ref())
            .parse()
            .map_err(|error| self.bad(key, format!("{error}")))?;
        let cache_bytes = cache.as_bytes();
        if timeout.is_zero() || cache_bytes < CACHE_BYTES_MIN {
            let what = format!("a time above zero, and {} MiB at least", CACHE_BYTES_MIN >> 20);
            return Err(self.bad("artifacts.timeout and artifacts.cache", what));
        }
        Ok(Artifacts { timeout, cache_bytes })
    }
}
