//! The `bowline` program: arguments in, words out, an exit code.
//!
//! **Invariant:** nothing is decided here.

use std::env;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut stdout = io::stdout().lock();
    let mut stderr = io::stderr().lock();
    ExitCode::from(bowline_cli::run(env::args_os(), &mut stdout, &mut stderr))
}
