//! Power cuts in the middle of a real deployment, and what each barrier is good for.
//!
//! `cargo crash-states -- commit|revert|recovery` records the agent's system calls, derives the states
//! that a power cut may leave, lets the real agent recover from each, and judges the result. With a
//! second word it takes out, one at a time, every barrier whose name contains that word.
//!
//! **Invariant:** a state after which the host is neither old nor new makes the command fail.

use std::process::ExitCode;

use tests::crash::trial::{Findings, Journey, Trial};
use tests::strace;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let journey = match words.next().as_deref() {
        Some("commit") => Journey::Commit,
        Some("revert") => Journey::Revert,
        Some("recovery") => Journey::Recovery,
        _ => {
            eprintln!("error: say commit, revert or recovery, and perhaps a barrier's name");
            return ExitCode::from(2);
        }
    };
    if !strace::is_here() {
        return ExitCode::FAILURE;
    }
    let trial = Trial::record(journey);
    let found = trial.explore();
    println!("{} of {} states tried, {} wrong", found.tried, found.derived, found.wrong.len());
    for wrong in found.wrong.iter().take(10) {
        println!("  {wrong}");
    }
    if let Some(word) = words.next() {
        for (name, without) in trial.explore_without(|it| it.contains(&word)) {
            show(&name, &without);
        }
    }
    if found.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is wrong when one barrier is not there.
fn show(name: &str, found: &Findings) {
    let red = if found.wrong.is_empty() { "green" } else { "red" };
    println!("without {name}: {red}, {} of {} states", found.wrong.len(), found.tried);
}
