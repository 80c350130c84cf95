//! How much a process may leave on the disk while it puts a pack together.
//!
//! **Invariant:** files and bytes are bounded together, however small each file is; the kernel bounds only each one.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use crate::door::{clock, files};

/// A pack, its index, and what either is called before it is done.
const FILES_MAX: usize = 8;

/// Between two looks: what a disk takes meanwhile is little beside a pack.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A folder that somebody else writes to.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    bytes_max: u64,
    /// When it was last looked at, since boot.
    looked: Cell<Option<Duration>>,
    kept: Cell<bool>,
}

impl Room {
    /// A folder, and how many bytes may lie in it.
    pub(super) fn of(folder: PathBuf, bytes_max: u64) -> Self {
        Self { folder, bytes_max, looked: Cell::new(None), kept: Cell::new(true) }
    }

    /// Whether no more lies there than may, when it was last looked at. Once there was more, it stays so.
    pub(super) fn is_kept(&self) -> bool {
        let now = clock::since_boot();
        let is_due = self.looked.get().is_none_or(|it| now.saturating_sub(it) >= LOOK_EVERY);
        if is_due && self.kept.get() {
            self.kept.set(self.look());
            self.looked.set(Some(now));
        }
        self.kept.get()
    }

    fn look(&self) -> bool {
        let Ok(names) = files::names(&self.folder, FILES_MAX) else { return false };
        // One that is gone by now has no bytes.
        let lengths =
            names.iter().map(|it| files::length(&self.folder.join(it)).unwrap_or(u64::MAX));
        lengths.fold(0_u64, u64::saturating_add) <= self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn files_and_bytes_are_bounded_together() {
        let scratch = Scratch::new();
        let write = |name: &str, bytes: usize| {
            std::fs::write(scratch.path().join(name), vec![0; bytes]).unwrap();
        };
        let room = || Room::of(scratch.path().to_owned(), 100);
        for name in 0..FILES_MAX {
            write(&name.to_string(), 10);
        }
        let kept = room();
        assert!(kept.is_kept());
        write("0", 31);
        assert!(!room().is_kept(), "a hundred and one bytes");
        write("0", 30);
        assert!(room().is_kept());
        write("more", 0);
        assert!(!room().is_kept(), "nine files");
        assert!(kept.is_kept(), "it has just looked");
    }
}
