//! The arguments of `bowline trust adopt` and `bowline trust checkpoint`.
//!
//! **Invariant:** shape only; what an argument means is settled by the verb it belongs to.

use std::path::PathBuf;

use bowline_model::duration::Span;
use clap::Args;

/// Arguments of `trust adopt`.
#[derive(Debug, Args)]
pub struct Adopt {
    /// The commits: FROM..TO, those after FROM up to TO by first parents, or one alone
    #[arg(value_name = "FROM..TO")]
    pub range: String,
    /// Why, in one line; it stands in every record of what comes by them
    #[arg(long, value_name = "TEXT", required_unless_present = "with", conflicts_with = "with")]
    pub reason: Option<String>,
    /// How long hosts that did not come past them may use it, 90d at most
    #[arg(long = "for", value_name = "SPAN", default_value = "30d", conflicts_with = "with")]
    pub lasting: Span,
    /// Who signs it, and where it goes
    #[command(flatten)]
    pub word: Word,
}

/// Arguments of `trust checkpoint`.
#[derive(Debug, Args)]
pub struct Checkpoint {
    /// The commit: a branch, a tag or an id
    #[arg(value_name = "REV")]
    pub rev: String,
    /// Who signs it, and where it goes
    #[command(flatten)]
    pub word: Word,
}

/// Who signs, and where it goes.
#[derive(Debug, Args)]
pub struct Word {
    /// The repository, with a work tree or without
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: String,
    /// An SSH private key of the root, or a .pub file whose private key the SSH agent holds; may be repeated
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// What others signed with --out: adds signatures to the same words
    #[arg(long, value_name = "FILE")]
    pub with: Option<PathBuf>,
    /// The trust file, to say which root keys have signed and which are missing
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Writes it to a file instead of to the notes, for others to sign as well; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "push")]
    pub out: Option<PathBuf>,
    /// Pushes the notes to a remote
    #[arg(long, value_name = "REMOTE")]
    pub push: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}
