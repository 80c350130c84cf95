//! Remembers what files held, by the metadata they had when they were read.
//!
//! **Invariant:** an entry counts only while every field of the metadata is the same, and only if the
//! file's times are older than the reading by more than a clock's grain (Git's rule for racy entries).
//! **Invariant:** the cache may be lost at any time: it only saves reading.

use std::collections::HashMap;

use bowline_model::digest::Sha256;
use bowline_model::host_path::HostPath;
use nix::sys::stat::FileStat;

/// Two seconds: the coarsest timestamps in use (vfat), and more than any kernel's clock grain.
const GRAIN_NS: i64 = 2_000_000_000;

/// Entries kept; beyond this, files are read each time.
const ENTRIES_MAX: usize = 250_000;

/// What files held.
#[derive(Debug)]
pub struct StatCache {
    entries: HashMap<HostPath, Entry>,
    most: usize,
}

impl Default for StatCache {
    fn default() -> Self {
        Self { entries: HashMap::new(), most: ENTRIES_MAX }
    }
}

/// What one file held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// SHA-256 of its content.
    pub sha256: Sha256,
    /// SHA-256 over its extended attributes.
    pub xattrs: Option<Sha256>,
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    read_at_ns: i64,
    sha256: Sha256,
    // Few files have any, and there may be ten thousands of entries.
    xattrs: Option<Box<Sha256>>,
}

/// The metadata that changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    dev: u64,
    ino: u64,
    size: i64,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stamp {
    fn of(stat: &FileStat) -> Self {
        let whole = |seconds: i64, ns: i64| nanoseconds(seconds).saturating_add(ns);
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: stat.st_size,
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            links: stat.st_nlink,
            modified_ns: whole(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: whole(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// Seconds since 1970 in nanoseconds. A file from beyond the year 2262 looks newer than any reading,
/// and is read each time.
fn nanoseconds(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000)
}

impl StatCache {
    /// A cache that remembers nothing: for a process that looks only once.
    pub fn of_nothing() -> Self {
        Self { entries: HashMap::new(), most: 0 }
    }

    /// What the file held when it was last read, if it cannot have changed since.
    pub fn look(&self, path: &HostPath, stat: &FileStat, wall_seconds: i64) -> Option<Held> {
        let entry = self.entries.get(path)?;
        let stamp = Stamp::of(stat);
        let latest = stamp.modified_ns.max(stamp.changed_ns);
        let settled = latest.saturating_add(GRAIN_NS) < entry.read_at_ns;
        // A clock that went back makes every time in the cache meaningless.
        let now = nanoseconds(wall_seconds).saturating_add(999_999_999);
        let clock_went_on = now >= entry.read_at_ns;
        let held = || Held { sha256: entry.sha256, xattrs: entry.xattrs.as_deref().copied() };
        (entry.stamp == stamp && settled && clock_went_on).then(held)
    }

    /// Remembers what a file held that was read at `wall_seconds`.
    pub fn keep(&mut self, path: &HostPath, stat: &FileStat, wall_seconds: i64, held: Held) {
        let read_at_ns = nanoseconds(wall_seconds);
        if self.entries.len() >= self.most && !self.entries.contains_key(path) {
            return;
        }
        let (sha256, xattrs) = (held.sha256, held.xattrs.map(Box::new));
        let entry = Entry { stamp: Stamp::of(stat), read_at_ns, sha256, xattrs };
        self.entries.insert(path.clone(), entry);
    }

    /// Forgets everything: after a boot, a restore, or a change of the clock.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Keeps only what is still managed.
    pub fn retain(&mut self, managed: impl Fn(&HostPath) -> bool) {
        self.entries.retain(|path, _| managed(path));
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::stat as root_stat;

    use super::*;

    fn stat(size: i64, seconds: i64) -> FileStat {
        let mut stat = root_stat("/").unwrap();
        (stat.st_size, stat.st_mtime, stat.st_ctime) = (size, seconds, seconds);
        stat
    }

    #[test]
    fn a_file_is_believed_only_when_old_enough_and_the_same() {
        let path: HostPath = "/a".parse().unwrap();
        let held = Held { sha256: Sha256::of(b"a"), xattrs: None };
        let cases = [
            ("unchanged and settled", 100, stat(1, 50), Some(held)),
            ("another size", 100, stat(2, 50), None),
            ("another time", 100, stat(1, 51), None),
            ("the clock went back", 60, stat(1, 50), None),
        ];
        for (what, now, seen, expected) in cases {
            let mut cache = StatCache::default();
            cache.keep(&path, &stat(1, 50), 90, held);
            assert_eq!(cache.look(&path, &seen, now), expected, "{what}");
        }
    }

    #[test]
    fn a_file_changed_in_the_moment_of_reading_is_racy() {
        let path: HostPath = "/a".parse().unwrap();
        let held = Held { sha256: Sha256::of(b"a"), xattrs: None };
        let mut cache = StatCache::default();
        cache.keep(&path, &stat(1, 89), 90, held);
        assert_eq!(cache.look(&path, &stat(1, 89), 100), None);
    }
}
