//! What the agent is told on its command line.
//!
//! **Invariant:** everything else is told by the settings file.

use std::path::PathBuf;

use clap::Parser;

/// Pulls signed desired state from Git, applies it, and keeps it or takes it back, provably.
#[derive(Debug, Parser)]
#[command(name = "bowline-agent", version, about, max_term_width = 100)]
pub struct Arguments {
    /// The settings file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Everything managed lies below this folder.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Runs one whole cycle, soak included, and ends.
    #[arg(long)]
    pub once: bool,
    /// Prints how the cycle ended as JSON.
    #[arg(long, requires = "once")]
    pub json: bool,
    /// Checks settings and trust file, and ends.
    #[arg(long, conflicts_with = "once")]
    pub check_config: bool,
}
