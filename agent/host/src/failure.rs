//! What can go wrong with a hand's work, sorted by what it means for a deployment.
//!
//! **Invariant:** the kind is decided here, once, from the cause; nobody matches on text.

use std::io;
use std::path::Path;

pub use bowline_api::cause::chain;
use nix::errno::Errno;
use thiserror::Error;

/// What a failure means for the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Again, after a while.
    Transient,
    /// Never this revision again.
    Refused,
    /// Go back.
    Broken,
    /// End the process without another write.
    Fatal,
}

/// The system refused something.
#[derive(Debug, Error)]
#[error("{doing} {subject}")]
pub struct OsFailure {
    /// What was being done.
    pub doing: &'static str,
    /// To what.
    pub subject: String,
    /// What it means.
    pub kind: Kind,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl OsFailure {
    /// A failure to do something to a path.
    pub fn new(
        doing: &'static str,
        subject: impl AsRef<Path>,
        source: impl Into<io::Error>,
    ) -> Self {
        let source = source.into();
        Self {
            doing,
            subject: subject.as_ref().display().to_string(),
            kind: kind_of(&source),
            source,
        }
    }

    /// A failed barrier: what was written may be lost, and a second try would hide it.
    pub fn barrier(
        doing: &'static str,
        subject: impl AsRef<Path>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self { kind: Kind::Fatal, ..Self::new(doing, subject, source) }
    }
}

fn kind_of(error: &io::Error) -> Kind {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(
            Errno::ENOSPC
            | Errno::EDQUOT
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOMEM
            | Errno::EAGAIN
            | Errno::EINTR
            | Errno::EBUSY
            | Errno::ETIMEDOUT,
        ) => Kind::Transient,
        _ => Kind::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_transient_and_a_bad_one_is_not() {
        for (errno, kind) in [
            (Errno::ENOSPC, Kind::Transient),
            (Errno::EMFILE, Kind::Transient),
            (Errno::EIO, Kind::Broken),
            (Errno::EROFS, Kind::Broken),
        ] {
            assert_eq!(OsFailure::new("write", "/x", errno).kind, kind, "{errno}");
            assert_eq!(OsFailure::barrier("sync", "/x", errno).kind, Kind::Fatal);
        }
    }

    #[test]
    fn the_chain_names_every_cause_once() {
        let failure = OsFailure::new("open", "/x", Errno::EROFS);
        assert!(chain(&failure).starts_with("open /x: Read-only file system"));
    }
}
