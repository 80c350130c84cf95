//! The arguments of verbs that have a word with the agent.
//!
//! **Invariant:** shape only; whatever changes something can be asked with `--dry-run` first.

use std::path::PathBuf;

use bowline_model::duration::Span;
use clap::Args;

/// Where the agent listens, and how to show what it says.
#[derive(Debug, Clone, Default, Args)]
pub struct Local {
    /// The agent's socket [default: /run/bowline/agent.sock]
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub socket: Option<PathBuf>,
    /// The agent's address.
    #[arg(long, value_name = "URL")]
    #[arg(help = "The agent's address, such as http://127.0.0.1:9470")]
    pub url: Option<String>,
    /// The agent's settings: it is sought where they have it listen
    #[arg(long, value_name = "FILE", conflicts_with_all = ["socket", "url"])]
    pub config: Option<PathBuf>,
    /// The agent's --root, when it has one
    #[arg(long, value_name = "DIR", requires = "config", default_value = "/")]
    pub root: PathBuf,
    /// Prints what the agent answered, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// How many records, newest first [default: 50]
    #[arg(long, value_name = "N")]
    pub limit: Option<u16>,
    /// Where the agent listens
    #[command(flatten)]
    pub local: Local,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The deployment's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where the agent listens
    #[command(flatten)]
    pub local: Local,
}

/// What every changing verb has.
#[derive(Debug, Args)]
pub struct Change {
    /// Shows what would happen, and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// A file with the token that changing calls at an address need
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where the agent listens
    #[command(flatten)]
    pub local: Local,
}

/// What every verb has that asks for a cycle.
#[derive(Debug, Args)]
pub struct Follow {
    /// Waits for the cycle's end, tells its phases, and exits as it ends
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// How long to wait, such as 10m
    #[arg(long, value_name = "SPAN", requires = "wait", default_value = "1h")]
    pub timeout: Span,
    /// How it is asked
    #[command(flatten)]
    pub change: Change,
}

/// Arguments of `pause`.
#[derive(Debug, Args)]
pub struct Pause {
    /// Why: shown in the status for as long as it lasts
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// For how long, such as 2h [default: until somebody resumes]
    #[arg(long = "for", value_name = "SPAN")]
    pub span: Option<Span>,
    /// How it is asked
    #[command(flatten)]
    pub change: Change,
}

/// Arguments of `revert`.
#[derive(Debug, Args)]
pub struct Revert {
    /// Why: kept with what is not tried again
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// How it is asked
    #[command(flatten)]
    pub follow: Follow,
}
