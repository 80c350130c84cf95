//! Turns an archive into a listing, and its files into files that are named by their digests.
//!
//! **Invariant:** nothing is written under a name that an archive gives: its names are only listed.
//! **Invariant:** members, their names, their bytes and the time for them are limited before they are kept.

mod frames;
mod links;
mod tar;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_model::digest::Sha256Stream;
use bowline_model::host_path::RepoPath;
use bowline_model::release::{Body, Extract, Listing, Member};
use flate2::read::MultiGzDecoder;

use super::bad_archive::BadArchive;
use crate::door::{clock, files};
use crate::observe::MANAGED_BYTES_MAX;
use frames::Frames;

/// Members of one archive: a runtime with its libraries has some thousands.
const MEMBERS_MAX: usize = 20_000;

/// All names of one archive together, with what its links say.
const NAMES_BYTES_MAX: usize = 4 << 20;

/// Of small archives so much may come whatever their size: text packs very well.
const UNPACKED_FREE: u64 = 64 << 20;

/// More than this for one byte is no release but a bomb: text that repeats itself packs a hundredfold.
const RATIO_MAX: u64 = 200;

/// How long unpacking may take: the largest archive on a slow disk.
pub const UNPACK_TIME: Duration = Duration::from_mins(5);

/// Bytes that are moved at once.
const PIECE: usize = 64 << 10;

/// What may be unpacked, and until when.
#[derive(Debug)]
pub(super) struct Bounds<'a> {
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// Set when the agent is ending.
    pub(super) stop: &'a AtomicBool,
}

/// Unpacks an archive into a folder.
pub(super) fn unpack(
    archive: &Path,
    (folder, extract): (&Path, Extract),
    bounds: &Bounds<'_>,
) -> Result<Listing, BadArchive> {
    let Some(file) = files::look(archive)? else {
        return Err(BadArchive::damaged("it is gone"));
    };
    let packed = files::length(archive)?;
    let most = bounds.bytes.min(UNPACKED_FREE.max(packed.saturating_mul(RATIO_MAX)));
    let sink = Sink {
        folder: folder.to_owned(),
        archive: archive.to_owned(),
        members: BTreeMap::new(),
        stored: BTreeSet::new(),
        names: 0,
        left: most,
        most,
        until: clock::monotonic() + UNPACK_TIME,
        stop: bounds.stop,
    };
    unpack_file(file, extract, sink)
}

fn unpack_file(file: File, extract: Extract, mut sink: Sink<'_>) -> Result<Listing, BadArchive> {
    match extract {
        Extract::TarGz => tar::read(MultiGzDecoder::new(BufReader::new(file)), &mut sink)?,
        Extract::TarZst => tar::read(Frames::of(file), &mut sink)?,
        Extract::Zip => zip::read(BufReader::new(file), &mut sink)?,
        Extract::None => {
            let size = file.metadata().map_or(0, |it| it.len());
            sink.file(b"file", (0o755, size), &mut BufReader::new(file))?;
        }
    }
    sink.finish()
}

/// Where members go.
#[derive(Debug)]
struct Sink<'a> {
    folder: PathBuf,
    archive: PathBuf,
    members: BTreeMap<String, Found>,
    stored: BTreeSet<String>,
    names: usize,
    left: u64,
    most: u64,
    until: Duration,
    stop: &'a AtomicBool,
}

/// A member as it was found.
#[derive(Debug)]
struct Found {
    body: Body,
    /// Whether only something that lies in it spoke of it.
    is_implied: bool,
}

impl Sink<'_> {
    fn check(&self) -> Result<(), BadArchive> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(BadArchive::Stopped);
        }
        if clock::monotonic() > self.until {
            return Err(BadArchive::Late { seconds: UNPACK_TIME.as_secs() });
        }
        Ok(())
    }

    /// Notes a folder. The archive's own top is none.
    fn folder(&mut self, name: &[u8], mode: u32) -> Result<(), BadArchive> {
        let Some(path) = path_of(name)? else { return Ok(()) };
        plain_mode(name, mode)?;
        self.add(name, &path, Body::Folder { mode: (mode & 0o755) | 0o700 })
    }

    /// Stores a file under its digest, and notes it.
    fn file(
        &mut self,
        name: &[u8],
        (mode, size): (u32, u64),
        content: &mut impl Read,
    ) -> Result<(), BadArchive> {
        let path = named(name)?;
        plain_mode(name, mode)?;
        if size > MANAGED_BYTES_MAX {
            return Err(BadArchive::TooLarge {
                limit: format!("{MANAGED_BYTES_MAX} bytes in a file"),
            });
        }
        let sha256 = self.store(size, content)?;
        // Never more open than the archive says, and never such that the owner cannot read it.
        let mode = (mode & 0o755) | 0o600;
        self.add(name, &path, Body::File { sha256, size, mode })
    }

    /// Notes a symbolic link.
    fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), BadArchive> {
        let path = named(name)?;
        let Ok(target) = std::str::from_utf8(target) else {
            return Err(BadArchive::link(name, "says what is no UTF-8"));
        };
        self.names += target.len();
        self.add(name, &path, Body::Link { target: target.to_owned() })
    }

    /// Notes another name of a file that came before: it becomes a file of its own.
    fn hard_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), BadArchive> {
        let path = named(name)?;
        let other = path_of(target).ok().flatten();
        let body = other.and_then(|it| self.members.get(it.as_str())).map(|it| &it.body);
        let Some(body @ Body::File { size, .. }) = body else {
            return Err(BadArchive::link(name, "is another name of what is no file before it"));
        };
        let (body, size) = (body.clone(), *size);
        self.charge(size)?;
        self.add(name, &path, body)
    }

    /// Counts what a file will take on the host.
    fn charge(&mut self, size: u64) -> Result<(), BadArchive> {
        let Some(left) = self.left.checked_sub(size) else {
            return Err(BadArchive::TooLarge { limit: format!("{} bytes in files", self.most) });
        };
        self.left = left;
        Ok(())
    }

    fn add(&mut self, name: &[u8], path: &RepoPath, body: Body) -> Result<(), BadArchive> {
        self.check()?;
        for (at, _) in path.as_str().match_indices('/') {
            let above = path.as_str().get(..at).unwrap_or_default();
            if !self.members.contains_key(above) {
                self.count(above)?;
                let body = Body::Folder { mode: 0o755 };
                self.members.insert(above.to_owned(), Found { body, is_implied: true });
            }
        }
        self.count(path.as_str())?;
        let found = Found { body, is_implied: false };
        match self.members.insert(path.as_str().to_owned(), found) {
            Some(before) if !before.is_implied => Err(BadArchive::path(name, "is there twice")),
            _ => Ok(()),
        }
    }

    /// Counts a member, whether the archive has it or something in it speaks of it.
    fn count(&mut self, path: &str) -> Result<(), BadArchive> {
        self.names += path.len();
        if self.members.len() >= MEMBERS_MAX {
            return Err(BadArchive::TooLarge { limit: format!("{MEMBERS_MAX} members") });
        }
        if self.names > NAMES_BYTES_MAX {
            return Err(BadArchive::TooLarge {
                limit: format!("{NAMES_BYTES_MAX} bytes of names"),
            });
        }
        Ok(())
    }

    /// Writes a file of an archive, and names it by its digest.
    fn store(
        &mut self,
        size: u64,
        content: &mut impl Read,
    ) -> Result<bowline_model::digest::Sha256, BadArchive> {
        self.charge(size)?;
        let temporary = self.folder.join("new");
        let file = files::create(&temporary, 0o600)?;
        let (mut digest, mut read) = (Sha256Stream::new(), 0_u64);
        let mut piece = vec![0; PIECE];
        loop {
            self.check()?;
            let count =
                content.read(&mut piece).map_err(|it| BadArchive::of_read(&self.archive, it))?;
            let bytes = piece.get(..count).unwrap_or_default();
            read += count as u64;
            if count == 0 || read > size {
                break;
            }
            digest.update(bytes);
            files::write_all(&file, &temporary, bytes)?;
        }
        if read != size {
            return Err(BadArchive::damaged("a file in it is not as long as it says"));
        }
        let sha256 = digest.finish();
        files::rename_cheaply(&temporary, &self.folder.join(sha256.to_string()))?;
        self.stored.insert(sha256.to_string());
        Ok(sha256)
    }

    /// The listing, once everything in it fits together.
    fn finish(self) -> Result<Listing, BadArchive> {
        if self.members.is_empty() {
            return Err(BadArchive::Empty);
        }
        for (path, found) in &self.members {
            // Following thousands of links takes its time as well.
            self.check()?;
            let in_folder = |above: &str| {
                matches!(self.members.get(above), Some(Found { body: Body::Folder { .. }, .. }))
            };
            if path.rsplit_once('/').is_some_and(|(above, _)| !in_folder(above)) {
                return Err(BadArchive::path(path.as_bytes(), "lies in what is no folder"));
            }
            if let Body::Link { target } = &found.body {
                links::check(&self.members, path, target)?;
            }
        }
        let member = |(path, found): (String, Found)| {
            let refused = |_misspelt| BadArchive::path(path.as_bytes(), "is no path");
            Ok(Member { path: path.parse().map_err(refused)?, body: found.body })
        };
        let members = self.members.into_iter().map(member).collect::<Result<_, BadArchive>>()?;
        Ok(Listing { members })
    }
}

/// Refuses what a mode says beyond who may read, write and run.
fn plain_mode(name: &[u8], mode: u32) -> Result<(), BadArchive> {
    if mode & 0o7000 != 0 {
        return Err(BadArchive::member(name, "has a setuid, setgid or sticky bit"));
    }
    Ok(())
}

/// Where a member lies that must not be the archive's own top.
fn named(name: &[u8]) -> Result<RepoPath, BadArchive> {
    path_of(name)?.ok_or_else(|| BadArchive::path(name, "has no name of its own"))
}

/// Where a name lies in the release; `None` for the archive's own top.
fn path_of(name: &[u8]) -> Result<Option<RepoPath>, BadArchive> {
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(BadArchive::path(name, "is no UTF-8"));
    };
    let text = text.strip_prefix("./").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if matches!(text, "" | ".") && !name.starts_with(b"/") {
        return Ok(None);
    }
    let path = text.parse().map_err(|_misspelt| {
        BadArchive::path(name, "leads elsewhere, or holds what no path inside a release does")
    })?;
    Ok(Some(path))
}

#[cfg(test)]
mod tests;
