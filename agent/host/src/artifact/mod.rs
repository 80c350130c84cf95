//! Archives of releases: fetched once, kept unpacked in the state folder, each file under its digest.
//!
//! **Invariant:** nothing is unpacked before its digest is that of the manifest.
//! **Invariant:** whatever is kept here may be lost: it is fetched again, and every file is digested again
//! when it is used.

mod bad_archive;
mod download;
mod failure;
mod source;
mod unpack;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bowline_model::digest::Sha256;
use bowline_model::release::{Archive, Body, Extract, Listing, Member, Wanted};
use serde::{Deserialize, Serialize};

pub use bad_archive::BadArchive;
pub use failure::ArtifactFailure;
pub use source::Sources;
pub use unpack::UNPACK_TIME;

use crate::door::files;
use crate::door::root::Root;
use crate::failure::OsFailure;
use crate::settings::{Artifacts, Settings};
use download::Means;
use unpack::Bounds;

/// Largest archive: what a host fetches in minutes, and unpacks in seconds.
const ARCHIVE_BYTES_MAX: u64 = 1 << 30;

/// Largest listing: names are limited before it is written.
const LISTING_BYTES_MAX: u64 = 32 << 20;

/// Entries of the folder: of each archive one, and leftovers.
const ENTRIES_MAX: usize = 10_000;

/// The file of an entry that makes it count; written last.
const LISTING: &str = "listing";

/// Archives that were fetched.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    means: Means,
    limit: u64,
}

/// A listing as it is kept, with its own digest: a power cut may leave anything.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    sha256: Sha256,
    listing: Listing,
}

impl Store {
    /// The store in a state folder.
    pub fn of(settings: &Settings, stop: &Arc<AtomicBool>) -> Self {
        Self::at(settings.state.join("cache/artifacts"), settings, stop)
    }

    /// A store in a folder of its own.
    pub fn at(folder: PathBuf, settings: &Settings, stop: &Arc<AtomicBool>) -> Self {
        let Artifacts { timeout, cache_bytes } = settings.artifacts;
        let access = settings.access.clone();
        let bytes = ARCHIVE_BYTES_MAX;
        let received = Arc::new(AtomicU64::new(0));
        let means = Means { access, bytes, time: timeout, stop: Arc::clone(stop), received };
        Self { folder, means, limit: cache_bytes }
    }

    /// Bytes that servers have sent to this value, whatever came of them.
    pub fn received(&self) -> u64 {
        self.means.received.load(Ordering::Relaxed)
    }

    /// What an archive holds, if it is here.
    pub fn known(&self, archive: &Archive) -> Option<Listing> {
        read(&self.entry(archive.sha256, archive.extract)).map(|it| called(it, archive))
    }

    /// What an archive holds; it is fetched unless it is here. Those that are wanted beside it stay; of what
    /// is `standing`, which is known without its archive, others go first.
    pub fn obtain(
        &self,
        root: &Root,
        wanted: &Wanted,
        standing: &[Archive],
    ) -> Result<Listing, ArtifactFailure> {
        if let Some(listing) = self.known(&wanted.archive) {
            return Ok(listing);
        }
        let url = wanted.url.shown().to_owned();
        let keep = |source| ArtifactFailure::Os { url: url.clone(), source };
        files::make_folder_cheaply(&self.folder).map_err(keep)?;
        let others = self.tidy((&wanted.beside, standing)).map_err(keep)?;
        let held = others.iter().filter(|it| it.worth == Worth::Wanted).map(|it| it.bytes).sum();
        let space = self.limit.saturating_sub(held);
        let no_room =
            || ArtifactFailure::NoRoom { url: url.clone(), needed: held, limit: self.limit };
        let listing = self.fetch(root, wanted, space).map_err(|failure| match failure {
            ArtifactFailure::TooLarge { .. } if space < ARCHIVE_BYTES_MAX => no_room(),
            ArtifactFailure::Archive { source: BadArchive::TooLarge { .. }, .. }
                if space < self.limit =>
            {
                no_room()
            }
            failure => failure,
        })?;
        self.drop_surplus(others, bytes_of(&listing)).map_err(keep)?;
        Ok(called(listing, &wanted.archive))
    }

    /// Fetches and unpacks an archive.
    fn fetch(&self, root: &Root, wanted: &Wanted, space: u64) -> Result<Listing, ArtifactFailure> {
        let url = || wanted.url.shown().to_owned();
        let keep = |source| ArtifactFailure::Os { url: url(), source };
        let Archive { sha256, extract, .. } = wanted.archive;
        let entry = self.entry(sha256, extract);
        let part = self.folder.join(format!("{sha256}.part"));
        let bytes = self.means.bytes.min(space);
        let means = Means { bytes, ..self.means.clone() };
        let unpacked = download::download(root, wanted, &part, &means).and_then(|()| {
            files::make_folder_cheaply(&entry).map_err(keep)?;
            let bounds = Bounds { bytes: space, stop: &self.means.stop };
            unpack::unpack(&part, (&entry, extract), &bounds)
                .map_err(|source| ArtifactFailure::Archive { url: url(), source })
        });
        // Before the entry counts: nobody would look for it afterwards.
        files::remove(&part).map_err(keep)?;
        let done = unpacked.and_then(|listing| write(&entry, listing).map_err(keep));
        if done.is_err() {
            files::remove_folder(&entry).map_err(keep)?;
        }
        done
    }

    /// Forgets an archive: what it left here is not what it was.
    pub fn forget(&self, archive: Sha256, extract: Extract) -> Result<(), OsFailure> {
        files::remove_folder(&self.entry(archive, extract))
    }

    /// Where a file of an archive lies.
    fn file(&self, (archive, extract): (Sha256, Extract), file: Sha256) -> PathBuf {
        self.entry(archive, extract).join(file.to_string())
    }

    fn entry(&self, archive: Sha256, extract: Extract) -> PathBuf {
        self.folder.join(format!("{archive}-{}", extract.word()))
    }

    /// Removes what was cut short. Gives what is here.
    fn tidy(&self, (wanted, standing): (&[Archive], &[Archive])) -> Result<Vec<Entry>, OsFailure> {
        let mut entries = Vec::new();
        for name in files::names(&self.folder, ENTRIES_MAX)? {
            let path = self.folder.join(&name);
            match read(&path) {
                Some(listing) => {
                    let is_it = |it: &Archive| self.entry(it.sha256, it.extract) == path;
                    let worth = match (wanted.iter().any(is_it), standing.iter().any(is_it)) {
                        (true, _) => Worth::Wanted,
                        (false, true) => Worth::Standing,
                        (false, false) => Worth::Nothing,
                    };
                    let (bytes, since) = (bytes_of(&listing), files::changed(&path.join(LISTING)));
                    entries.push(Entry { since, path, bytes, worth });
                }
                None if path.is_dir() => files::remove_folder(&path)?,
                None => files::remove(&path)?,
            }
        }
        Ok(entries)
    }

    /// Removes what is worth least, of that the oldest, until the rest is within the limit.
    fn drop_surplus(&self, mut others: Vec<Entry>, new: u64) -> Result<(), OsFailure> {
        let mut total = others.iter().map(|it| it.bytes).sum::<u64>().saturating_add(new);
        others.sort_by_key(|it| (it.worth, it.since));
        for entry in others.iter().filter(|it| it.worth < Worth::Wanted) {
            if total <= self.limit {
                break;
            }
            files::remove_folder(&entry.path)?;
            total = total.saturating_sub(entry.bytes);
        }
        Ok(())
    }
}

/// The listing of an entry, if it is whole.
fn read(entry: &Path) -> Option<Listing> {
    let bytes = files::read(&entry.join(LISTING), LISTING_BYTES_MAX).ok()??;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    (Sha256::of_list(&kept.listing.members).ok()? == kept.sha256).then_some(kept.listing)
}

/// Makes an entry count.
fn write(entry: &Path, listing: Listing) -> Result<Listing, OsFailure> {
    let path = entry.join(LISTING);
    // Members are plain data, which always has a JSON form.
    let sha256 = Sha256::of_list(&listing.members).unwrap_or_default();
    let kept = Kept { sha256, listing };
    let bytes = serde_json::to_vec(&kept).unwrap_or_default();
    files::replace_cheaply(&path, &bytes, 0o600)?;
    Ok(kept.listing)
}

/// An archive that is here.
#[derive(Debug)]
struct Entry {
    since: Option<(i64, i64)>,
    path: PathBuf,
    bytes: u64,
    worth: Worth,
}

/// Why an archive stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// For nothing: some later revision may want it again.
    Nothing,
    /// A release stands that it holds; only a member that drifts is made from it.
    Standing,
    /// This host's manifests want it.
    Wanted,
}

/// What the files of a listing take.
fn bytes_of(listing: &Listing) -> u64 {
    let size = |it: &Member| match it.body {
        Body::File { size, .. } => size,
        Body::Folder { .. } | Body::Link { .. } => 0,
    };
    listing.members.iter().map(size).sum()
}

/// What is not extracted is called as its address ends, which may change.
fn called(mut listing: Listing, archive: &Archive) -> Listing {
    if archive.extract == Extract::None {
        listing.members.iter_mut().for_each(|it| it.path = archive.name.clone());
    }
    listing
}

#[cfg(test)]
mod tests;
