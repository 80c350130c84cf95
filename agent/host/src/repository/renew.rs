//! Begins the agent's repository anew: what the host needs is kept, everything else goes.
//!
//! **Invariant:** nothing that is needed and whole goes before its copy is durable: no remote can take from a
//! host what it needs to stay as it is.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bowline_model::object_id::ObjectId;

use super::fetch_failure::FetchFailure;
use super::watch::FetchLimits;
use super::watch::Watch;
use super::{CANDIDATE, FILES_MAX, NOTES, Repository, RepositoryFailure, TESTING, objects_in, oid};
use crate::door::{clock, files};
use crate::failure::chain;

/// Files of packs, two each, from which on looking an object up takes longer than packing anew.
const PACK_FILES_MAX: usize = 400;

/// Objects that were packed as differences take some more bytes when they are packed for haste.
const GROWTH_MAX: u64 = 4;

/// Even an almost empty repository has room for this while it is packed.
const BYTES_LEAST: u64 = 64 << 20;

impl Repository {
    /// Whether so much lies in it that it is better begun anew: each fetch leaves a pack, also of what
    /// is refused then. `most` is what one fetch may bring.
    pub fn is_overgrown(&self, most: u64) -> Result<bool, RepositoryFailure> {
        let lengths = self.pack_lengths()?;
        let largest = lengths.iter().copied().max().unwrap_or(0);
        let bytes = lengths.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
        // What was begun anew is one pack: it may be as large as it must.
        let rest = bytes.saturating_sub(largest);
        Ok(lengths.len() > PACK_FILES_MAX || rest > most.saturating_mul(2))
    }

    /// Bytes of each file beside and of each pack.
    pub(super) fn pack_lengths(&self) -> Result<Vec<u64>, RepositoryFailure> {
        let folder = self.packs();
        let names = files::names(&folder, FILES_MAX)?;
        let lengths = names.iter().map(|it| files::length(&folder.join(it)));
        Ok(lengths.collect::<Result<_, _>>()?)
    }

    /// Begins the repository anew with what lies below some commits: the first is how far the host has
    /// verified, and is the newest from now on. A commit that is not whole here is left out.
    pub fn renew(
        &mut self,
        keep: &[ObjectId],
        timeout: Duration,
        stop: &Arc<AtomicBool>,
    ) -> Result<(), FetchFailure> {
        let bytes =
            self.pack_lengths()?.iter().fold(BYTES_LEAST, |sum, it| sum.saturating_add(*it));
        let limits = FetchLimits { bytes: bytes.saturating_mul(GROWTH_MAX), timeout };
        let deadline = clock::since_boot().saturating_add(timeout);
        let watch = Watch::over(self.folder.display().to_string(), &limits, deadline, stop);
        let mut whole = Vec::new();
        for id in keep.iter().filter_map(oid) {
            match self.missing_below(id, None, &watch) {
                Ok(None) => whole.push(id),
                Ok(Some(_)) => {}
                // Too late, or told to stop: then it stays as it is.
                Err(failure) => watch.check().map(|()| tell_lost(&failure))?,
            }
        }
        if !whole.is_empty() {
            let objects = || {
                let found = objects_in(&[self.folder.join("objects")]);
                Ok(found.map_err(|source| self.failure("open the objects", source))?)
            };
            match self.pack_up(objects, (&whole, None), &watch) {
                Ok(()) => {}
                Err(failure @ FetchFailure::Git { .. }) => {
                    tell_lost(&failure);
                    self.turn_away();
                    whole.clear();
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(self.replace_packs(keep, &whole)?)
    }

    /// Puts what was packed in the place of everything else.
    fn replace_packs(
        &mut self,
        keep: &[ObjectId],
        whole: &[git2::Oid],
    ) -> Result<(), RepositoryFailure> {
        let folder = self.packs();
        let old = files::names(&folder, FILES_MAX)?;
        let new = if whole.is_empty() { Vec::new() } else { self.let_in()? };
        match keep.first().and_then(oid).filter(|it| whole.contains(it)) {
            Some(tip) => self.keep(CANDIDATE, tip)?,
            None => self.forget_tip()?,
        }
        files::remove(&self.folder.join(NOTES))?;
        files::remove(&self.folder.join(TESTING))?;
        for name in old.iter().filter(|it| !new.contains(it)) {
            files::remove(&folder.join(name))?;
        }
        self.let_go()
    }
}

fn tell_lost(failure: &FetchFailure) {
    tracing::warn!(error = %chain(failure), "what is kept of the repository is damaged, and is left out");
}
