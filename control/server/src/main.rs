//! The control service's binary.

use std::error::Error;
use std::process::ExitCode;

use bowline_api::cause;
use bowline_control::arguments::Arguments;
use bowline_control::{desk, logs, serve, settings};
use clap::Parser as _;

/// Usage and configuration.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let Arguments { config, verb } = Arguments::parse();
    let settings = match settings::load(&config) {
        Ok(settings) => settings,
        Err(error) => {
            return complain(&error, "control/server/default.toml documents every setting", USAGE);
        }
    };
    if let Some(verb) = verb {
        return match desk::run(verb, &settings) {
            Ok(done) => say(&done),
            Err(error) => complain(&error, error.hint(), error.exit_code()),
        };
    }
    logs::start(settings.log);
    match serve::serve(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, error.hint(), error.exit_code()),
    }
}

#[allow(clippy::print_stdout, reason = "data goes to stdout")]
fn say(what: &str) -> ExitCode {
    println!("{what}");
    ExitCode::SUCCESS
}

#[allow(clippy::print_stderr, reason = "errors go to stderr")]
fn complain(error: &(dyn Error + 'static), hint: &str, code: u8) -> ExitCode {
    eprint!("{}", cause::report(error, hint));
    ExitCode::from(code)
}
