//! The agent is killed at every changing call of a deployment of a release: while it copies the archive,
//! unpacks it, stages it, and later.
//!
//! **Invariant:** the link leads to a whole release, old or new.

use bowline_api::outcome::Outcome;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use super::{leftovers, local, merge, says};
use crate::aftermath::{goes_on, is_settled, nothing_is_lost, recover_alone};
use crate::killed::points;
use crate::story::{Story, probe};

/// A release that is replaced, and kept or taken back by a probe.
fn story(judge: &str, ends: Outcome) -> Story {
    let shop = Workshop::new();
    let second = local(&shop, 2);
    merge(&shop, &[&local(&shop, 1)]);
    shop.once().ended(Outcome::Committed);
    merge(&shop, &[&second, &probe(judge)]);
    Story::told(shop, ends)
}

fn kill(story: &Story, every: usize) {
    let points = points(story);
    let is_new = |it: &&strace::Call| it.arguments.contains("cache/artifacts");
    let begins = points.iter().position(|it| is_new(&it)).unwrap();
    assert!(points.iter().filter(is_new).count() > 5, "{points:#?}");
    for call in points[begins..].iter().step_by(every) {
        let label = format!("killed at {} {} ({})", call.name, call.nth, call.arguments);
        let shop = story.shop.copy();
        let struck = strace::strike(&shop, &call.name, call.nth, Strike::Kill);
        assert!(struck.hit, "{label}: not reached: {:?}", struck.told);
        nothing_is_lost(story, &shop, &label);
        recover_alone(&shop);
        is_settled(story, &shop, &label);
        goes_on(story, &shop, &shop.once(), &label);
        let expected = if story.ends == Outcome::Committed { "2" } else { "1" };
        assert_eq!(says(&shop), expected, "{label}");
        assert_eq!(leftovers(&shop), Vec::<String>::new(), "{label}");
    }
    println!("{} kills", (points.len() - begins) / every);
}

#[test]
fn fault_02_killed_at_every_call_of_a_release_that_is_kept() {
    if strace::is_here() {
        kill(&story("[/bin/true]", Outcome::Committed), 1);
    }
}

#[test]
fn fault_02_killed_at_some_calls_of_a_release_that_is_taken_back() {
    if strace::is_here() {
        // What follows the decision is the same for every kind, and struck everywhere elsewhere.
        kill(&story("[/bin/false]", Outcome::Reverted), 5);
    }
}
