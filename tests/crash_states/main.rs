//! Takes every barrier of a real deployment out, one at a time, and shows what a power cut then breaks.
//!
//! `cargo crash-states` does so for a deployment that is kept, one that is taken back and a recovery;
//! `cargo crash-states -- commit|revert|recovery [BARRIER]` for one of them, and for the barriers
//! whose name begins so.
//!
//! **Invariant:** it succeeds only if nothing breaks with all barriers in place, and without one either
//! something does (red), or a reason is written down why nothing can (spare).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

use std::process::ExitCode;

use tests::crash::purpose::{Purpose, purpose_of};
use tests::crash::trial::{Findings, Journey, Trial};
use tests::strace;

/// Enough to tell what broke, and little enough for a line.
const WHY_MAX: usize = 130;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (journeys, wanted) = match words.as_slice() {
        [] => (Journey::ALL.to_vec(), ""),
        [journey] => (Journey::named(journey).into_iter().collect(), ""),
        [journey, barrier] => (Journey::named(journey).into_iter().collect(), barrier.as_str()),
        _ => (Vec::new(), ""),
    };
    if journeys.is_empty() {
        eprintln!("error: say nothing, or commit, revert or recovery and perhaps a barrier's name");
        return ExitCode::from(2);
    }
    if !strace::is_here() {
        eprintln!("error: nothing can be recorded without strace");
        return ExitCode::FAILURE;
    }
    println!(
        "| journey | barrier taken out | states | result | what breaks, or why nothing does |"
    );
    println!("|---|---|---|---|---|");
    let shown: Vec<Shown> = journeys.into_iter().flat_map(|it| show(it, wanted)).collect();
    let count = |shown_as| shown.iter().filter(|it| **it == shown_as).count();
    let [red, spare, surprises] = [Shown::Red, Shown::Spare, Shown::Surprise].map(count);
    println!("\n{red} barriers red, {spare} spare, {surprises} not as they are said to be");
    if surprises == 0 && red + spare > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What taking one barrier out showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Nothing breaks, and no barrier was taken out.
    Whole,
    /// Something breaks, as it should.
    Red,
    /// Nothing breaks, and that is said to be so.
    Spare,
    /// Anything else.
    Surprise,
}

/// Takes the barriers of one journey out, after none of them.
fn show(journey: Journey, wanted: &str) -> Vec<Shown> {
    let trial = Trial::record(journey);
    let whole = trial.explore();
    let mut shown = vec![match first_wrong(&whole) {
        None => told(journey, "none", &whole, (Shown::Whole, "green", "")),
        Some(why) => told(journey, "none", &whole, (Shown::Surprise, "RED", why)),
    }];
    for barrier in trial.barriers().into_iter().filter(|it| it.starts_with(wanted)) {
        shown.push(show_one(journey, barrier, &trial.explore_without(barrier)));
    }
    shown
}

fn show_one(journey: Journey, barrier: &str, found: &Findings) -> Shown {
    let shown = match (first_wrong(found), purpose_of(journey, barrier)) {
        (Some(why), Some(Purpose::Needed)) => (Shown::Red, "red", why),
        (None, Some(Purpose::Spare(why))) => (Shown::Spare, "spare", why),
        (Some(why), Some(Purpose::Spare(_))) => (Shown::Surprise, "RED, said to be spare", why),
        (Some(why), None) => (Shown::Surprise, "RED, in no table", why),
        (None, Some(Purpose::Needed)) => (Shown::Surprise, "GREEN, said to be needed", ""),
        (None, None) => (Shown::Surprise, "GREEN, in no table", ""),
    };
    told(journey, barrier, found, shown)
}

fn first_wrong(found: &Findings) -> Option<&str> {
    found.wrong.first().and_then(|it| it.lines().next())
}

/// Prints one line of the table.
fn told(journey: Journey, barrier: &str, found: &Findings, shown: (Shown, &str, &str)) -> Shown {
    let Findings { tried, derived, .. } = found;
    let (shown, result, why) = shown;
    let why: String = why.chars().take(WHY_MAX).collect();
    println!("| {} | {barrier} | {tried} of {derived} | {result} | {why} |", journey.name());
    shown
}
