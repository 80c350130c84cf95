//! The service's one door to clock, randomness and files that are not the database.
//!
//! **Invariant:** what is read is limited in size; what is made is its owner's alone.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the service's door: it has no other, and bowline-host's is the agent's"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::{OFlags, statvfs};
use rustix::process::{Resource, Rlimit, getrlimit, getuid, setrlimit};

/// The wall clock, in seconds since 1970.
pub fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A clock that only goes forward.
pub fn now() -> Instant {
    Instant::now()
}

/// Random bytes; `None` when the system gives none.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Lets this process open as many files as the system allows it; gives how many that are.
pub fn open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    // None means that there is no limit.
    allowed.current.unwrap_or(u64::MAX)
}

/// Larger than any list of accounts.
const ACCOUNTS_BYTES_MAX: u64 = 16 << 20;

/// What the kernel says where nobody logged in.
const NOBODY: u32 = u32::MAX;

/// The account at the command line, by the system's word: the real user, and who logged in where that is
/// another. What the environment says is anybody's.
pub fn account() -> String {
    let uid = getuid().as_raw();
    let accounts = read_text(Path::new("/etc/passwd"), ACCOUNTS_BYTES_MAX).unwrap_or_default();
    let shown = |uid: u32| named(&accounts, uid);
    let login = read_text(Path::new("/proc/self/loginuid"), 64).unwrap_or_default();
    match login.trim().parse() {
        Ok(login) if login != uid && login != NOBODY => {
            format!("{}, logged in as {}", shown(uid), shown(login))
        }
        _ => shown(uid),
    }
}

/// An account's name and number.
fn named(accounts: &str, uid: u32) -> String {
    let mut lines = accounts.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

/// A plain file's bytes; an error for a link, a pipe, and what is too large.
pub fn read_plain(path: &Path, largest: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    read_opened(OpenOptions::new().read(true).custom_flags(flags).open(path)?, largest)
}

fn read_opened(file: File, largest: usize) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    let mut bytes = Vec::new();
    file.take(largest as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > largest {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(bytes)
}

/// What a path leads to, if that is a plain file: its bytes and its mode.
pub fn read_with_mode(path: &Path, largest: usize) -> io::Result<(Vec<u8>, u32)> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::CLOEXEC).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mode = file.metadata()?.mode() & 0o7777;
    Ok((read_opened(file, largest)?, mode))
}

/// By what a file is known to be the same as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    place: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

/// The stamp of what a path leads to; `None` when there is nothing, or nobody may look.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp {
        place: (found.dev(), found.ino()),
        size: found.len(),
        written: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

/// A small text file.
pub fn read_text(path: &Path, largest: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(largest + 1).read_to_string(&mut text)?;
    if text.len() as u64 > largest {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(text)
}

/// How large a file is; 0 where there is none.
pub fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |it| it.len())
}

/// Whether something stands there.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Makes an empty file that only its owner may read, in place of one that an earlier try left.
pub fn begin_anew(path: &Path) -> io::Result<()> {
    take_away(path)?;
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map(drop)
}

/// Takes a file away, if there is one.
pub fn take_away(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// How many bytes this account can still write beside a file.
pub fn room_beside(path: &Path) -> io::Result<u64> {
    let found = statvfs(path)?;
    // Some filesystems do not say how large they are.
    let room = found.f_bavail.saturating_mul(found.f_frsize);
    Ok(if found.f_blocks == 0 { u64::MAX } else { room })
}

/// Gives a file that was written its name, durably.
pub fn settle(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    File::open(to.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Makes a file that only its owner may read, if there is none.
pub fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_number_beside_its_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nbad\nalice:x:1000:1000::/:/bin/sh\n";
        for (uid, expected) in [(0, "root (uid 0)"), (1000, "alice (uid 1000)"), (7, "uid 7")] {
            assert_eq!(named(accounts, uid), expected);
        }
    }
}
