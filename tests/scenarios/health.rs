//! Probes outside a trial: a baseline before a change, and a look after one was taken back.
//!
//! **Invariant:** a host that was not well before is never changed, and never stranded for it.

use std::fs;

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::aftermath::{deployments, journals};
use crate::story::file;

/// A probe that is content while a file beside the host stands.
fn depends_on(shop: &Workshop, name: &str, baseline: bool) -> String {
    let flag = shop.folder().join("dependency");
    format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: {name}}}\nspec: {{exec: {{argv: \
         [/usr/bin/test, -e, {flag:?}]}}, interval: 100ms, successThreshold: 1, failureThreshold: 1, \
         deadline: 200ms, soak: 0s, baseline: {baseline}}}\n"
    )
}

fn merge(shop: &Workshop, word: &str, probes: &str) {
    shop.write("apps/app.yaml", format!("{}{probes}", file("app", "/etc/app.conf", word)));
    shop.commit(word);
}

#[test]
fn a_change_waits_while_its_baseline_fails_and_goes_on_when_it_passes() {
    let shop = Workshop::new();
    let flag = shop.folder().join("dependency");
    fs::write(&flag, "").unwrap();
    merge(&shop, "one", &depends_on(&shop, "upstream", true));
    shop.once().ended(Outcome::Committed);
    fs::remove_file(&flag).unwrap();
    merge(&shop, "two", &depends_on(&shop, "upstream", true));
    let before = Picture::whole(&shop.root());
    for _ in 0..2 {
        let told = shop.once();
        let cycle = told.ended_for(Outcome::Failed, "baseline-failed");
        assert!(cycle.detail.contains("Probe/upstream asks for a baseline"), "{cycle:?}");
        assert_eq!(Picture::whole(&shop.root()), before, "it was changed");
        assert!(journals(&shop).is_empty());
    }
    fs::write(&flag, "").unwrap();
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "two");
}

#[test]
fn what_stands_again_is_asked_too_and_its_trouble_is_told() {
    let shop = Workshop::new();
    let probes = depends_on(&shop, "upstream", false);
    fs::write(shop.folder().join("dependency"), "").unwrap();
    merge(&shop, "one", &probes);
    shop.once().ended(Outcome::Committed);
    let before = Picture::whole(&shop.root());
    // The dependency goes down while the change is tried: the change is blamed, and taken back.
    fs::remove_file(shop.folder().join("dependency")).unwrap();
    merge(&shop, "two", &probes);
    let told = shop.once();
    let cycle = told.ended(Outcome::Reverted);
    let told_of = |it: &String| it.contains("back as it was, and Probe/upstream fails there");
    assert_eq!(cycle.warnings.iter().filter(|it| told_of(it)).count(), 1, "{cycle:?}");
    assert_eq!(Picture::whole(&shop.root()), before);
    let record = &deployments(&shop)[0];
    assert_eq!(record.outcome, Outcome::Reverted);
    assert_eq!(record.after_revert.len(), 1, "{record:?}");
    assert_eq!(record.after_revert[0].name, "upstream");
    assert_eq!(record.standing_probes, Some(1));
}

#[test]
fn what_is_well_again_after_going_back_is_no_alarm() {
    let shop = Workshop::new();
    let content = |word: &str| {
        format!(
            "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: content}}\nspec: {{exec: {{argv: \
             [/usr/bin/grep, -q, {word}, {:?}]}}, interval: 100ms, successThreshold: 1, \
             failureThreshold: 1, deadline: 100ms, soak: 0s}}\n",
            shop.on_host("/etc/app.conf")
        )
    };
    merge(&shop, "one", &content("one"));
    shop.once().ended(Outcome::Committed);
    merge(&shop, "two", &content("three"));
    let told = shop.once();
    let warnings = &told.ended(Outcome::Reverted).warnings;
    assert!(!warnings.iter().any(|it| it.contains("back as it was")), "{warnings:?}");
    let record = &deployments(&shop)[0];
    assert!(record.after_revert.is_empty() && record.standing_probes == Some(1), "{record:?}");
}

#[test]
fn a_baseline_stands_in_the_way_of_no_beginning_and_no_repair() {
    let shop = Workshop::new();
    let probe = format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: content}}\nspec: {{exec: {{argv: \
         [/usr/bin/grep, -q, one, {:?}]}}, interval: 100ms, successThreshold: 1, failureThreshold: 1, \
         deadline: 100ms, soak: 0s, baseline: true}}\n",
        shop.on_host("/etc/app.conf")
    );
    merge(&shop, "one", &probe);
    shop.once().ended(Outcome::Committed);
    fs::write(shop.on_host("/etc/app.conf"), "broken").unwrap();
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "one");
}

#[test]
fn probes_that_come_without_a_change_are_asked_all_the_same() {
    let shop = Workshop::new();
    merge(&shop, "one", "");
    shop.once().ended(Outcome::Committed);
    assert_eq!(deployments(&shop)[0].standing_probes, Some(0), "it has none, and says so");
    merge(&shop, "one", &depends_on(&shop, "upstream", false));
    let told = shop.once();
    let cycle = told.ended(Outcome::Committed);
    let told_of =
        |it: &String| it.contains("already as the revision asks, and Probe/upstream fails");
    assert_eq!(cycle.warnings.iter().filter(|it| told_of(it)).count(), 1, "{cycle:?}");
    let record = &deployments(&shop)[0];
    assert!(record.probes.iter().any(|it| it.name == "upstream" && !it.passed), "{record:?}");
    shop.once().ended(Outcome::Unchanged);
}
