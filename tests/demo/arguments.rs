//! What the demo is told on its command line.
//!
//! **Invariant:** the hidden parts are what the demo starts of itself: the shop, and the stand-in for
//! systemd.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::place::Afterwards;

/// Shows Bowline at work on a throw-away host: no root, no network, no systemd.
#[derive(Debug, Parser)]
#[command(name = "cargo demo --", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Ends after the last chapter instead of staying up
    #[arg(long)]
    pub(crate) exit: bool,
    /// Keeps the folder with repository, host and logs
    #[arg(long)]
    pub(crate) keep: bool,
    /// A part that the demo plays besides.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// A part that the demo plays besides.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// The application that is deployed
    #[command(hide = true)]
    App {
        /// Its configuration, read once
        #[arg(long)]
        config: PathBuf,
        /// Where it listens
        #[arg(long)]
        listen: SocketAddr,
    },
    /// The service manager, as the agent calls it
    #[command(hide = true)]
    Service {
        /// Where the demo listens
        #[arg(long)]
        socket: PathBuf,
        /// What to do
        action: String,
        /// With which unit
        unit: String,
    },
}

impl Arguments {
    /// What becomes of the folder at the end.
    pub(crate) fn place_afterwards(&self) -> Afterwards {
        if self.keep { Afterwards::Kept } else { Afterwards::Removed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
