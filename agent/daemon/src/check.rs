//! `--check-config`: whether the agent could work with its settings and trust file.
//!
//! **Invariant:** nothing is written, and no remote is asked: it may be down for good reason.

use bowline_host::repository::fetch::{FetchFailure, Remotes};
use bowline_host::settings::Settings;
use thiserror::Error;

use crate::cannot_start::CannotStart;
use crate::gear;

/// Settings or a trust file that the agent could not work with.
#[derive(Debug, Error)]
pub enum Unusable {
    /// It would not start.
    #[error(transparent)]
    Start(#[from] CannotStart),
    /// It could never fetch from a remote.
    #[error("source.url in {file}")]
    Remote {
        /// The settings file.
        file: String,
        /// Why.
        #[source]
        source: FetchFailure,
    },
}

impl Unusable {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Start(error) => error.hint(),
            Self::Remote { source, .. } => source.hint(),
        }
    }
}

/// Checks settings and trust file. Gives a line for each file.
pub fn check(settings: &Settings) -> Result<Vec<String>, Unusable> {
    let file = settings.file.display().to_string();
    Remotes::of(settings).check().map_err(|source| Unusable::Remote { file, source })?;
    gear::check(settings)?;
    let files = [&settings.file, &settings.trust];
    Ok(files.map(|it| format!("{}: valid", it.display())).to_vec())
}
