//! What is offered to one host alone, with a fault at every effect.
//!
//! **Invariant:** however a test ends, the host stands as the committed generation says, and nothing is left.

use bowline_api::outcome::Outcome;
use tests::history::live;
use tests::invariants;
use tests::sim_host::{Fault, SimHost};

use crate::world::{first, second, settled, third};

const KINDS: [Fault; 5] = [
    Fault::Fails,
    Fault::DarkBefore,
    Fault::DarkAmid(0b0101),
    Fault::DarkAmid(0b1010),
    Fault::DarkAfter,
];

/// A host to which the second revision is offered, and that looked twice.
fn tried(faults: Vec<(usize, Fault)>, healthy: bool) -> SimHost {
    let mut host = settled();
    host.village.offer(&second(), 1);
    host.probes = vec![healthy];
    host.faults = faults;
    host.effects = 0;
    live(&mut host, 2);
    host
}

fn told(host: &SimHost) -> String {
    format!("faults {:?}\n{}\n{:#?}", host.faults, host.log.join("\n"), host.endings)
}

#[track_caller]
fn stands_as_committed(host: &SimHost) {
    assert!(host.broken.is_empty(), "{:?}\n{}", host.broken, told(host));
    assert_eq!(host.forms(), settled().forms(), "{}", told(host));
    invariants::nothing_left_behind(host).unwrap_or_else(|why| panic!("{why}\n{}", told(host)));
    assert_eq!(host.disk.generation, settled().disk.generation, "{}", told(host));
}

#[test]
fn what_is_tried_out_stays_as_long_as_nothing_moves_and_goes_with_its_branch() {
    let mut host = tried(Vec::new(), true);
    assert_ne!(host.forms(), settled().forms());
    let codes: Vec<_> = host.endings.iter().rev().take(2).map(|it| it.cycle.code.clone()).collect();
    assert_eq!(codes, ["testing", "testing"], "{}", told(&host));
    host.village.withdraw();
    live(&mut host, 2);
    stands_as_committed(&host);
    assert!(host.disk.ledger.quarantine.is_empty(), "{:?}", host.disk.ledger);
}

#[test]
fn crashes_of_a_test_that_went_well_bar_nothing() {
    let mut host = tried(Vec::new(), true);
    // The process ended in the test without a word: the next one goes back first, and tries once more.
    for _ in 0..4 {
        live(&mut host, 1);
        assert_ne!(host.forms(), settled().forms(), "{}", told(&host));
    }
    assert!(host.disk.ledger.quarantine.is_empty(), "{:?}", host.disk.ledger);
    // What was tried out is merged, and nothing holds it.
    host.village.withdraw();
    host.village.merge(&second(), 1);
    live(&mut host, 2);
    assert_eq!(host.disk.generation.as_ref().unwrap().number, 2, "{}", told(&host));
}

#[test]
fn a_change_that_two_crashes_met_before_it_was_well_is_not_tried_again() {
    let is_trial = |it: &&String| it.ends_with(" Probe");
    let plain = tried(Vec::new(), true);
    let line = plain.log.iter().find(is_trial).unwrap();
    let at: usize = line.split(' ').next().unwrap().parse().unwrap();
    let mut host = tried(vec![(at, Fault::DarkBefore)], true);
    host.effects = 0;
    live(&mut host, 3);
    let barred = !host.disk.ledger.quarantine.is_empty() || host.disk.ledger.interrupted.is_some();
    assert!(barred, "{:?}\n{}", host.disk.ledger, told(&host));
}

#[test]
fn a_branch_that_went_on_is_deployed_once_the_test_is_taken_back() {
    let mut host = tried(Vec::new(), true);
    host.faults.clear();
    let before = host.endings.len();
    host.village.merge(&third(), 1);
    live(&mut host, 3);
    let ends: Vec<_> = host.endings[before..].iter().map(|it| it.cycle.outcome).collect();
    assert!(ends.contains(&Outcome::Committed), "{}", told(&host));
    assert_eq!(host.disk.generation.as_ref().unwrap().number, 2);
    invariants::nothing_left_behind(&host).unwrap();
}

#[test]
fn a_fault_at_every_effect_of_a_test_leaves_the_host_as_it_was_committed() {
    for healthy in [true, false] {
        let effects = tried(Vec::new(), healthy).effects;
        assert!(effects > 10, "a test has more effects than {effects}");
        for at in 1..=effects {
            for fault in KINDS {
                let mut host = tried(vec![(at, fault)], healthy);
                let stranded = |it: &SimHost| {
                    it.endings.iter().any(|it| it.cycle.outcome == Outcome::Stranded)
                };
                host.village.withdraw();
                live(&mut host, 2);
                if stranded(&host) {
                    // Only an effect that says it failed may call a person; a power cut never does.
                    assert_eq!(fault, Fault::Fails, "{}", told(&host));
                    continue;
                }
                stands_as_committed(&host);
            }
        }
    }
}

#[test]
fn what_was_signed_for_tests_on_a_host_is_for_no_other_purpose() {
    // Another host's, or a merge that somebody put on the branch.
    for message in ["try\n\nBowline-Testing: web-2", "change"] {
        let mut host = settled();
        host.village.offer_as(message, &second(), 1);
        live(&mut host, 1);
        stands_as_committed(&host);
        assert_eq!(host.endings.last().unwrap().cycle.code, "testing-unbound", "{}", told(&host));
    }
    // Whoever moves the branch there deploys nothing, on this host or on another.
    let mut host = settled();
    host.village.offer(&second(), 1);
    host.village.pass_off();
    live(&mut host, 1);
    stands_as_committed(&host);
    let ended = &host.endings.last().unwrap().cycle;
    assert_eq!((ended.outcome, ended.code.as_str()), (Outcome::Refused, "testing-only"));
}

#[test]
fn what_a_stranger_signed_is_not_tried_out() {
    let mut host = settled();
    host.village.offer(&second(), 7);
    live(&mut host, 1);
    stands_as_committed(&host);
    let ended = &host.endings.last().unwrap().cycle;
    assert_eq!((ended.outcome, ended.code.as_str()), (Outcome::Refused, "unknown-key"));
    // Nor is what asks for nothing else kept: there is nothing to try out.
    host.village.offer(&first(), 1);
    live(&mut host, 1);
    stands_as_committed(&host);
    assert_eq!(host.endings.last().unwrap().cycle.code, "testing");
}
