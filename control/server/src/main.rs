//! The control service's binary.

use std::process::ExitCode;

use clap::Parser;

/// Ties ticket, change, rollout, incident and audit log together.
#[derive(Debug, Parser)]
#[command(name = "bowline-control", version, about)]
struct Arguments {
    /// The settings file.
    #[arg(long, value_name = "FILE")]
    config: std::path::PathBuf,
}

#[allow(clippy::print_stderr, reason = "errors go to stderr")]
fn main() -> ExitCode {
    let Arguments { config } = Arguments::parse();
    eprintln!("error: {} cannot be served", config.display());
    eprintln!("caused by: {}", bowline_control::NOT_YET);
    ExitCode::from(2)
}
