//! Why the agent cannot start, or cannot begin a cycle.
//!
//! **Invariant:** who must act can be told from the exit code.

use bowline_api::hint;
use bowline_host::lock::LockFailure;
use thiserror::Error;

/// The agent could not be put together.
#[derive(Debug, Error)]
pub enum CannotStart {
    /// Settings and trust file do not fit.
    #[error("{0}")]
    Settings(String),
    /// What the agent keeps is not as it was kept.
    #[error("{doing}")]
    Damaged {
        /// What was being done.
        doing: &'static str,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something could not be opened.
    #[error("{doing}")]
    Open {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CannotStart {
    /// The exit code: usage, a person, or anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => 2,
            Self::Damaged { .. } => 3,
            Self::Open { .. } => 1,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Settings(_) => "packaging/default.toml documents every setting",
            Self::Damaged { .. } => hint::of("state-mismatch").unwrap_or_default(),
            Self::Open { source, .. } => match source.downcast_ref() {
                Some(LockFailure::Taken { .. }) => hint::of("state-taken").unwrap_or_default(),
                _ => "",
            },
        }
    }
}

pub(crate) fn damaged<E>(doing: &'static str) -> impl FnOnce(E) -> CannotStart
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| CannotStart::Damaged { doing, source: Box::new(source) }
}

pub(crate) fn opening<E>(doing: &'static str) -> impl FnOnce(E) -> CannotStart
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| CannotStart::Open { doing, source: Box::new(source) }
}
