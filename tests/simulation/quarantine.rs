//! What failed is not tried again by itself.
//!
//! **Invariant:** 12 of the design: not in its revision, not in a descendant that still carries it.

use bowline_api::outcome::Outcome;
use tests::history::live;

use crate::world::{QUICK, files, first, merged, probe, second, settled, third};

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
