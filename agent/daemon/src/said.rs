//! What the agent's program prints: how a cycle ended, and other answers.
//!
//! **Invariant:** data goes to stdout; what cannot be written there is told on stderr, and is never a success.
#![allow(clippy::print_stderr, reason = "errors go to stderr")]

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use bowline_api::cycle::Cycle;
use bowline_api::hint;

/// What a program exits with whose answer nobody got.
const UNHEARD: u8 = 1;

/// Prints an answer, and gives the exit code: this one, unless it is a success that nobody was told of.
#[must_use]
pub fn say(text: &str, code: u8) -> u8 {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        Err(error) => {
            // Where that cannot be written either, the exit code is all that is left.
            drop(writeln!(io::stderr(), "error: write to standard output: {error}"));
            if code == 0 { UNHEARD } else { code }
        }
    }
}

/// A cycle, for programs or for people.
pub fn of_cycle(cycle: &Cycle, as_json: bool) -> String {
    if as_json {
        return format!("{}\n", serde_json::to_string(cycle).unwrap_or_default());
    }
    let revision = cycle.revision.as_deref().unwrap_or("-");
    let mut text = format!("{} {revision} {}\n", cycle.outcome, cycle.detail);
    for step in &cycle.steps {
        let path = step.path.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        line(&mut text, &step.action, &format!("{}{path}", step.resource));
    }
    for warning in &cycle.warnings {
        line(&mut text, "warning:", warning);
    }
    if !cycle.code.is_empty() {
        line(&mut text, "code:", &cycle.code);
    }
    if let Some(commit) = &cycle.commit {
        line(&mut text, "commit:", commit);
    }
    if let Some(hint) = hint::of(&cycle.code) {
        line(&mut text, "hint:", hint);
    }
    text
}

fn line(text: &mut String, word: &str, rest: &str) {
    // A string takes whatever is written.
    let _: fmt::Result = writeln!(text, "  {word} {rest}");
}
