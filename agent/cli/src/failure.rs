//! Why a verb failed: what it means for the exit code, what happened, and what to do.
//!
//! **Invariant:** the weight decides the exit code; hints are data, printed once, last.

use std::fmt::Display;
use std::io;
use std::path::Path;

use anyhow::Error;
use bowline_api::hint;
use bowline_host::door::files;
use bowline_host::state::StateFailure;

/// Why a verb failed.
#[derive(Debug)]
pub struct Failure {
    weight: Weight,
    /// What happened, with its causes.
    pub error: Error,
    /// What a person can do.
    pub hints: Vec<String>,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It was tried, and did not succeed.
    Failed,
    /// It was not tried: what was given makes no sense.
    Usage,
    /// What the host keeps is not as it was kept: a person has to look.
    Tampered,
    /// Nobody reads the output any more: nothing is left to say.
    Unheard,
}

impl Failure {
    /// A failure of what was tried.
    pub fn failed(error: impl Into<Error>) -> Self {
        Self { weight: Weight::Failed, error: error.into(), hints: Vec::new() }
    }

    /// A mistake in what was given.
    pub fn usage(error: impl Into<Error>) -> Self {
        Self { weight: Weight::Usage, error: error.into(), hints: Vec::new() }
    }

    /// What a host keeps was damaged, or changed behind its agent.
    pub fn tampered(error: impl Into<Error>) -> Self {
        let hint = hint::of("state-mismatch").unwrap_or_default();
        Self { weight: Weight::Tampered, error: error.into(), hints: Vec::new() }.hint(hint)
    }

    /// The same failure with a hint; an empty one is left out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.extend(Some(hint.into()).filter(|it| !it.is_empty()));
        self
    }

    /// The same failure as the cause of another.
    #[must_use]
    pub fn of(mut self, what: impl Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(what);
        self
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self.weight {
            Weight::Failed | Weight::Unheard => 1,
            Weight::Usage => 2,
            Weight::Tampered => 3,
        }
    }

    /// Whether there is anybody to tell.
    pub(crate) fn is_heard(&self) -> bool {
        self.weight != Weight::Unheard
    }
}

/// A failure to write output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let weight = match error.kind() {
            io::ErrorKind::BrokenPipe => Weight::Unheard,
            _ => Weight::Failed,
        };
        Self { weight, error: Error::new(error).context("write the output"), hints: Vec::new() }
    }
}

/// A state that cannot be read is no usage and no bad luck: the agent would not start with it either.
impl From<StateFailure> for Failure {
    fn from(failure: StateFailure) -> Self {
        match failure {
            StateFailure::Damaged { .. } => Self::tampered(failure),
            StateFailure::Os(_) | StateFailure::TooLarge { .. } => Self::failed(failure),
        }
    }
}

/// Reads a file that was named on the command line.
pub(crate) fn read_given(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>, Failure> {
    match files::read(path, limit) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Failure::usage(anyhow::anyhow!("there is no {what} {}", path.display()))),
        Err(failure) => Err(Failure::usage(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn the_weight_decides_the_exit_code() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        for (failure, code, heard) in [
            (Failure::failed(anyhow!("x")), 1, true),
            (Failure::usage(anyhow!("x")), 2, true),
            (Failure::tampered(anyhow!("x")), 3, true),
            (Failure::from(broken), 1, false),
            (Failure::from(io::Error::other("full")), 1, true),
        ] {
            assert_eq!((failure.exit_code(), failure.is_heard()), (code, heard), "{failure:?}");
        }
    }
}
