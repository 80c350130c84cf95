//! The agent is killed at every changing call of a deployment of units, from its beginning on.
//!
//! **Invariant:** files, what is enabled and what runs are all old or all new, and of one revision.

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{goes_on, is_settled, nothing_is_lost, recover_alone};
use crate::killed::points;
use crate::story::{Story, file, probe};
use crate::units::{running, unit};

/// One unit replaced, one new, one stopped; kept or taken back by a probe.
fn story(judge: &str, ends: Outcome) -> (Story, Picture) {
    let shop = running();
    let added = unit("new.service", "new", ", dropIns: {10-a.conf: \"# more\\n\"}");
    let changed = unit("shop.service", "two", "");
    let folders = std::fs::read_to_string(shop.repo().join("apps/app.yaml")).unwrap();
    let folders = folders.split("---\n").filter(|it| it.contains("kind: Directory"));
    let folders: String = folders.map(|it| format!("---\n{it}")).collect();
    let app = file("app", "/etc/app.conf", "two");
    shop.write("apps/app.yaml", format!("{folders}{app}{changed}{added}{}", probe(judge)));
    shop.commit("two");
    let copy = shop.copy();
    copy.once().ended(ends);
    let new = copy.units();
    (Story::told(shop, ends), new)
}

fn units_fit(story: &Story, new: &Picture, shop: &Workshop, label: &str) {
    let stands = Picture::of(&shop.root());
    let expected = if stands == story.old { story.shop.units() } else { new.clone() };
    assert_eq!(shop.units(), expected, "{label}");
}

fn kill_everywhere((story, new): &(Story, Picture)) {
    let points = points(story);
    let begins = points.iter().position(|it| it.arguments.contains(".wal")).unwrap();
    let mut kills = 0;
    for call in &points[begins..] {
        let label = format!("killed at {} {} ({})", call.name, call.nth, call.arguments);
        let shop = story.shop.copy();
        let struck = strace::strike(&shop, &call.name, call.nth, Strike::Kill);
        assert!(struck.hit, "{label}: not reached: {:?}", struck.told);
        nothing_is_lost(story, &shop, &label);
        recover_alone(&shop);
        is_settled(story, &shop, &label);
        units_fit(story, new, &shop, &label);
        goes_on(story, &shop, &shop.once(), &label);
        units_fit(story, new, &shop, &label);
        kills += 1;
    }
    println!("{kills} kills");
    assert!(kills > 60, "only {kills} points");
}

#[test]
fn fault_02_killed_at_every_call_of_a_deployment_of_units_that_is_kept() {
    if strace::is_here() {
        kill_everywhere(&story("[/bin/true]", Outcome::Committed));
    }
}

#[test]
fn fault_02_killed_at_every_call_of_a_deployment_of_units_that_is_taken_back() {
    if strace::is_here() {
        kill_everywhere(&story("[/bin/false]", Outcome::Reverted));
    }
}
