//! What failed is not tried again by itself.
//!
//! **Invariant:** 12 of the design: not in its revision, not in a descendant that still carries it.

use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_engine::ending::Ending;
use bowline_engine::wish::Wish;
use tests::history::live;
use tests::sim_host::{Moment, SimHost};

use crate::world::{QUICK, file, files, first, merged, probe, second, settled, third};

#[test]
fn a_later_merge_that_carries_the_change_is_held() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&second(), 1);
    host.probes = vec![false];
    live(&mut host, 1);
    host.village.merge(&third(), 1);
    host.probes = vec![true];
    live(&mut host, 2);
    let outcomes: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    assert_eq!(outcomes, [Outcome::Reverted, Outcome::Held, Outcome::Held]);
    assert_eq!(host.endings[1].cycle.code, "quarantined");
    assert_eq!(host.forms(), old);
}

#[test]
fn a_merge_that_mends_the_change_is_new() {
    let mut host = settled();
    host.village.merge(&second(), 1);
    host.probes = vec![false];
    live(&mut host, 1);
    let mut mended = second();
    let text = mended.get_mut("apps/all.yaml").unwrap();
    *text = text.replace("\"d2\"", "\"d3\"");
    host.village.merge(&mended, 1);
    host.probes = vec![true];
    live(&mut host, 1);
    assert_eq!(host.endings[1].cycle.outcome, Outcome::Committed, "{:#?}", host.endings[1]);
}

#[test]
fn a_git_revert_of_the_change_is_not_held() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&second(), 1);
    host.probes = vec![false];
    live(&mut host, 1);
    host.village.merge(&first(), 1);
    live(&mut host, 1);
    assert_eq!(host.endings[1].cycle.outcome, Outcome::Committed, "{:#?}", host.endings[1]);
    assert_eq!(host.forms(), old);
}

#[test]
fn an_unknown_key_changes_nothing_and_the_next_good_merge_is_refused_above_it() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&second(), 9);
    live(&mut host, 1);
    assert_eq!(host.endings[0].cycle.outcome, Outcome::Refused);
    assert_eq!(host.endings[0].cycle.code, "unknown-key");
    host.village.merge(&second(), 1);
    live(&mut host, 1);
    assert_eq!(host.endings[1].cycle.outcome, Outcome::Refused);
    assert_eq!(host.forms(), old);
}

#[test]
fn drift_is_repaired_also_while_the_tip_is_refused() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&second(), 9);
    live(&mut host, 1);
    host.put_file("/etc/a", "by hand");
    live(&mut host, 1);
    assert_eq!(host.forms(), old);
    assert_eq!(host.endings[1].cycle.outcome, Outcome::Refused);
    assert_eq!(host.endings[1].cycle.steps.len(), 1);
}

#[test]
fn a_revision_without_a_step_becomes_the_committed_one() {
    let mut host = settled();
    let mut same = first();
    same.get_mut("apps/all.yaml").unwrap().push_str(&probe(QUICK));
    host.village.merge(&same, 1);
    host.probes = vec![false];
    live(&mut host, 1);
    assert_eq!(host.endings[0].cycle.outcome, Outcome::Committed);
    assert_eq!(host.disk.generation.as_ref().unwrap().revision.commit, host.village.tip());
}

#[test]
fn an_empty_desired_set_is_held() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&files(&[probe(QUICK)]), 1);
    live(&mut host, 1);
    assert_eq!(host.endings[0].cycle.code, "prune-brake");
    assert_eq!(host.forms(), old);
}

#[test]
fn an_object_of_somebody_else_is_not_overwritten() {
    let mut host = settled();
    host.put_file("/etc/d", "theirs");
    let old = host.forms();
    host.village.merge(&second(), 1);
    live(&mut host, 1);
    assert_eq!(host.endings[0].cycle.code, "not-ours");
    assert_eq!(host.forms(), old);
    assert_ne!(old, merged());
}

/// Looks at what is held, then a hand that gives no hint, and polls for ten minutes.
fn polled(host: &mut SimHost) -> Vec<Ending> {
    let cycles = host.endings.len();
    let poll = |touched: &[&str]| Moment {
        nap: Duration::from_secs(60),
        wish: Wish::default(),
        touched: touched.iter().map(|it| (*it).to_owned()).collect(),
    };
    host.moments = [poll(&[]), poll(&["/etc/a"])].into();
    host.moments.extend((0..10).map(|_| poll(&[])));
    let polls = u32::try_from(host.moments.len()).unwrap();
    live(host, polls);
    host.endings.split_off(cycles)
}

#[test]
fn what_stands_is_looked_after_as_often_while_a_newer_revision_is_held() {
    let cases: [(&str, &dyn Fn(&mut SimHost)); 2] = [
        ("prune-brake", &|host| host.village.merge(&files(&[probe(QUICK)]), 1)),
        ("quarantined", &|host| {
            host.village.merge(&second(), 1);
            host.probes = vec![false];
            live(host, 1);
            host.probes = vec![true];
        }),
    ];
    for (code, act) in cases {
        let mut host = settled();
        act(&mut host);
        let old = host.forms();
        let endings = polled(&mut host);
        assert_eq!(host.forms(), old, "{code}: {endings:#?}");
        assert!(endings.iter().all(|it| it.cycle.code == code), "{code}: {endings:#?}");
        let repairs = endings.iter().filter(|it| !it.cycle.steps.is_empty());
        assert_eq!(repairs.count(), 1, "{code}: {endings:#?}");
    }
}

#[test]
fn what_stands_is_looked_after_while_a_newer_one_waits_for_a_baseline() {
    let watched = |text: &str| {
        let spec = format!("baseline: true, {QUICK}");
        files(&[file("a", "/etc/a", text), file("b", "/etc/b", "b1"), probe(&spec)])
    };
    let mut host = settled();
    host.village.merge(&watched("a1"), 1);
    live(&mut host, 1);
    host.village.merge(&watched("a2"), 1);
    host.probes = vec![false];
    let endings = polled(&mut host);
    // The probe fails all the time: what was repaired is taken back, but it was tried.
    let tried = endings.iter().filter(|it| !it.cycle.steps.is_empty());
    assert!(tried.count() > 0, "{endings:#?}");
    assert!(endings.iter().any(|it| it.cycle.code == "baseline-failed"), "{endings:#?}");
}
