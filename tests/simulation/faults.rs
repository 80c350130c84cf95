//! One fault at every effect, and a second at every effect of what follows.
//!
//! **Invariant:** 1–4, 6 and 8 hold after every history (fault row 1 of the design).

use std::sync::OnceLock;

use bowline_api::outcome::Outcome;
use tests::history::live;
use tests::invariants;
use tests::sim_host::{Fault, SimHost};

use crate::world::{merged, second, settled};

const KINDS: [Fault; 6] = [
    Fault::Fails,
    Fault::DarkBefore,
    Fault::DarkAmid(0b0001),
    Fault::DarkAmid(0b0110),
    Fault::DarkAmid(0b1010),
    Fault::DarkAfter,
];

/// A host to which the second revision was merged.
fn eve() -> SimHost {
    static EVE: OnceLock<SimHost> = OnceLock::new();
    let merge = || {
        let mut host = settled();
        host.village.merge(&second(), 1);
        host
    };
    EVE.get_or_init(merge).clone()
}

fn history(faults: Vec<(usize, Fault)>, healthy: bool) -> SimHost {
    let mut host = eve();
    host.probes = vec![healthy];
    host.faults = faults;
    live(&mut host, 3);
    host
}

fn check(
    host: &SimHost,
    healthy: bool,
    new: &std::collections::BTreeMap<String, bowline_model::form::Form>,
) {
    let old = settled().forms();
    let told = || format!("faults {:?}\n{}\n{:#?}", host.faults, host.log.join("\n"), host.endings);
    assert!(host.broken.is_empty(), "{:?}\n{}", host.broken, told());
    let stranded = host.endings.iter().any(|it| it.cycle.outcome == Outcome::Stranded);
    if stranded {
        // Only a host that could not be proved back may say so, and only after a fault that is told.
        assert!(host.faults.iter().any(|(_, it)| *it == Fault::Fails), "{}", told());
        return;
    }
    invariants::all_old_or_all_new(host, &old, new)
        .unwrap_or_else(|error| panic!("{error}\n{}", told()));
    invariants::nothing_left_behind(host).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    invariants::quarantine_holds(host).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    if !healthy {
        assert_eq!(host.forms(), old, "an unhealthy change stands\n{}", told());
    }
}

#[test]
fn fault_01_a_fault_at_every_effect() {
    let new = merged();
    for healthy in [true, false] {
        let effects = history(Vec::new(), healthy).effects;
        assert!(effects > 15, "a deployment has more effects than {effects}");
        for at in 1..=effects {
            for fault in KINDS {
                check(&history(vec![(at, fault)], healthy), healthy, &new);
            }
        }
    }
}

#[test]
fn fault_01_a_second_fault_at_every_effect_of_recovery() {
    let new = merged();
    let mut histories = 0;
    for healthy in [true, false] {
        let effects = history(Vec::new(), healthy).effects;
        for first in 1..=effects {
            for kind in [Fault::DarkAmid(0b0101), Fault::DarkAfter] {
                let after = history(vec![(first, kind)], healthy).effects;
                for second in first + 1..=after {
                    for fault in [Fault::Fails, Fault::DarkAmid(0b0110), Fault::DarkAfter] {
                        let host = history(vec![(first, kind), (second, fault)], healthy);
                        check(&host, healthy, &new);
                        histories += 1;
                    }
                }
            }
        }
    }
    assert!(histories > 2_500, "only {histories} histories were tried");
}

#[test]
fn the_change_is_applied_when_nothing_goes_wrong() {
    let host = history(Vec::new(), true);
    assert_eq!(host.forms(), merged());
    assert!(host.disk.ran.contains("build"));
    let outcomes: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    assert_eq!(outcomes, [Outcome::Committed, Outcome::Unchanged, Outcome::Unchanged]);
}

#[test]
fn an_unhealthy_change_is_taken_back_and_says_so() {
    let host = history(Vec::new(), false);
    assert_eq!(host.forms(), settled().forms());
    assert!(!host.disk.ran.contains("build"));
    let outcomes: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    assert_eq!(outcomes, [Outcome::Reverted, Outcome::Held, Outcome::Held]);
    let proof = host.endings[0].cycle.proof.as_ref().unwrap();
    assert_eq!(proof.before, proof.after);
    assert_eq!(host.disk.records[0].outcome, Outcome::Reverted);
}

#[test]
fn control_or_remote_away_for_ever_changes_nothing() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&second(), 1);
    host.reachable = false;
    live(&mut host, 10);
    assert_eq!(host.forms(), old);
    assert!(host.endings.iter().all(|it| it.cycle.outcome == Outcome::Failed));
    host.reachable = true;
    live(&mut host, 1);
    assert_eq!(host.forms(), merged());
}

#[test]
fn fault_15_the_wall_clock_decides_nothing_about_a_transaction() {
    const YEAR: i64 = 365 * 86_400;
    let mut logs = Vec::new();
    // Within the policy's life; the clock may not be behind what was verified.
    for shift in [0, YEAR / 2, 10 * 86_400] {
        let mut host = settled();
        host.wall += shift;
        host.village.merge(&second(), 1);
        host.probes = vec![false];
        live(&mut host, 2);
        logs.push((host.log.clone(), host.forms()));
    }
    assert_eq!(logs[0], logs[1]);
    assert_eq!(logs[0], logs[2]);
}

#[test]
fn fault_24_probes_that_flap_or_fail_in_their_soak() {
    // Answers in turn, and whether the change stays.
    let cases: [(&str, Vec<bool>, bool); 4] = [
        ("late but in time", vec![false, false, true, true, true, true], true),
        ("one failure in the soak", vec![true, false, true, true, true], true),
        ("fails in its soak", vec![true, true, false, false], false),
        ("never ready", vec![false], false),
    ];
    for (what, answers, stays) in cases {
        let mut host = settled();
        host.village.merge(&second(), 1);
        host.probes = answers;
        live(&mut host, 1);
        let outcome = host.endings[0].cycle.outcome;
        let expected = if stays { Outcome::Committed } else { Outcome::Reverted };
        assert_eq!(outcome, expected, "{what}: {}", host.endings[0].cycle.detail);
    }
}
