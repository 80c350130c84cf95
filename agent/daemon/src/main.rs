//! The agent's binary: arguments, settings, logs, and then the loop.
#![allow(clippy::disallowed_methods, reason = "the environment is read here, once")]

use std::ffi::OsString;
use std::process::ExitCode;

use bowline_agent::arguments::Arguments;
use bowline_agent::serve::Ended;
use bowline_agent::{compose, logs, serve};
use bowline_host::door::guardian;
use bowline_host::settings;
use clap::Parser as _;

/// Usage and configuration.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [word, parent, argv @ ..] = words.as_slice()
        && word == guardian::WORD
    {
        let parent = parent.to_str().and_then(|it| it.parse().ok()).unwrap_or_default();
        return ExitCode::from(guardian::become_program(parent, argv));
    }
    guardian::enable();
    let arguments = Arguments::parse();
    let settings = match settings::load(&arguments.config, &arguments.root) {
        Ok(settings) => settings,
        Err(error) => return complain(&error, USAGE),
    };
    logs::start(settings.log, std::env::var_os("JOURNAL_STREAM").is_some());
    if arguments.check_config {
        return match compose::check(&settings) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => complain(&error, USAGE),
        };
    }
    let ended = if arguments.once { serve::once(settings) } else { serve::always(settings) };
    match ended {
        Ok(Ended::Stopped) => ExitCode::SUCCESS,
        Ok(Ended::Cycle(_)) if !arguments.once => ExitCode::SUCCESS,
        Ok(Ended::Cycle(cycle)) => {
            show(&cycle, arguments.json);
            ExitCode::from(cycle.outcome.exit_code())
        }
        Err(error) => complain(&error, error.exit_code()),
    }
}

#[allow(clippy::print_stdout, reason = "data goes to stdout")]
fn show(cycle: &bowline_api::cycle::Cycle, as_json: bool) {
    if as_json {
        println!("{}", serde_json::to_string(cycle).unwrap_or_default());
        return;
    }
    let revision = cycle.revision.as_deref().unwrap_or("-");
    println!("{} {revision} {}", cycle.outcome, cycle.detail);
    for step in &cycle.steps {
        println!("  {} {} {}", step.action, step.resource, step.path.as_deref().unwrap_or(""));
    }
}

#[allow(clippy::print_stderr, reason = "errors go to stderr")]
fn complain(error: &(dyn std::error::Error + 'static), code: u8) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    // Eight causes are more than any error here has; a longer chain is a circle.
    for _ in 0..8 {
        let Some(it) = cause else { break };
        eprintln!("caused by: {it}");
        cause = it.source();
    }
    ExitCode::from(code)
}
