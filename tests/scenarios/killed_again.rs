//! Killed in the middle of a deployment, and killed again at every call of the recovery.
//!
//! **Invariant:** recovery that was cut short is recovery that was not begun.

use tests::strace::{self, Call, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{Hidden, goes_on, is_settled, nothing_is_lost, recover_alone};
use crate::killed::points;
use crate::story::Story;

/// First kills per story: they are spread over the whole transaction.
const FIRST_KILLS: usize = 5;

fn kill_twice(story: &Story) {
    let points = points(story);
    let begins = points.iter().position(|it| it.arguments.contains(".wal")).unwrap();
    let within = &points[begins..];
    let mut kills = 0;
    for number in 0..FIRST_KILLS {
        let first = &within[number * (within.len() - 1) / (FIRST_KILLS - 1)];
        kills += kill_recovery(story, first);
    }
    assert!(kills > 100, "recovery was killed only {kills} times");
}

/// A host whose deployment was killed. Not a copy of one: the journal knows files by their inodes.
fn killed(story: &Story, first: &Call) -> Workshop {
    let shop = story.shop.copy();
    assert!(strace::strike(&shop, &first.name, first.nth, Strike::Kill).hit, "{first:?}");
    shop
}

/// Kills the recovery at every call. Gives how often.
fn kill_recovery(story: &Story, first: &Call) -> usize {
    let rehearsal = killed(story, first);
    let hidden = Hidden::hide(&rehearsal);
    let (_, points) = strace::record(&rehearsal);
    drop(hidden);
    for call in &points {
        let Call { name, nth, arguments } = call;
        let label = format!("killed at {first:?}, and again at {name} {nth} ({arguments})");
        let shop = killed(story, first);
        let hidden = Hidden::hide(&shop);
        let struck = strace::strike(&shop, &call.name, call.nth, Strike::Kill);
        drop(hidden);
        assert!(struck.hit, "{label}: not reached: {:?}", struck.told);
        nothing_is_lost(story, &shop, &label);
        recover_alone(&shop);
        is_settled(story, &shop, &label);
    }
    is_settled(story, &rehearsal, "killed once");
    goes_on(story, &rehearsal, &rehearsal.once(), "killed once");
    points.len()
}

#[test]
fn fault_03_killed_again_while_a_deployment_that_would_be_kept_is_recovered() {
    if strace::is_here() {
        kill_twice(&Story::kept());
    }
}

#[test]
fn fault_03_killed_again_while_a_deployment_that_is_taken_back_is_recovered() {
    if strace::is_here() {
        kill_twice(&Story::taken_back());
    }
}
