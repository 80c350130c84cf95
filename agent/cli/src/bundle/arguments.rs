//! The arguments of `bowline bundle`.
//!
//! **Invariant:** shape only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is done with bundles.
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Writes a branch and its evidence to one file, to be carried to hosts without a network
    Create(Create),
    /// Puts a bundle where this host's settings have its agent look
    Import(Import),
}

/// Arguments of `bundle create`.
#[derive(Debug, Args)]
pub struct Create {
    /// The file to write
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// The branch
    #[arg(long = "ref", value_name = "REF", default_value = "refs/heads/main")]
    pub ref_name: String,
    /// Leaves out what hosts have already: all below this commit
    #[arg(long, value_name = "REV")]
    pub since: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bundle import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The agent's settings
    #[arg(long, value_name = "FILE", default_value = "/etc/bowline/agent.toml")]
    pub config: PathBuf,
    /// The agent's --root, when it has one
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}
