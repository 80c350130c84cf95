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
    // A line that stderr does not take is lost; to say so there would end the process.
    let layer = fmt::layer().log_internal_errors(false).with_writer(io::stderr);
    let layer = match format {
        LogFormat::Json => layer.json().boxed(),
        LogFormat::Text => {
            let colour = io::stderr().is_terminal();
            layer.with_target(false).with_ansi(colour).boxed()
        }
    };
    let subscriber = Registry::default().with(layer.with_filter(LevelFilter::INFO));
    // Set once per process; a second start keeps the first.
    tracing::subscriber::set_global_default(subscriber).unwrap_or(());
}
