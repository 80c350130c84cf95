//! The operator's and CI's command: `bowline`.
//!
//! **Invariant:** data goes to stdout, everything else to stderr; colours are not used.
//! **Invariant:** nothing on the host is changed from here: changing verbs go to the agent's socket. A bundle that is
//! put where the agent looks is transport, as a push is; what a host remembers is forgotten here, by `trust reset`,
//! and only while no agent runs.

pub mod arguments;
pub mod failure;
pub mod screen;
mod keys;
mod signing_key;
mod revision;
pub mod init;
pub mod validate;
pub mod schema;
pub mod completions;
mod gates;
pub mod place;
pub mod verify;
pub mod gate;
pub mod evidence;
pub mod plan;
pub mod inspect;
mod root_signatures;
mod rotate;
pub mod root_word;
pub mod policy;
pub mod trust_reset;
pub mod attest;
pub mod bundle;
pub mod approve;
pub mod head;
pub mod local;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser as _;

use crate::arguments::{Arguments, Head, Trust, Verb};
use crate::failure::Failure;
use crate::screen::Screen;

/// Does what the arguments say, and gives the exit code.
///
/// 0: done or true; 1: refused or failed; 2: usage; 3: the host needs a person.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let mut screen = Screen::new(stdout, stderr);
    let code = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(&arguments.verb, &mut screen),
        Err(usage) => screen.usage(&usage),
    };
    match code.and_then(|code| screen.flush().map(|()| code)) {
        Ok(code) => code,
        Err(failure) => {
            let code = failure.exit_code();
            screen.failure(&failure);
            code
        }
    }
}

fn dispatch(verb: &Verb, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    match verb {
        Verb::Init(given) => init::init(given, screen),
        Verb::Validate(given) => validate::validate(given, screen),
        Verb::Completions(given) => completions::completions(given, screen),
        Verb::Schema(given) => schema::schema(given, screen),
        Verb::Verify(given) => verify::verify(given, screen),
        Verb::Approve(given) => approve::approve(given, screen),
        Verb::Head(Head::Sign(given)) => head::sign(given, screen),
        Verb::Gate(given) => gate::gate(given, screen),
        Verb::Evidence(given) => evidence::evidence(given, screen),
        Verb::Plan(given) => plan::plan(given, screen),
        Verb::Trust(Trust::Inspect(given)) => inspect::inspect(given, screen),
        Verb::Trust(Trust::Rotate(given)) => rotate::rotate(given, screen),
        Verb::Trust(Trust::Adopt(given)) => root_word::adopt(given, screen),
        Verb::Trust(Trust::Checkpoint(given)) => root_word::checkpoint(given, screen),
        Verb::Trust(Trust::Reset(given)) => trust_reset::reset(given, screen),
        Verb::Trust(Trust::SignPolicy(given)) => policy::sign(given, screen),
        Verb::Policy(verb) => policy::policy(verb, screen),
        Verb::Attest(verb) => attest::attest(verb, screen),
        Verb::Bundle(verb) => bundle::bundle(verb, screen),
        Verb::Status(given) => local::status(given, screen),
        Verb::History(given) => local::history(given, screen),
        Verb::Show(given) => local::show(given, screen),
        Verb::Sync(given) => local::order::sync(given, screen),
        Verb::Pause(given) => local::order::pause(given, screen),
        Verb::Resume(given) => local::order::resume(given, screen),
        Verb::Revert(given) => local::order::revert(given, screen),
        Verb::Retry(given) => local::order::retry(given, screen),
    }
}
