//! The control service's binary.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use bowline_api::cause;
use bowline_control::arguments::Arguments;
use bowline_control::{desk, logs, serve, settings};
use clap::Parser as _;
use thiserror::Error;

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

/// Nobody heard what was done.
#[derive(Debug, Error)]
#[error("write to stdout what was done")]
struct Unheard(#[source] io::Error);

fn say(what: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{what}").and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = "it is done all the same; where it was a token, nobody has it and it ends by itself: \
                        make another";
            complain(&Unheard(error), hint, 1)
        }
    }
}

fn complain(error: &(dyn Error + 'static), hint: &str, code: u8) -> ExitCode {
    // Where stderr takes nothing either, the exit code is all that can be said.
    drop(write!(io::stderr(), "{}", cause::report(error, hint)));
    ExitCode::from(code)
}
