//! Where the agent's own words go: the system's journal, or stderr as text or JSON.
//!
//! **Invariant:** stdout is left to data.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use bowline_host::settings::LogFormat;

/// Starts logging. `under_systemd` says whether stderr is the journal's stream.
pub fn start(format: LogFormat, under_systemd: bool) {
    let format = match format {
        LogFormat::Auto if under_systemd => LogFormat::Journald,
        LogFormat::Auto => LogFormat::Text,
        other => other,
    };
    let text = || {
        let colour = io::stderr().is_terminal();
        fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(colour).boxed()
    };
    let layer = match format {
        LogFormat::Json => fmt::layer().json().with_writer(io::stderr).boxed(),
        LogFormat::Journald => {
            // Without a journal to speak to, stderr still is one.
            tracing_journald::layer().map_or_else(
                |_| text(),
                |it| it.with_field_prefix(Some("BOWLINE".to_owned())).boxed(),
            )
        }
        LogFormat::Text | LogFormat::Auto => text(),
    };
    let subscriber = Registry::default().with(layer.with_filter(LevelFilter::INFO));
    // Set once per process; a second start keeps the first.
    tracing::subscriber::set_global_default(subscriber).unwrap_or(());
}
