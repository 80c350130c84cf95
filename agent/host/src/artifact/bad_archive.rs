//! Archives that are not unpacked, and why.
//!
//! **Invariant:** a refusal names the member as it is written in the archive, shown so that it cannot write
//! over a terminal.

use std::io;
use std::path::Path;

use bowline_model::shown::one_line;
use thiserror::Error;

use crate::failure::{Kind, OsFailure, chain};

/// Letters of a member's name that are shown: enough to find it.
const SHOWN_MAX: usize = 200;

/// An archive that is not unpacked.
#[derive(Debug, Error)]
pub enum BadArchive {
    /// The system refused.
    #[error("unpack it")]
    Os(#[from] OsFailure),
    /// It is no archive of its format, or not a whole one.
    #[error("it is no whole archive: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// A member's name.
    #[error("the member {member} {why}")]
    Path {
        /// Its name.
        member: String,
        /// What is wrong with it.
        why: String,
    },
    /// A link.
    #[error("the link {member} {why}")]
    Link {
        /// Its name.
        member: String,
        /// What is wrong with it.
        why: String,
    },
    /// A member that is neither file, folder nor link, or more than that.
    #[error("the member {member} {why}")]
    Member {
        /// Its name.
        member: String,
        /// What it is.
        why: String,
    },
    /// It holds more than is unpacked.
    #[error("it holds more than {limit}")]
    TooLarge {
        /// What there may be at most.
        limit: String,
    },
    /// It refers to what lies too far behind.
    #[error(transparent)]
    Window(FarWindow),
    /// There is nothing in it: a release of nothing would take away what stands.
    #[error("it holds no member at all")]
    Empty,
    /// It takes too long.
    #[error("it is not unpacked after {seconds} s")]
    Late {
        /// The limit.
        seconds: u64,
    },
    /// The agent is ending.
    #[error("unpacking was given up: the agent is ending")]
    Stopped,
}

/// A Zstandard frame that refers farther back than is kept for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a frame needs a window of {needed} bytes, and there may be {limit}")]
pub struct FarWindow {
    /// What it needs.
    pub needed: u64,
    /// What there may be.
    pub limit: u64,
}

impl BadArchive {
    /// What it means for a deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Late { .. } | Self::Stopped => Kind::Transient,
            _ => Kind::Refused,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os(_) => "io",
            Self::Damaged { .. } => "artifact-damaged",
            Self::Path { .. } => "artifact-path",
            Self::Link { .. } => "artifact-link",
            Self::Member { .. } => "artifact-member",
            Self::TooLarge { .. } => "artifact-too-large",
            Self::Window(_) => "artifact-window",
            Self::Empty => "artifact-empty",
            Self::Late { .. } => "artifact-late",
            Self::Stopped => "stopped",
        }
    }

    pub(super) fn damaged(why: impl Into<String>) -> Self {
        Self::Damaged { why: why.into() }
    }

    pub(super) fn path(member: &[u8], why: impl Into<String>) -> Self {
        Self::Path { member: named(member), why: why.into() }
    }

    pub(super) fn link(member: &[u8], why: impl Into<String>) -> Self {
        Self::Link { member: named(member), why: why.into() }
    }

    pub(super) fn member(member: &[u8], why: impl Into<String>) -> Self {
        Self::Member { member: named(member), why: why.into() }
    }

    /// Sorts what reading it ended with: a disk that fails is not the archive's fault.
    pub(super) fn of_read(archive: &Path, source: io::Error) -> Self {
        if source.raw_os_error().is_some() {
            return OsFailure::new("read", archive, source).into();
        }
        if source.kind() == io::ErrorKind::UnexpectedEof {
            return Self::damaged("it ends in the middle");
        }
        let far = source.get_ref().and_then(|it| it.downcast_ref::<FarWindow>());
        far.map_or_else(|| Self::damaged(chain(&source)), |far| Self::Window(*far))
    }
}

fn named(member: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(member), SHOWN_MAX)
}
