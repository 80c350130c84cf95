//! Why a signature does not count, whatever kind it is of.
//!
//! **Invariant:** "missing", "not supported", "unknown" and "wrong" stay apart: each has its own code.

use thiserror::Error;

/// A signature that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSignature {
    /// There is none.
    #[error("there is no signature")]
    Missing,
    /// It is not of its form.
    #[error("{0}")]
    Malformed(String),
    /// It may be good, but nobody here can tell.
    #[error("{0}")]
    Unsupported(String),
    /// It is by a key that is not at hand, so that nobody here can verify it.
    #[error("{0}")]
    Unknown(String),
    /// It is of the right form and wrong.
    #[error("{0}")]
    Invalid(String),
}
