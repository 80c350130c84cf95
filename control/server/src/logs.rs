//! Where the service's own words go: stderr, as text or JSON.
//!
//! **Invariant:** stdout is left to data.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::settings::LogFormat;

/// Starts logging.
pub fn start(format: LogFormat) {
    let layer = match format {
        LogFormat::Json => fmt::layer().json().with_writer(io::stderr).boxed(),
        LogFormat::Text => {
            let colour = io::stderr().is_terminal();
            fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(colour).boxed()
        }
    };
    let subscriber = Registry::default().with(layer.with_filter(LevelFilter::INFO));
    // Set once per process; a second start keeps the first.
    tracing::subscriber::set_global_default(subscriber).unwrap_or(());
}
