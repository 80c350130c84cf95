//! The agent is killed before every system call that changes something, and again while it recovers.
//!
//! **Invariant:** every point of the recorded run is struck; a run that differs from it is a failure.

use std::collections::BTreeMap;

use tests::strace::{self, Call, Strike};

use crate::aftermath::{goes_on, is_settled, nothing_is_lost, recover_alone};
use crate::story::Story;

/// The points of a story's run, which must be the same in every run.
pub(crate) fn points(story: &Story) -> Vec<Call> {
    let runs = [story.shop.copy(), story.shop.copy()].map(|shop| {
        let (told, calls) = strace::record(&shop);
        told.ended(story.ends);
        calls
    });
    let names =
        |calls: &[Call]| calls.iter().map(|it| (it.name.clone(), it.nth)).collect::<Vec<_>>();
    let [one, other] = runs;
    assert_eq!(names(&one), names(&other), "two runs of one story call differently");
    one
}

/// Kills one story at every point.
fn kill_everywhere(story: &Story, at_least: usize) {
    let points = points(story);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &points {
        let label = format!("killed at {} {} ({})", call.name, call.nth, call.arguments);
        let shop = story.shop.copy();
        let struck = strace::strike(&shop, &call.name, call.nth, Strike::Kill);
        assert!(struck.hit, "{label}: not reached: {:?}", struck.told);
        *counts.entry(&call.name).or_default() += 1;
        nothing_is_lost(story, &shop, &label);
        recover_alone(&shop);
        is_settled(story, &shop, &label);
        goes_on(story, &shop, &shop.once(), &label);
    }
    println!("{} kills: {counts:?}", points.len());
    assert!(points.len() >= at_least, "only {} points: {counts:?}", points.len());
}

#[test]
fn fault_02_killed_at_every_call_of_a_deployment_that_is_kept() {
    if strace::is_here() {
        kill_everywhere(&Story::kept(), 100);
    }
}

#[test]
fn fault_02_killed_at_every_call_of_a_deployment_that_is_taken_back() {
    if strace::is_here() {
        kill_everywhere(&Story::taken_back(), 100);
    }
}

#[test]
fn fault_02_killed_at_every_call_of_the_very_first_cycle() {
    if strace::is_here() {
        kill_everywhere(&Story::first(), 100);
    }
}
