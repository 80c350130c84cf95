//! The power goes in the middle of a real deployment, and takes what no barrier had covered.
//!
//! How many states are tried is bounded by `STATES_MAX` and `STATES_WITHOUT_MAX` of the harness; a
//! fixed seed says which. The barriers that are spare are taken out by `cargo crash-states` only.
//!
//! **Invariant:** with every barrier in place, no state that a power cut may leave breaks a promise.
//! **Invariant:** without a barrier that is said to be needed, one does.

use tests::crash::purpose::{Purpose, purpose_of};
use tests::crash::trial::{Journey, Trial};
use tests::strace;

/// Fewer states mean that the recording holds less than a whole deployment.
const DERIVED_MIN: usize = 300;

/// Fewer barriers likewise.
const NEEDED_MIN: usize = 15;

/// Records a journey, and lets the real agent recover from what a power cut may leave of it.
fn cut_everywhere(journey: Journey) {
    if !strace::is_here() {
        return;
    }
    let trial = Trial::record(journey);
    let found = trial.explore();
    println!("{}: {} of {} states tried", journey.name(), found.tried, found.derived);
    let first: Vec<_> = found.wrong.iter().take(10).map(String::as_str).collect();
    assert!(first.is_empty(), "{} are wrong:\n{}", found.wrong.len(), first.join("\n"));
    assert!(found.derived >= DERIVED_MIN, "only {} states were derived", found.derived);
    let mut needed = 0;
    for barrier in trial.barriers() {
        let purpose = purpose_of(journey, barrier);
        let purpose = purpose.unwrap_or_else(|| panic!("nobody says what {barrier:?} is for"));
        if purpose == Purpose::Needed {
            let without = trial.explore_without(barrier);
            assert!(!without.wrong.is_empty(), "nothing breaks without {barrier:?}");
            needed += 1;
        }
    }
    println!("{}: {needed} barriers are needed", journey.name());
    assert!(needed >= NEEDED_MIN, "only {needed} barriers are needed");
}

#[test]
fn fault_30_a_deployment_that_is_kept_survives_every_power_cut_by_each_of_its_barriers() {
    cut_everywhere(Journey::Commit);
}

#[test]
fn fault_30_a_deployment_that_is_taken_back_survives_every_power_cut_by_each_of_its_barriers() {
    cut_everywhere(Journey::Revert);
}

#[test]
fn fault_30_a_release_that_is_fetched_and_deployed_survives_every_power_cut() {
    if !strace::is_here() {
        return;
    }
    let trial = Trial::record(Journey::Release);
    let found = trial.explore();
    println!("release: {} of {} states tried", found.tried, found.derived);
    let first: Vec<_> = found.wrong.iter().take(10).map(String::as_str).collect();
    assert!(first.is_empty(), "{} are wrong:\n{}", found.wrong.len(), first.join("\n"));
    assert!(found.derived >= DERIVED_MIN, "only {} states were derived", found.derived);
    // What is fetched has none of its own: it may be lost.
    for barrier in trial.barriers() {
        assert!(!barrier.contains("cache"), "{barrier}");
        let purpose = purpose_of(Journey::Release, barrier);
        assert!(purpose.is_some(), "nobody says what {barrier:?} is for");
    }
}

#[test]
fn fault_30_a_recovery_survives_every_power_cut_by_each_of_its_barriers() {
    cut_everywhere(Journey::Recovery);
}
