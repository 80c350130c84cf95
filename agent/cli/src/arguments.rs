//! The arguments of `bowline`.
//!
//! **Invariant:** shape only; what an argument means is settled by the verb it belongs to.

use std::path::PathBuf;

use bowline_model::duration::Span;
use bowline_model::trust_root::RefName;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use jiff::Timestamp;

pub use crate::attest::arguments::Attest;
pub use crate::bundle::arguments::Bundle;
pub use crate::head::arguments::{Head, SignHead};
pub use crate::local::arguments::{Change, Follow, History, Local, Pause, Revert, Show};
use crate::place::Place;
use crate::policy::arguments::{Policy, Sign};
pub use crate::root_word::arguments::{Adopt, Checkpoint};

/// Keeps hosts as their signed repository says.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done or true; 1 refused, pending, reverted or failed; 2 usage; \
                        3 the host needs a person."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Makes a signed repository, and a trust file and agent settings for its first host
    Init(Init),
    /// Checks manifests, and names every fault with file, line and column
    Validate(Validate),
    /// Prints the JSON Schema of one kind of manifest, or of all
    Schema(Schema),
    /// Says whether a host with this trust file would accept a repository
    Verify(Verify),
    /// Approves a change: what merging a commit would change, or did
    Approve(Approve),
    /// Vouches that a branch's newest commit is the newest
    #[command(subcommand)]
    Head(Head),
    /// Says what a host would say of a commit's gates, before it is merged
    Gate(Gate),
    /// Writes what this host has of one revision into an archive that public tools verify
    Evidence(Evidence),
    /// Shows what the agent would do on this host; touches nothing
    Plan(Plan),
    /// Looks at signatures, and at what this host trusts
    #[command(subcommand)]
    Trust(Trust),
    /// Writes, checks, signs and shows policies
    #[command(subcommand)]
    Policy(Policy),
    /// Signs what CI found out about a revision, so that gates on hosts can count it
    #[command(subcommand)]
    Attest(Attest),
    /// Carries a branch and its evidence to hosts without a network
    #[command(subcommand)]
    Bundle(Bundle),
    /// Shows how the agent on this host stands
    Status(Local),
    /// Lists what happened on this host, newest first
    History(History),
    /// Shows one deployment's record
    Show(Show),
    /// Asks the agent for a cycle now
    Sync(Follow),
    /// Holds deployments and repairs until somebody resumes
    Pause(Pause),
    /// Ends the pause, and looks at what waited
    Resume(Change),
    /// Goes back to the generation before
    Revert(Revert),
    /// Tries once more what failed or was reverted
    Retry(Follow),
    /// Prints what a shell needs to complete this command
    Completions(Completions),
}

/// What is done with signatures.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Says what the signature of one commit or tag is worth, given a list of keys
    Inspect(Inspect),
    /// Puts other root keys in the place of those in force, once enough of both have signed
    Rotate(Rotate),
    /// Lets commits that hosts refuse for their signer stay on the branch, by the root's word
    Adopt(Adopt),
    /// Vouches for a commit and all below it: new hosts begin there
    Checkpoint(Checkpoint),
    /// Forgets how far this host has verified: the way out once its memory was tampered with
    Reset(Reset),
    /// Adds signatures of root keys to a policy's policy.dsse.json: `policy sign`, as it was called
    #[command(hide = true)]
    SignPolicy(Sign),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The new repository's folder; it must be empty or not exist
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// An SSH private key, or a .pub file whose private key the SSH agent holds; may be repeated.
    /// Every key may merge, and with one or two keys all sign every policy; the first one signs the
    /// first commit
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// The repository's name for itself in signed statements [default: git+file:// and the folder]
    #[arg(long, value_name = "URI")]
    pub uri: Option<String>,
    /// The branch that hosts follow
    #[arg(long = "ref", value_name = "REF", default_value = "refs/heads/main", value_parser = ref_name)]
    pub ref_name: RefName,
    /// Where the trust file goes [default: DIR.trust.yaml]
    #[arg(long, value_name = "FILE")]
    pub trust_out: Option<PathBuf>,
    /// Where the agent's settings go [default: DIR.agent.toml]
    #[arg(long, value_name = "FILE")]
    pub agent_out: Option<PathBuf>,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Files, folders with manifests, or repositories (folders with bowline.yaml)
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Exits with 1 for warnings as well
    #[arg(long)]
    pub strict: bool,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// The kind, such as File; all of them when left out
    #[arg(value_name = "KIND")]
    pub kind: Option<String>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The repository
    #[arg(long, value_name = "PATH")]
    pub repo: String,
    /// The host's root of trust
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
    /// A host's state folder: how far it has verified counts as it does there
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// For which host.
    #[command(flatten)]
    pub place: Place,
    /// Judges as if it were this time, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// What is to be merged, or was: a branch, a tag or the id of a commit
    #[arg(value_name = "REV")]
    pub rev: String,
    /// The repository, with a work tree or without
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: String,
    /// Where it is to be merged [default: the policy's branch, as origin has it or as it is here]
    #[arg(long, value_name = "REV")]
    pub onto: Option<String>,
    /// An SSH private key, or a .pub file whose private key the SSH agent holds
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// How long it counts: 90d at most, and 7d in an emergency [default: 14d, in an emergency 1d]
    #[arg(long = "for", value_name = "SPAN")]
    pub lasting: Option<Span>,
    /// Says as somebody on call that the gates of emergency.skips must not hold this change up, and why; it
    /// approves nothing
    #[arg(long, value_name = "REASON")]
    pub emergency: Option<String>,
    /// Writes it to a file instead of to the notes; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "push")]
    pub out: Option<PathBuf>,
    /// Pushes the notes to a remote
    #[arg(long, value_name = "REMOTE")]
    pub push: Option<String>,
}

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub struct Gate {
    /// The repository
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub repo: String,
    /// The commit: a branch, a tag or an id
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub rev: String,
    /// For which host.
    #[command(flatten)]
    pub place: Place,
    /// A trust file: whether root keys signed the policy is looked at too
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Judges as if it were this time, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "RFC3339")]
    pub at: Option<Timestamp>,
    /// Prints Markdown, for a comment on the proposal
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `evidence`.
#[derive(Debug, Args)]
pub struct Evidence {
    /// A commit, such as main~1 or an id, or the id of a deployment
    #[arg(value_name = "REV")]
    pub rev: String,
    /// The agent's settings
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The folder under which everything managed lies
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// The archive: tar, uncompressed
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The agent's settings
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The folder under which everything managed lies
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Plans this commit instead of the newest: a branch, a tag or an id
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trust inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A file with a raw commit or tag; with --repo a branch, a tag or an id
    #[arg(value_name = "FILE|REV")]
    pub what: String,
    /// The repository that holds it
    #[arg(long, value_name = "PATH")]
    pub repo: Option<String>,
    /// Public keys.
    #[arg(long, value_name = "FILE")]
    #[arg(help = "Public keys: .pub, allowed_signers or armoured OpenPGP [default: root keys]")]
    pub keys: Option<PathBuf>,
    /// Keys that were taken back: a public key, or a fingerprint, in a line
    #[arg(long, value_name = "FILE")]
    pub revoked: Option<PathBuf>,
    /// A trust file, whose root keys count when no others are named [default: the installed one]
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    pub trust: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trust rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The new root as trust files have it under `root`: version, threshold and keys
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// An SSH private key of the root in force or of the new one, or a .pub file whose private key the
    /// SSH agent holds; may be repeated
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// The file of roots; the policy beside it names the repository
    #[arg(value_name = "FILE", default_value = ".bowline/root.jsonl")]
    pub file: PathBuf,
    /// The trust file, to say who of its root keys has signed a root that takes their place
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trust reset`.
#[derive(Debug, Args)]
pub struct Reset {
    /// The agent's settings
    #[arg(long, value_name = "FILE", default_value = "/etc/bowline/agent.toml")]
    pub config: PathBuf,
    /// The folder under which everything managed lies
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Why; it stands in the host's records
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Does it; without it only what would be forgotten is shown
    #[arg(long, requires = "reason")]
    pub yes: bool,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

fn ref_name(text: &str) -> Result<RefName, String> {
    RefName::try_from(text.to_owned())
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
