//! The arguments of `bowline head`.
//!
//! **Invariant:** shape only; what an argument means is settled by the verb it belongs to.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is said of a branch.
#[derive(Debug, Subcommand)]
pub enum Head {
    /// Signs that the branch names its newest commit now, once that commit is verified
    Sign(SignHead),
}

/// Arguments of `head sign`.
#[derive(Debug, Args)]
pub struct SignHead {
    /// The repository: a mirror that was just fetched, or the one that is served
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: String,
    /// The root of trust by which the branch is verified
    #[arg(long, value_name = "FILE", default_value = "/etc/bowline/trust.yaml")]
    pub trust: PathBuf,
    /// A folder of this command's own, where it keeps how far it has verified: a branch that is rewound is
    /// not signed
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The key: Ed25519 or P-256 in PKCS #8 PEM, or an SSH key, or a .pub file whose private key the SSH
    /// agent holds
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Writes it to a file instead of to the notes; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "push")]
    pub out: Option<PathBuf>,
    /// Pushes the notes to a remote
    #[arg(long, value_name = "REMOTE")]
    pub push: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}
