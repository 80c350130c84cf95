//! Hears from the kernel (inotify) that something changed beside or at managed paths.
//!
//! **Invariant:** what is heard is a hint and nothing else: whoever hears it looks for himself, and what
//! is not heard is found by the next look around.
//! **Invariant:** the number of watched folders is bounded, and the agent's own changes are not heard.

mod folders;
mod pace;

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_model::host_path::HostPath;
use rustix::fs::inotify::{
    CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;

use crate::door::root::Root;
use folders::Folders;
pub use pace::Pace;

/// A queue of the kernel's is read in pieces of this size: some hundred events.
const PIECE: usize = 4 << 10;

/// Pieces that are read at once: the whole of a full queue (16,384 events by default), and an end where
/// events come as fast as they are read.
const PIECES_MAX: usize = 160;

/// What changes an object or puts another in its place. Not each write to an open file: the events of a
/// log would fill the queue; a file that is written and kept open is found by the next look around.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::ONLYDIR);

/// A watched folder itself went, or events were lost: anything may have changed.
const UPHEAVAL: ReadFlags = ReadFlags::QUEUE_OVERFLOW
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT);

/// Names of one reading that are told apart: beyond them, some share a pace.
const NAMES_MAX: usize = 256;

/// Stands for all that an upheaval concerns, and for names beyond the limit.
const ANYTHING: u64 = 0;

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Digests of what may have changed; none where nothing concerns managed paths.
    names: BTreeSet<u64>,
    /// Whether that was all.
    pub is_all: bool,
}

impl Heard {
    fn note(&mut self, name: u64) {
        let is_full = self.names.len() >= NAMES_MAX;
        self.names.insert(if is_full { ANYTHING } else { name });
    }
}

/// What is not watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unwatched {
    /// Paths in more folders than the limit allows.
    pub paths: usize,
    /// Folders that the kernel had no room for.
    pub folders: usize,
}

/// Hears of changes.
#[derive(Debug)]
pub struct Watch {
    queue: OwnedFd,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    folders: Folders,
    deaf: bool,
}

impl Watch {
    /// Hears nothing yet.
    pub fn new() -> io::Result<Self> {
        let queue = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { queue, known: Mutex::default() })
    }

    /// Watches the folders of these paths, and those on the way to them, in the place of what was watched.
    /// Gives what is not watched, because there are more folders than `most` or than the kernel allows.
    pub fn follow<'p>(
        &self,
        root: &Root,
        paths: impl Iterator<Item = &'p HostPath>,
        most: usize,
    ) -> Unwatched {
        let mut known = self.lock();
        let (folders, paths) = Folders::of(paths, most);
        let before: Vec<i32> = known.folders.watches().collect();
        known.folders = folders;
        let folders = self.add(&mut known.folders, root);
        self.let_go(&before, &known.folders);
        Unwatched { paths, folders }
    }

    /// Watches once more what is to be watched: folders that are new in their place are found again.
    pub fn renew(&self, root: &Root) {
        let mut known = self.lock();
        let before: Vec<i32> = known.folders.watches().collect();
        self.add(&mut known.folders, root);
        self.let_go(&before, &known.folders);
    }

    /// Ends the watch of each folder that is no longer of interest: one that was moved away is watched by
    /// the kernel until somebody says so.
    fn let_go(&self, before: &[i32], now: &Folders) {
        for gone in before.iter().filter(|it| !now.has(**it)) {
            // It may have gone with its folder.
            remove_watch(&self.queue, *gone).ok();
        }
    }

    /// Gives how many folders are not watched, because the kernel allows no more.
    fn add(&self, folders: &mut Folders, root: &Root) -> usize {
        folders.watch(|path| match add_watch(&self.queue, root.outside(path), CHANGES) {
            Ok(watch) => folders::Added::Is(watch),
            Err(Errno::NOSPC | Errno::NOMEM) => folders::Added::NoRoom,
            // It is not there, or no folder: the one above tells when that changes.
            Err(_) => folders::Added::No,
        })
    }

    /// Hears nothing from now on: the agent itself changes the host.
    pub fn close_ears(&self) {
        self.lock().deaf = true;
    }

    /// Hears again; what came meanwhile was the agent's own.
    pub fn open_ears(&self) {
        let mut known = self.lock();
        self.read(&known.folders);
        known.deaf = false;
    }

    /// Takes what came.
    pub fn take(&self) -> Heard {
        let known = self.lock();
        let heard = self.read(&known.folders);
        if known.deaf { Heard { names: BTreeSet::new(), ..heard } } else { heard }
    }

    fn read(&self, folders: &Folders) -> Heard {
        let mut piece = [MaybeUninit::uninit(); PIECE];
        let mut heard = Heard::default();
        let mut events = Reader::new(self.queue.as_fd(), &mut piece);
        let mut pieces = 0;
        while pieces < PIECES_MAX || !events.is_buffer_empty() {
            pieces += usize::from(events.is_buffer_empty());
            let Ok(event) = events.next() else { return Heard { is_all: true, ..heard } };
            if event.events().intersects(UPHEAVAL) {
                heard.note(ANYTHING);
            } else if let Some(name) = event.file_name()
                && let Some(name) = folders.concerns(event.wd(), name.to_bytes())
            {
                heard.note(name);
            }
        }
        heard
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So that a runtime can wait for events.
impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.queue.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
