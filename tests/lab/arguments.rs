//! What the lab is told on its command line.
//!
//! **Invariant:** the hidden part is what the lab starts of itself inside its namespaces.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::place::Afterwards;

/// Hosts that are booted at most: each has an address of its own, and its journal on this disk.
const HOSTS_MAX: i64 = 32;

/// Hosts with a real systemd in namespaces of this machine; needs root
#[derive(Debug, Parser)]
#[command(name = "cargo lab --", max_term_width = 100)]
pub(crate) struct Arguments {
    /// What is played.
    #[command(subcommand)]
    pub(crate) part: Part,
}

/// What is played.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Runs every check on a fleet; exit code 1 when one does not hold
    Fleet(Course),
    /// Keeps hosts, a hub and the board up until Ctrl-C
    Board(Exhibition),
    /// Runs a command on a host of a lab that is up
    On {
        /// The host's name, such as web-1 or hub
        host: String,
        /// The command, as typed on the host
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// What runs inside the namespaces
    #[command(hide = true)]
    Inside(Ground),
}

/// How a fleet is played.
#[derive(Debug, Clone, Args)]
pub(crate) struct Course {
    /// How many hosts
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u8).range(1..=HOSTS_MAX))]
    pub(crate) hosts: u8,
    /// Keeps the hosts' disks and journals
    #[arg(long)]
    pub(crate) keep: bool,
}

/// How the board is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct Exhibition {
    /// How many hosts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=HOSTS_MAX))]
    pub(crate) hosts: u8,
    /// Where the board is; off loopback nobody can log in: browsers keep the session's cookie over TLS only
    #[arg(long, default_value = "127.0.0.1:9480")]
    pub(crate) listen: SocketAddr,
}

impl Course {
    /// What becomes of the folder at the end.
    pub(crate) fn afterwards(&self) -> Afterwards {
        if self.keep { Afterwards::Kept } else { Afterwards::Removed }
    }
}

/// What the inner process stands on.
#[derive(Debug, Clone, Args)]
pub(crate) struct Ground {
    /// Where everything lies
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// The root file system that all hosts share
    #[arg(long)]
    pub(crate) image: PathBuf,
    /// The name of the lab's control group
    #[arg(long)]
    pub(crate) group: String,
    /// How many hosts
    #[arg(long)]
    pub(crate) hosts: u8,
    /// Shows a board that is at this address outside; plays the suites when it is left out
    #[arg(long)]
    pub(crate) board: Option<SocketAddr>,
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
