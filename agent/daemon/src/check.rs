//! `--check-config`: whether the agent could work with its settings and trust file.
//!
//! **Invariant:** nothing is written, and no remote is asked: it may be down for good reason.

use std::error::Error;

use bowline_host::repository::fetch::{FetchFailure, Remotes};
use bowline_host::secret_file::{self, BadSecret};
use bowline_host::settings::Settings;
use thiserror::Error;

use crate::cannot_start::CannotStart;
use crate::gear;

/// A token is a line.
const SECRET_BYTES_MAX: u64 = 4 << 10;

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
    /// Nothing could be sent to the control service.
    #[error("[control] in {file}")]
    Control {
        /// The settings file.
        file: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Unusable {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Start(error) => error.hint(),
            Self::Remote { source, .. } => source.hint(),
            Self::Control { .. } => "packaging/default.toml documents every setting",
        }
    }
}

/// Checks settings and trust file. Gives a line for each file.
pub fn check(settings: &Settings) -> Result<Vec<String>, Unusable> {
    let file = settings.file.display().to_string();
    Remotes::of(settings).check().map_err(|source| Unusable::Remote { file, source })?;
    gear::check(settings)?;
    if let Some(control) = &settings.control {
        let unusable = |source: Box<dyn Error + Send + Sync>| Unusable::Control {
            file: settings.file.display().to_string(),
            source,
        };
        control.trust().config().map_err(|error| unusable(error.into()))?;
        match control.token_file.as_ref().map(|it| secret_file::read(it, SECRET_BYTES_MAX)) {
            // It is thrown away once it was used.
            None | Some(Ok(_) | Err(BadSecret::Missing { .. })) => {}
            Some(Err(error)) => return Err(unusable(error.into())),
        }
    }
    let files = [&settings.file, &settings.trust];
    Ok(files.map(|it| format!("{}: valid", it.display())).to_vec())
}
