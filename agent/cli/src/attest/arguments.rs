//! The arguments of `bowline attest`.
//!
//! **Invariant:** a limit comes from a gate or from the command line, never from both.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

/// What is attested.
#[derive(Debug, Subcommand)]
pub enum Attest {
    /// What tests came to.
    #[command(about = "What tests came to, from JUnit XML")]
    Tests(Tests),
    /// How much of the code the tests reach, from Cobertura XML or LCOV
    Coverage(Coverage),
    /// How many findings linters came to, from SARIF
    Lint(Lint),
    /// What a vulnerability scan found, from the JSON of Trivy, Grype or OSV-Scanner
    Vulns(Vulns),
    /// Who built artifacts, and from which commit
    Provenance(Provenance),
    /// What a verifier made sure of, in short
    Summary(Summary),
    /// Carries what hosts signed of a revision to the hosts whose gates ask for it
    Receipts(Receipts),
}

/// Arguments of `attest receipts`.
#[derive(Debug, Args)]
pub struct Receipts {
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: String,
    /// The revision: a branch, a tag or an id [default: every one here that a receipt names]
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// A host's record log, a folder of its segments, or `-` for stdin; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    pub records: Vec<PathBuf>,
    /// Where the receipts go.
    #[command(flatten)]
    pub delivery: Delivery,
    /// Says in JSON what was carried
    #[arg(long)]
    pub json: bool,
}

/// What every kind of evidence needs.
#[derive(Debug, Args)]
pub struct Common {
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub repo: String,
    /// What was looked at: a branch, a tag or an id
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub rev: String,
    /// The private key that signs, Ed25519 or P-256, as `openssl genpkey` writes it
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The policy whose gate sets the limit [default: .bowline/policy.yaml of that revision]
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The gate [default: the one gate of this kind whose signers hold the key]
    #[arg(long, value_name = "ID")]
    pub gate: Option<String>,
    /// Where the evidence goes.
    #[command(flatten)]
    pub delivery: Delivery,
    /// What is written: a bare envelope, or a Sigstore bundle
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Dsse)]
    pub format: Format,
    /// Says in JSON what was measured
    #[arg(long)]
    pub json: bool,
}

/// Where the evidence goes; at least one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Delivery {
    /// Writes the evidence to a file; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Adds it to the notes of the commit and of its tree, in refs/notes/attestations
    #[arg(long)]
    pub note: bool,
    /// Adds it, and pushes the notes to this remote, merged with those of others
    #[arg(long, value_name = "REMOTE")]
    pub push: Option<String>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A DSSE envelope, one line of JSON
    Dsse,
    /// A Sigstore bundle v0.3 around it, one line of JSON
    Bundle,
}

/// Arguments of `attest tests`.
#[derive(Debug, Args)]
pub struct Tests {
    /// What every kind needs.
    #[command(flatten)]
    pub common: Common,
    /// How many tests must have passed [default: the gate's]
    #[arg(long, value_name = "N", conflicts_with = "gate")]
    pub min_passed: Option<u64>,
    /// Where the run can be looked at
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Reports.
    #[arg(value_name = "REPORT", required = true, help = "Reports in JUnit XML")]
    pub reports: Vec<PathBuf>,
}

/// Arguments of `attest coverage`.
#[derive(Debug, Args)]
pub struct Coverage {
    /// What every kind needs.
    #[command(flatten)]
    pub common: Common,
    /// The least share in per cent [default: the gate's]
    #[arg(long, value_name = "PERCENT", conflicts_with = "gate")]
    pub min: Option<f64>,
    /// What is counted
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Counted::Lines)]
    pub of: Counted,
    /// Reports in Cobertura XML or LCOV; their counts are added
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Counted {
    /// Lines: `LINE_COVERAGE`
    Lines,
    /// Branches: `BRANCH_COVERAGE`
    Branches,
}

/// Arguments of `attest lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// What every kind needs.
    #[command(flatten)]
    pub common: Common,
    /// How many findings are let through [default: the gate's]
    #[arg(long, value_name = "N", conflicts_with = "gate")]
    pub max: Option<u32>,
    /// The mildest findings that count against it
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Mildest::Warnings)]
    pub mildest: Mildest,
    /// What the number is called in evidence
    #[arg(long, value_name = "NAME", default_value = "LINT_FINDINGS")]
    pub attribute: String,
    /// Reports in SARIF 2.1.0; their findings are added
    #[arg(value_name = "REPORT", required = true)]
    pub reports: Vec<PathBuf>,
}

/// The mildest findings that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mildest {
    /// Errors alone
    Errors,
    /// Errors and warnings
    Warnings,
    /// All of them
    Notes,
}

/// Arguments of `attest vulns`.
#[derive(Debug, Args)]
pub struct Vulns {
    /// What every kind needs.
    #[command(flatten)]
    pub common: Common,
    /// The highest CVSS score that is let through [default: the gate's]
    #[arg(long, value_name = "SCORE", conflicts_with = "gate")]
    pub max_score: Option<f64>,
    /// A finding that is let through; may be repeated
    #[arg(long, value_name = "ID", requires = "max_score")]
    pub allow: Vec<String>,
    /// What `trivy version --format json` prints: Trivy's reports do not tell their database
    #[arg(long, value_name = "FILE")]
    pub trivy_version: Option<PathBuf>,
    /// When the scanner's database was updated, where its report does not say
    #[arg(long, value_name = "RFC3339")]
    pub db_updated: Option<Timestamp>,
    /// When the scan ended, where its report does not say
    #[arg(long, value_name = "RFC3339")]
    pub scanned: Option<Timestamp>,
    /// The report: JSON of Trivy, Grype or OSV-Scanner
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,
}

/// Arguments of `attest provenance`.
#[derive(Debug, Args)]
pub struct Provenance {
    /// What every kind needs.
    #[command(flatten)]
    pub common: Common,
    /// The builder's id, a URI
    #[arg(long, value_name = "URI")]
    pub builder: String,
    /// What kind of build it is, a URI that says what its parameters mean
    #[arg(long, value_name = "URI")]
    pub build_type: String,
    /// The repository that was built [default: the policy's repoUri]
    #[arg(long, value_name = "URI")]
    pub source: Option<String>,
    /// What the build was asked for; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// The run, as its builder names it
    #[arg(long, value_name = "ID")]
    pub invocation: Option<String>,
    /// When the build began
    #[arg(long, value_name = "RFC3339")]
    pub started: Option<Timestamp>,
    /// When the build ended [default: now]
    #[arg(long, value_name = "RFC3339")]
    pub finished: Option<Timestamp>,
    /// Asks no gate whether it knows this builder
    #[arg(long, conflicts_with = "gate")]
    pub any_gate: bool,
    /// The files that were built
    #[arg(value_name = "ARTIFACT", required = true)]
    pub artifacts: Vec<PathBuf>,
}

/// Arguments of `attest summary`.
#[derive(Debug, Args)]
pub struct Summary {
    /// What every kind needs.
    #[command(flatten)]
    pub common: Common,
    /// The verifier's id, a URI
    #[arg(long, value_name = "URI")]
    pub verifier: String,
    /// A level that was verified, such as `SLSA_SOURCE_LEVEL_3`; may be repeated
    #[arg(long = "level", value_name = "LEVEL", required = true)]
    pub levels: Vec<String>,
    /// Asks no gate whether it knows this verifier
    #[arg(long, conflicts_with = "gate")]
    pub any_gate: bool,
    /// Evidence that was verified
    #[arg(value_name = "EVIDENCE")]
    pub inputs: Vec<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
