//! Units on the real agent: files, enablement and runs are changed together and taken back together.
//!
//! **Invariant:** after a revert the service manager knows what it knew, and runs what it ran.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use tests::agent::until;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::aftermath::{deployments, recover_alone};
use crate::story::{file, probe};

/// Folders that a host of a service manager has.
const FOLDERS: &str = "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: systemd}\n\
                       spec: {path: /etc/systemd}\n---\napiVersion: bowline/v1\nkind: Directory\n\
                       metadata: {name: units}\nspec: {path: /etc/systemd/system}\n";

/// A unit with a text of its own.
pub(crate) fn unit(name: &str, text: &str, rest: &str) -> String {
    let contents = format!("[Service]\n# {text}\n[Install]\nWantedBy=multi-user.target\n");
    format!(
        "---\napiVersion: bowline/v1\nkind: Unit\nmetadata: {{name: {name}}}\nspec: {{enabled: true, \
         contents: {contents:?}{rest}}}\n"
    )
}

fn merge(shop: &Workshop, name: &str, manifests: &[&str]) {
    shop.write("apps/app.yaml", format!("{FOLDERS}{}", manifests.concat()));
    shop.commit(name);
}

/// A host on which one unit runs that the agent brought.
pub(crate) fn running() -> Workshop {
    let shop = Workshop::new();
    shop.manage_units();
    merge(&shop, "one", &[&file("app", "/etc/app.conf", "one"), &unit("shop.service", "one", "")]);
    shop.once().ended(Outcome::Committed);
    let expected = ["daemon-reload", "enable shop.service", "start shop.service"];
    assert_eq!(shop.told_units(), expected);
    shop.once().ended(Outcome::Unchanged);
    assert!(shop.told_units().is_empty());
    shop
}

/// Merges what must be taken back for a reason, and gives the detail.
fn taken_back(shop: &Workshop, code: &str, manifests: &[&str]) -> String {
    let before = (Picture::whole(&shop.root()), shop.units());
    merge(shop, "two", manifests);
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Reverted, code);
    assert_eq!((Picture::whole(&shop.root()), shop.units()), before, "{cycle:#?}");
    let proof = cycle.proof.as_ref().unwrap();
    assert_eq!(proof.before, proof.after);
    cycle.detail.clone()
}

#[test]
fn a_unit_that_does_not_start_takes_its_files_with_it_and_says_why() {
    let shop = running();
    let app = file("app", "/etc/app.conf", "two");
    let bad = unit("shop.service", "refuses", "");
    let detail = taken_back(&shop, "unit-failed", &[&app, &bad]);
    for says in ["restart shop.service", "no database", "Job for shop.service failed"] {
        assert!(detail.contains(says), "{detail}");
    }
    let told = shop.told_units();
    let back =
        ["disable shop.service", "daemon-reload", "enable shop.service", "restart shop.service"];
    assert!(told.ends_with(&back.map(str::to_owned)), "{told:?}");
    assert_eq!(told.iter().filter(|it| *it == "daemon-reload").count(), 2, "{told:?}");
    shop.once().ended_for(Outcome::Held, "quarantined");
    assert!(shop.told_units().is_empty());
}

#[test]
fn a_new_unit_is_stopped_and_forgotten_with_the_change_that_brought_it() {
    let shop = running();
    let new = unit("new.service", "new", ", dropIns: {10-a.conf: \"# more\\n\"}");
    let kept = unit("shop.service", "one", "");
    let app = file("app", "/etc/app.conf", "one");
    taken_back(&shop, "probe-failed", &[&app, &kept, &new, &probe("[/bin/false]")]);
    let told = shop.told_units();
    assert!(told.contains(&"start new.service".to_owned()), "{told:?}");
    assert!(!told.iter().any(|it| it.contains("shop.service")), "{told:?}");
}

#[test]
fn a_unit_that_is_no_longer_wanted_is_stopped_disabled_and_taken_away() {
    let shop = running();
    let app = file("app", "/etc/app.conf", "one");
    taken_back(&shop, "probe-failed", &[&app, &probe("[/bin/false]")]);
    shop.told_units();
    merge(&shop, "three", &[&app]);
    shop.once().ended(Outcome::Committed);
    let expected = ["stop shop.service", "disable shop.service", "daemon-reload"];
    assert_eq!(shop.told_units(), expected);
    assert!(!shop.on_host("/etc/systemd/system/shop.service").exists());
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn a_unit_that_somebody_stopped_or_disabled_is_put_right_as_a_repair() {
    let shop = running();
    let before = shop.units();
    shop.tell_units(&["stop", "shop.service"]);
    shop.tell_units(&["disable", "shop.service"]);
    shop.told_units();
    shop.once().ended(Outcome::Committed);
    assert_eq!(shop.units(), before);
    assert_eq!(shop.told_units(), ["enable shop.service", "start shop.service"]);
    let records = bowline_host::record::newest(&shop.state().join("records"), 1).unwrap();
    assert_eq!(records[0].kind, Kind::Drift, "{records:?}");
}

#[test]
fn a_unit_is_told_once_whoever_asks() {
    let shop = running();
    let notify = "notify: [{unit: shop.service, action: reload}]\nspec:";
    let app = file("app", "/etc/app.conf", "two").replace("spec:", notify);
    let checked = app.replace("content:", "validate: [/bin/false], content:");
    let detail =
        taken_back(&shop, "validation-failed", &[&checked, &unit("shop.service", "two", "")]);
    assert!(detail.contains("File/app"), "{detail}");
    // Files are judged before any unit hears of them; a unit that heard nothing only has to run.
    let quiet = ["disable shop.service", "daemon-reload", "enable shop.service"];
    assert_eq!(shop.told_units(), quiet);
    // Another text: the change that was taken back is not tried again.
    let app = app.replace("two", "mended");
    merge(&shop, "three", &[&app, &unit("shop.service", "two", "")]);
    shop.once().ended(Outcome::Committed);
    let told = shop.told_units();
    let jobs: Vec<_> =
        told.iter().filter(|it| !it.contains("able ") && *it != "daemon-reload").collect();
    assert_eq!(jobs, ["restart shop.service"], "{told:?}");
    // Only its configuration: as before there were units.
    let later = app.replace("mended", "three");
    merge(&shop, "four", &[&later, &unit("shop.service", "two", "")]);
    shop.once().ended(Outcome::Committed);
    assert_eq!(shop.told_units(), ["reload shop.service"]);
}

#[test]
fn what_something_else_brings_can_be_started_masked_and_let_go() {
    let shop = running();
    shop.write("apps/vendor.yaml", file("vendor", "/etc/systemd/system/vendor.service", "vendor"));
    let kept = [file("app", "/etc/app.conf", "one"), unit("shop.service", "one", "")].concat();
    let vendor = |spec: &str| {
        let head = "---\napiVersion: bowline/v1\nkind: Unit\nmetadata: {name: vendor.service}\n";
        format!("{head}dependsOn: [File/vendor]\nspec: {spec}\n")
    };
    merge(&shop, "two", &[&kept, &vendor("{state: started, enabled: true}")]);
    shop.once().ended(Outcome::Committed);
    let told = ["daemon-reload", "enable vendor.service", "start vendor.service"];
    assert_eq!(shop.told_units(), told);
    merge(&shop, "three", &[&kept, &vendor("{masked: true}"), &probe("[/bin/false]")]);
    let before = shop.units();
    shop.once().ended(Outcome::Reverted);
    assert_eq!(shop.units(), before);
    merge(&shop, "four", &[&kept, &vendor("{masked: true}")]);
    shop.once().ended(Outcome::Committed);
    merge(&shop, "five", &[&kept, &vendor("{state: started}")]);
    shop.once().ended_for(Outcome::Refused, "unit-masked");
    shop.told_units();
    merge(&shop, "six", &[&kept]);
    shop.once().ended(Outcome::Committed);
    assert_eq!(shop.told_units(), ["unmask vendor.service"]);
}

#[test]
fn without_a_service_manager_files_are_placed_and_a_warning_says_the_rest() {
    let shop = Workshop::new();
    merge(&shop, "one", &[&unit("shop.service", "one", "")]);
    let told = shop.once();
    let cycle = told.ended(Outcome::Committed);
    assert!(cycle.warnings.iter().any(|it| it.contains("state is not asked")), "{cycle:#?}");
    assert!(shop.on_host("/etc/systemd/system/shop.service").exists());
    assert_eq!(deployments(&shop)[0].steps.by_kind["Unit"], 1);
}

#[test]
fn a_manager_that_cannot_say_what_is_enabled_is_not_guessed_for() {
    let shop = running();
    let script = fs::read_to_string(shop.folder().join("manager")).unwrap();
    fs::write(shop.folder().join("manager"), script.replace("is-enabled)", "is-not-known)"))
        .unwrap();
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Refused, "unit-unknown");
    assert!(cycle.detail.contains("is-enabled"), "{cycle:#?}");
}

#[test]
fn the_agents_own_unit_is_nobodys_to_change() {
    let shop = running();
    let own = "---\napiVersion: bowline/v1\nkind: Unit\nmetadata: {name: bowline-agent.service}\n\
               spec: {state: stopped}\n";
    merge(&shop, "two", &[own]);
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Refused, "invalid-manifest");
    assert!(cycle.detail.contains("the agent's own unit"), "{cycle:#?}");
}

#[test]
fn a_unit_that_only_says_that_it_started_is_found_out_by_a_probe() {
    let shop = running();
    let lies = unit("shop.service", "lies", "");
    let judge =
        probe("[/bin/true]").replace("exec: {argv: [/bin/true]}", "unit: {name: shop.service}");
    let app = file("app", "/etc/app.conf", "two");
    let detail = taken_back(&shop, "probe-failed", &[&app, &lies, &judge]);
    assert!(detail.contains("shop.service is down"), "{detail}");
    merge(&shop, "three", &[&app, &unit("shop.service", "three", ""), &judge]);
    shop.once().ended(Outcome::Committed);
}

#[test]
fn fault_02_killed_while_a_unit_starts_and_never_ends_starting() {
    let shop = running();
    let before = (Picture::whole(&shop.root()), shop.units());
    merge(
        &shop,
        "two",
        &[&file("app", "/etc/app.conf", "two"), &unit("shop.service", "hangs", "")],
    );
    shop.told_units();
    let cycle = shop.begin();
    let starts = || fs::read_to_string(shop.folder().join("told")).unwrap_or_default();
    until("the unit is restarted", || starts().contains("restart shop.service\n"));
    cycle.kill();
    recover_alone(&shop);
    assert_eq!((Picture::whole(&shop.root()), shop.units()), before);
    // If the manager that was killed with the agent still waited, it would start the new one now.
    fs::write(shop.folder().join("go"), "").unwrap();
    shop.once().ended(Outcome::Committed);
    assert_ne!(shop.units(), before.1);
}
