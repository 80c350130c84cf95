//! What is offered to one host alone, with a fault at every effect.
//!
//! **Invariant:** however a test ends, the host stands as the committed generation says, and nothing is left.

use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use bowline_engine::wish::Wish;
use tests::history::live;
use tests::invariants;
use tests::sim_host::{Fault, Moment, SimHost};

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

/// A host to which the second revision is offered, with what happens in its rests; the first is the start's.
fn meanwhile(happens: &[fn(&mut SimHost)]) -> SimHost {
    let mut host = settled();
    // So that a remote can be behind.
    host.village.merge(&first(), 1);
    live(&mut host, 1);
    host.endings.clear();
    host.log.clear();
    host.village.offer(&second(), 1);
    host.meanwhile.push_back(|_| {});
    host.meanwhile.extend(happens);
    let rests = u32::try_from(host.meanwhile.len()).unwrap();
    live(&mut host, rests);
    host
}

fn codes(host: &SimHost) -> Vec<&str> {
    host.endings.iter().map(|it| it.cycle.code.as_str()).collect()
}

fn hint() -> Option<Wish> {
    Some(Wish { hint: true, ..Wish::default() })
}

#[test]
fn drift_is_repaired_before_a_test_begins_so_that_its_end_puts_none_back() {
    // On what the test changes, and beside it.
    for path in ["/etc/a", "/etc/b", "/etc/c"] {
        let mut host = settled();
        host.put_file(path, "by hand");
        host.village.offer(&second(), 1);
        live(&mut host, 2);
        let ends: Vec<_> =
            host.endings.iter().map(|it| (it.cycle.outcome, it.cycle.code.as_str())).collect();
        let expected = [(Outcome::Committed, ""), (Outcome::Unchanged, "testing")];
        assert_eq!(ends, expected, "{path}: {}", told(&host));
        assert!(host.endings[0].again, "the test need not wait for the next poll");
        host.village.withdraw();
        live(&mut host, 1);
        assert_eq!(host.forms(), settled().forms(), "{path}: {}", told(&host));
    }
}

#[test]
fn a_rehearsal_keeps_no_test_waiting() {
    let mut host = settled();
    host.put_file("/etc/b", "by hand");
    host.village.offer(&second(), 1);
    let wishes = [Wish { thorough: true, dry: true, ..Wish::default() }, Wish::default()];
    host.moments = wishes.map(|wish| Moment { wish, ..Moment::default() }).into();
    live(&mut host, 2);
    assert_eq!(host.endings[1].cycle.steps.len(), 1, "{}", told(&host));
    assert!(host.endings[1].again, "the test need not wait for the next poll: {}", told(&host));
}

#[test]
fn what_drifts_at_every_look_is_not_repaired_without_a_pause_for_a_test() {
    let mut host = settled();
    host.village.offer(&second(), 1);
    let drift: fn(&mut SimHost) = |host| host.put_file("/etc/c", "by hand");
    host.meanwhile.extend([drift; 4]);
    live(&mut host, 4);
    let at_once: Vec<_> = host.endings.iter().map(|it| it.again).collect();
    assert_eq!(at_once, [true, false, false, false], "{}", told(&host));
    let waits = |it: &String| it.starts_with("testing-sim waits: ");
    for ending in &host.endings {
        assert_eq!(ending.cycle.outcome, Outcome::Committed, "{}", told(&host));
        assert_eq!(ending.cycle.warnings.iter().any(waits), !ending.again, "{}", told(&host));
    }
    assert!(!host.disk.records.iter().any(|it| it.reason == "Testing"));
    live(&mut host, 1);
    assert_eq!(host.endings.last().unwrap().cycle.code, "testing", "{}", told(&host));
}

#[test]
fn a_test_waits_while_what_stands_cannot_be_repaired() {
    let mut host = settled();
    host.put_file("/etc/c", "by hand");
    host.village.offer(&second(), 1);
    // Staging the repair fails in each cycle.
    let plain = {
        let mut host = host.clone();
        live(&mut host, 1);
        host
    };
    let at = plain.log.iter().find(|it| it.ends_with(" Stage")).unwrap();
    let at: usize = at.split(' ').next().unwrap().parse().unwrap();
    host.faults = vec![(at, Fault::Fails)];
    live(&mut host, 1);
    let ended = host.endings.last().unwrap();
    assert_eq!(ended.cycle.outcome, Outcome::Failed, "{}", told(&host));
    let waits = |it: &&String| it.starts_with("testing-sim waits: ") && it.contains("simulated");
    assert!(ended.cycle.warnings.iter().any(|it| waits(&it)), "{}", told(&host));
    assert!(!host.disk.records.iter().any(|it| it.reason == "Testing"));
}

#[test]
fn a_hint_in_a_test_looks_at_what_is_tried_out_and_asks_no_remote() {
    let host = meanwhile(&[
        |host| host.wish = hint(),
        |host| {
            host.put_file("/etc/d", "by hand");
            host.wish = hint();
        },
        |host| host.wish = Some(Wish::default()),
        |host| {
            host.put_file("/etc/d", "d2");
            host.wish = hint();
        },
    ]);
    let expected = ["testing", "testing", "testing-drifted", "testing-drifted", "testing"];
    assert_eq!(codes(&host), expected, "{}", told(&host));
    let cycle = &host.endings[2].cycle;
    assert_eq!((cycle.outcome, cycle.detail.contains("/etc/d")), (Outcome::Unchanged, true));
    // At the start and by the one poll.
    let asked = host.log.iter().filter(|it| it.ends_with(" Fetch")).count();
    assert_eq!(asked, 2, "{}", told(&host));
}

#[test]
fn a_mirror_that_knows_less_ends_no_test_and_begins_none_that_is_over() {
    let none: fn(&mut SimHost) = |host| {
        let mut mirror = host.village.clone();
        mirror.withdraw();
        host.mirror = Some(mirror);
        host.reachable = false;
    };
    let other: fn(&mut SimHost) = |host| {
        let mut mirror = host.village.clone();
        mirror.offer(&third(), 1);
        host.mirror = Some(mirror);
        host.reachable = false;
    };
    let behind: fn(&mut SimHost) = |host| {
        host.mirror = Some(host.village.before());
        host.reachable = false;
    };
    for (what, lag) in [("none", none), ("another", other), ("behind", behind)] {
        let host = meanwhile(&[lag]);
        assert_eq!(codes(&host), ["testing", "testing"], "{what}: {}", told(&host));
        let warnings = &host.endings[1].cycle.warnings;
        assert!(warnings.iter().any(|it| it.contains("the test goes on")), "{what}: {warnings:?}");
    }
    // What builds on the test, or on the branch, is no lag, whoever says it.
    let newer: fn(&mut SimHost) = |host| {
        let mut mirror = host.village.clone();
        mirror.merge(&third(), 1);
        (host.mirror, host.reachable) = (Some(mirror), false);
    };
    let host = meanwhile(&[newer]);
    assert!(host.disk.records.iter().any(|it| it.reason == "TestingOver"), "{}", told(&host));
    // The first remote says that it is gone, and the mirror offers it still.
    let host = meanwhile(&[
        |host| {
            host.mirror = Some(host.village.clone());
            host.village.withdraw();
        },
        |host| host.reachable = false,
        |_| {},
    ]);
    let begun = host.disk.records.iter().filter(|it| it.reason == "Testing").count();
    assert_eq!(begun, 1, "{}", told(&host));
    let warnings = &host.endings.last().unwrap().cycle.warnings;
    assert!(warnings.iter().any(|it| it.contains("testing-sim waits")), "{}", told(&host));
}

#[test]
fn a_first_remote_that_is_gone_for_good_leaves_no_host_with_a_test_for_ever() {
    let gone: fn(&mut SimHost) = |host| {
        let mut mirror = host.village.clone();
        mirror.withdraw();
        (host.mirror, host.reachable) = (Some(mirror), false);
    };
    // Seven hours lie between two rests here.
    let host = meanwhile(&[gone, |_| {}]);
    assert!(host.disk.records.iter().any(|it| it.reason == "TestingOver"), "{}", told(&host));
}

#[test]
fn why_what_is_offered_is_not_tried_out_is_told() {
    type Case = (&'static str, &'static str, fn(&mut SimHost));
    let cases: [Case; 4] = [
        ("Paused", "paused by me", |host| {
            let paused = Some("me".to_owned());
            host.wish = Some(Wish { thorough: true, paused, ..Wish::default() });
        }),
        ("Quarantined", "held (quarantined)", |host| {
            // What fails is merged, and the test is on top of it.
            host.village.merge(&second(), 1);
            host.probes = vec![false];
            live(host, 1);
            host.probes = vec![true];
        }),
        ("Refused", "refused (unknown-key)", |host| host.village.merge(&second(), 7)),
        ("NotOnTop", "not on top", |host| host.village.offer(&second(), 1)),
    ];
    for (reason, words, act) in cases {
        let mut host = settled();
        act(&mut host);
        if reason == "NotOnTop" {
            host.village.merge(&third(), 1);
            live(&mut host, 1);
        } else {
            host.village.offer(&third(), 1);
        }
        live(&mut host, 1);
        let cycle = &host.endings.last().unwrap().cycle;
        let is_it = |it: &&String| it.starts_with("testing-sim ") && it.contains(words);
        assert_eq!(cycle.warnings.iter().filter(is_it).count(), 1, "{reason}: {}", told(&host));
        let untried = host.untried.as_ref().map(|it| it.reason.as_str());
        assert_eq!(untried, Some(reason), "{}", told(&host));
    }
}

#[test]
fn the_end_of_a_test_is_no_answer_the_cycle_after_it_is() {
    // The end leads to the merge that waits, in the same asking: nothing is told in between.
    let host = meanwhile(&[|host| host.village.merge(&third(), 1), |_| {}]);
    let ends: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    assert_eq!(ends, [Outcome::Unchanged, Outcome::Committed], "{}", told(&host));
    let over = host.disk.records.iter().find(|it| it.reason == "TestingOver").unwrap();
    let standing = over.revision.as_deref().unwrap();
    assert!(
        standing.starts_with("main@") && host.disk.before.unwrap().revision.to_string() == standing
    );
    assert_eq!((over.kind, over.outcome), (Kind::State, Outcome::Unchanged));
    assert!(over.detail.starts_with("testing-sim@"), "{over:?}");
    assert!(over.proof.as_ref().is_some_and(|it| it.before == it.after));
}

#[test]
fn an_order_that_comes_with_other_settings_is_refused_and_not_taken_for_the_end_of_the_test() {
    let host = meanwhile(&[|host| {
        host.fingerprint = "SHA256:other".to_owned();
        host.wish = Some(crate::orders::revert(host));
    }]);
    assert_eq!(codes(&host), ["testing", "testing-runs"], "{}", told(&host));
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
