//! The service's one door to clock, randomness and files that are not the database.
//!
//! **Invariant:** what is read is limited in size; what is made is its owner's alone.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is the service's door: it has no other, and bowline-host's is the agent's"
)]

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// The account at the command line, as sudo or the login says it; else its number.
pub fn account() -> Option<String> {
    let named = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|it| env::var(it).ok());
    let number = || fs::metadata("/proc/self").ok().map(|it| format!("user {}", it.uid()));
    named.filter(|it| !it.is_empty()).or_else(number)
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

/// Makes a file that only its owner may read, if there is none.
pub fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}
