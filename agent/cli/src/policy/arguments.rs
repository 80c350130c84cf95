//! The arguments of `bowline policy`.
//!
//! **Invariant:** shape only; what an argument means is settled by the verb it belongs to.

use std::path::PathBuf;

use bowline_model::trust_root::{RefName, RepoUri};
use clap::{Args, Subcommand};
use jiff::Timestamp;

/// What is done with policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Writes a policy: who merges, who approves, until when
    New(New),
    /// Says what is wrong with a policy, and what a change of it grants and takes
    Check(Check),
    /// Adds signatures of root keys to a policy's policy.dsse.json
    Sign(Sign),
    /// Gives a principal a new key, and lets an old one end
    Rotate(Rotate),
    /// Shows who may merge, who approves, what gates ask for, and until when
    Show(Show),
}

/// Arguments of `policy new`.
#[derive(Debug, Args)]
pub struct New {
    /// The policy; nothing may stand there
    #[arg(value_name = "FILE", default_value = ".bowline/policy.yaml")]
    pub policy: PathBuf,
    /// A person and their public key, an SSH .pub file; may be repeated, also for one person
    #[arg(long = "person", value_name = "NAME=FILE", required = true, value_parser = named_file)]
    pub people: Vec<(String, PathBuf)>,
    /// Who may merge; may be repeated [default: every person]
    #[arg(long = "merger", value_name = "NAME")]
    pub mergers: Vec<String>,
    /// How many people approve a merge
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub approvals: u32,
    /// Whose approval counts; may be repeated [default: every person]
    #[arg(long = "approver", value_name = "NAME")]
    pub approvers: Vec<String>,
    /// An author's own approval counts as well
    #[arg(long)]
    pub include_authors: bool,
    /// In how many days it expires
    #[arg(long, value_name = "DAYS", default_value_t = 180, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
    /// The trust file whose repository and branch it is for
    #[arg(long, value_name = "FILE", conflicts_with_all = ["uri", "ref_name"], required_unless_present = "uri")]
    pub trust: Option<PathBuf>,
    /// The repository's name for itself in signed statements
    #[arg(long, value_name = "URI", value_parser = uri)]
    pub uri: Option<RepoUri>,
    /// The branch that hosts follow
    #[arg(long = "ref", value_name = "REF", default_value = "refs/heads/main", value_parser = ref_name)]
    pub ref_name: RefName,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The policy
    #[arg(value_name = "FILE", default_value = ".bowline/policy.yaml")]
    pub policy: PathBuf,
    /// The policy before it: a file, or a revision that has one [default: HEAD of its repository]
    #[arg(long, value_name = "FILE|REV")]
    pub against: Option<String>,
    /// The trust file of hosts that it is for
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Judges as if it were this time, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
    /// Exits with 1 for warnings as well
    #[arg(long)]
    pub strict: bool,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy sign`.
#[derive(Debug, Args)]
pub struct Sign {
    /// The policy
    #[arg(value_name = "FILE", default_value = ".bowline/policy.yaml")]
    pub policy: PathBuf,
    /// An SSH private key, or a .pub file whose private key the SSH agent holds; may be repeated
    #[arg(long = "key", value_name = "FILE", required_unless_present = "merge")]
    pub keys: Vec<PathBuf>,
    /// Another policy.dsse.json of the same policy, whose signatures are taken over; may be repeated
    #[arg(long, value_name = "FILE")]
    pub merge: Vec<PathBuf>,
    /// The trust file, to say which root keys have signed and which are missing
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The principal
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The new public key: an SSH .pub file, or a PEM file as openssl pkey -pubout writes it
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// The fingerprint of a key of theirs that ends
    #[arg(long, value_name = "FINGERPRINT", requires = "not_after")]
    pub retire: Option<String>,
    /// When it ends, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "RFC3339", requires = "retire")]
    pub not_after: Option<Timestamp>,
    /// The policy
    #[arg(long, value_name = "FILE", default_value = ".bowline/policy.yaml")]
    pub policy: PathBuf,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `policy show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The commit: a branch, a tag or an id
    #[arg(value_name = "REV", default_value = "HEAD")]
    pub rev: String,
    /// The repository
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub repo: String,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(file)))
        }
        _ => Err("write NAME=FILE, such as alice=alice.pub".to_owned()),
    }
}

fn uri(text: &str) -> Result<RepoUri, String> {
    RepoUri::try_from(text.to_owned())
}

fn ref_name(text: &str) -> Result<RefName, String> {
    RefName::try_from(text.to_owned())
}
