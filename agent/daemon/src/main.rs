//! The agent's binary: arguments, settings, logs, and then the loop.
#![allow(clippy::disallowed_methods, reason = "the environment is read here, once")]

use std::ffi::OsString;
use std::process::ExitCode;

use bowline_agent::arguments::{self, Arguments, Wanted};
use bowline_agent::cannot_start::CannotStart;
use bowline_agent::herald::Summons;
use bowline_agent::reload::Loaded;
use bowline_agent::serve::{Ended, Fell};
use bowline_agent::signals::Signals;
use bowline_agent::{check, logs, reload, said, serve};
use bowline_api::cause;
use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_host::door::guardian;
use bowline_host::failure::chain;
use bowline_host::repository::unpack;

/// Usage and configuration.
const USAGE: u8 = 2;

/// Where a person finds what settings may say.
const SETTINGS_HINT: &str = "packaging/default.toml documents every setting";

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [word, parent, argv @ ..] = words.as_slice()
        && word == guardian::WORD
    {
        let parent = parent.to_str().and_then(|it| it.parse().ok()).unwrap_or_default();
        return ExitCode::from(guardian::become_program(parent, argv));
    }
    if let [word, task] = words.as_slice()
        && word == unpack::WORD
    {
        return ExitCode::from(unpack::serve(task));
    }
    guardian::enable();
    let arguments = match arguments::read(words) {
        Ok(Wanted::Work(arguments)) => arguments,
        Ok(Wanted::Words(text)) => return ExitCode::from(said::say(&text, 0)),
        Err(error) => {
            return complain(&error, "bowline-agent --help lists what can be said", USAGE);
        }
    };
    // A check leaves nothing half done, so a signal ends it at once: nobody would listen for it.
    if arguments.check_config {
        return judge(&arguments);
    }
    let signals = match Signals::hear() {
        Ok(signals) => signals,
        Err(error) => return complain(&error, "", 1),
    };
    let loaded = match reload::load(&arguments.config, &arguments.root) {
        Ok(loaded) => loaded,
        Err(error) => return complain(&error, SETTINGS_HINT, USAGE),
    };
    start_logs(&loaded);
    let ended = if arguments.once {
        serve::once(loaded, signals)
    } else {
        serve::always(loaded, signals, &summons())
    };
    match ended {
        Ok(_) if !arguments.once => ExitCode::SUCCESS,
        Ok(Ended::Stopped) => show(&interrupted(), arguments.json),
        Ok(Ended::Cycle(cycle)) => show(&cycle, arguments.json),
        Err(error) => {
            if let (Fell::Start(error), true) = (&error, arguments.json)
                && let Some(cycle) = not_begun(error)
            {
                let _: ExitCode = show(&cycle, true);
            }
            complain(&error, error.hint(), error.exit_code())
        }
    }
}

/// Says whether the agent could work with its settings.
fn judge(arguments: &Arguments) -> ExitCode {
    let loaded = match reload::load(&arguments.config, &arguments.root) {
        Ok(loaded) => loaded,
        Err(error) => return complain(&error, SETTINGS_HINT, USAGE),
    };
    start_logs(&loaded);
    match check::check(&loaded.settings) {
        Ok(files) => {
            let lines = files.join("\n") + "\n";
            ExitCode::from(said::say(&lines, 0))
        }
        Err(error) => complain(&error, error.hint(), USAGE),
    }
}

fn show(cycle: &Cycle, as_json: bool) -> ExitCode {
    ExitCode::from(said::say(&said::of_cycle(cycle, as_json), cycle.outcome.exit_code()))
}

fn start_logs(loaded: &Loaded) {
    logs::start(loaded.settings.log, std::env::var_os("JOURNAL_STREAM").is_some());
}

/// What the service manager left in the environment.
fn summons() -> Summons {
    Summons {
        socket: std::env::var_os("NOTIFY_SOCKET"),
        watchdog: std::env::var_os("WATCHDOG_USEC"),
        watchdog_pid: std::env::var_os("WATCHDOG_PID"),
    }
}

/// A cycle that was asked to stop before its end: the next one takes back what it began.
fn interrupted() -> Cycle {
    let detail = "asked to stop before the cycle's end; the next start takes back what was begun";
    Cycle::plain(Outcome::Failed, ("Stopped", "stopped", detail))
}

/// A cycle that could not begin, for whoever reads JSON; none after a refusal of the system, which may
/// be a disk's: then nothing is written but the words on stderr.
fn not_begun(error: &CannotStart) -> Option<Cycle> {
    let (outcome, code) = match error {
        CannotStart::Damaged { .. } => (Outcome::Stranded, "state-mismatch"),
        CannotStart::Settings(_) => (Outcome::Failed, ""),
        CannotStart::Open { .. } => return None,
    };
    Some(Cycle::plain(outcome, ("NotBegun", code, &chain(error))))
}

#[allow(clippy::print_stderr, reason = "errors go to stderr")]
fn complain(error: &(dyn std::error::Error + 'static), hint: &str, code: u8) -> ExitCode {
    eprint!("{}", cause::report(error, hint));
    ExitCode::from(code)
}
