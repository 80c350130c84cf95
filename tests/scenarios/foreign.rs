//! Somebody else edits what a deployment is about to change, or has changed.
//!
//! **Invariant:** nobody's edit is overwritten without a copy that is kept and named.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use tests::agent::until;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{command, file, probe, settled};

/// A host with `/etc/app.conf`, and a revision that changes it and more.
fn changing(more: &str) -> Workshop {
    let shop = settled(&file("other", "/etc/other.conf", "other one\n"));
    let app = file("app", "/etc/app.conf", "app two\n");
    let other = file("other", "/etc/other.conf", "other two\n");
    shop.write("apps/app.yaml", format!("{app}{other}{more}"));
    shop.commit("two");
    shop
}

fn content(shop: &Workshop, path: &str) -> String {
    fs::read_to_string(shop.on_host(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The kept copy that the cycle names for a path.
#[track_caller]
fn kept(shop: &Workshop, cycle: &Cycle, path: &str) -> std::path::PathBuf {
    let met = cycle.conflicts.iter().find(|it| it.path == path);
    let name =
        met.and_then(|it| it.kept.clone()).unwrap_or_else(|| panic!("nothing kept: {cycle:#?}"));
    shop.on_host(&name)
}

#[test]
fn fault_10_an_edit_between_plan_and_exchange_stops_the_deployment() {
    // A program that judges the staged file runs after the plan was made and before anything is changed.
    for (edit, there) in [
        ("echo theirs > $BOWLINE_ROOT/etc/app.conf", Some("theirs\n")),
        ("cd $BOWLINE_ROOT/etc; echo theirs > x; mv x app.conf", Some("theirs\n")),
        // The same bytes in another file: still not what the plan saw.
        ("cd $BOWLINE_ROOT/etc; cp app.conf x; mv x app.conf", Some("app one\n")),
        ("rm $BOWLINE_ROOT/etc/app.conf", None),
        ("cd $BOWLINE_ROOT/etc; rm app.conf; ln -s other.conf app.conf", Some("other one\n")),
        ("chmod 600 $BOWLINE_ROOT/etc/app.conf", Some("app one\n")),
    ] {
        let shop = changing("");
        let judge = format!("validate: [/bin/sh, -c, {edit:?}, \"%s\"], content: \"app two");
        let text = fs::read_to_string(shop.repo().join("apps/app.yaml")).unwrap();
        shop.write("apps/app.yaml", text.replace("content: \"app two", &judge));
        shop.commit("judged");
        let told = shop.once();
        let cycle = told.ended_for(Outcome::Failed, "conflict");
        assert!(cycle.detail.contains("/etc/app.conf"), "{edit}: {cycle:#?}");
        let found = fs::read_to_string(shop.on_host("/etc/app.conf")).ok();
        assert_eq!(found.as_deref(), there, "{edit}");
        assert_eq!(content(&shop, "/etc/other.conf"), "other one\n", "{edit}");
        assert!(!Picture::whole(&shop.root()).has_stage(), "{edit}: a stage is left");
    }
}

#[test]
fn fault_10_a_file_that_appears_where_one_is_to_be_made_is_left_alone() {
    let shop = settled("");
    let edit =
        "validate: [/bin/sh, -c, \"echo theirs > $BOWLINE_ROOT/etc/new.conf\", \"%s\"], content";
    let new = file("new", "/etc/new.conf", "new\n").replace("content", edit);
    shop.write("apps/app.yaml", format!("{}{new}", file("app", "/etc/app.conf", "app one\n")));
    shop.commit("two");
    shop.once().ended_for(Outcome::Failed, "conflict");
    assert_eq!(content(&shop, "/etc/new.conf"), "theirs\n");
}

#[test]
fn fault_10_an_edit_after_the_exchange_is_kept_when_the_deployment_is_taken_back() {
    let edits = [
        "echo theirs > $BOWLINE_ROOT/etc/app.conf",
        "cd $BOWLINE_ROOT/etc; echo theirs > x; mv x app.conf",
    ];
    for edit in edits {
        // By a command of the deployment, and by the probe that then fails.
        let by_command = command("edit", edit, "true", "/etc/never")
            .replace("spec:", "dependsOn: [File/app]\nspec:");
        let failing = probe("[/bin/false]");
        let by_probe = probe(&format!("[/bin/sh, -c, {:?}]", format!("{edit}; false")));
        for more in [format!("{by_command}{failing}"), by_probe] {
            let shop = changing(&more);
            let told = shop.once();
            let cycle = told.ended_for(Outcome::Reverted, "probe-failed");
            assert_eq!(content(&shop, "/etc/app.conf"), "app one\n", "{more}");
            assert_eq!(content(&shop, "/etc/other.conf"), "other one\n", "{more}");
            let kept = kept(&shop, cycle, "/etc/app.conf");
            assert_eq!(fs::read_to_string(kept).unwrap(), "theirs\n", "{more}");
            shop.once().ended_for(Outcome::Held, "quarantined");
        }
    }
}

#[test]
fn fault_10_a_file_that_was_removed_after_the_exchange_comes_back_as_it_was() {
    let gone = "[/bin/sh, -c, \"rm $BOWLINE_ROOT/etc/app.conf; false\"]";
    let shop = changing(&probe(gone));
    let before = Picture::whole(&shop.root());
    shop.once().ended_for(Outcome::Reverted, "probe-failed");
    assert_eq!(Picture::whole(&shop.root()), before);
}

#[test]
fn fault_10_what_was_put_into_a_new_folder_is_kept_when_the_folder_goes() {
    let folder = "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: made}\nspec: {path: /etc/made}\n";
    let fills = "[/bin/sh, -c, \"echo theirs > $BOWLINE_ROOT/etc/made/by-them; false\"]";
    let shop = changing(&format!("{folder}{}", probe(fills)));
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Reverted, "probe-failed");
    assert!(!shop.on_host("/etc/made").exists());
    let kept = kept(&shop, cycle, "/etc/made");
    assert_eq!(fs::read_to_string(kept.join("by-them")).unwrap(), "theirs\n");
}

#[test]
fn fault_10_what_an_open_writer_adds_to_the_displaced_file_is_kept() {
    let waits = "touch $BOWLINE_ROOT/here; while [ ! -e $BOWLINE_ROOT/go ]; do sleep 0.02; done";
    let command =
        command("wait", waits, "true", "/here").replace("spec:", "dependsOn: [File/app]\nspec:");
    let shop = changing(&command);
    let mut writer = OpenOptions::new().append(true).open(shop.on_host("/etc/app.conf")).unwrap();
    let running = shop.begin();
    until("the file is exchanged", || shop.on_host("/here").exists());
    writer.write_all(b"more\n").unwrap();
    fs::write(shop.on_host("/go"), "").unwrap();
    let told = running.wait();
    let cycle = told.ended(Outcome::Committed);
    assert_eq!(content(&shop, "/etc/app.conf"), "app two\n");
    let kept = kept(&shop, cycle, "/etc/app.conf");
    assert_eq!(fs::read_to_string(kept).unwrap(), "app one\nmore\n");
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn fault_10_a_hand_that_reverses_the_change_is_reported_as_drift_and_put_right() {
    let shop = changing("");
    shop.once().ended(Outcome::Committed);
    fs::write(shop.on_host("/etc/app.conf"), "by hand\n").unwrap();
    let told = shop.once();
    let cycle = told.ended(Outcome::Committed);
    assert_eq!(cycle.steps.len(), 1, "{cycle:#?}");
    assert_eq!(content(&shop, "/etc/app.conf"), "app two\n");
}

#[test]
fn a_file_that_was_made_endless_is_put_back_without_being_read() {
    let shop = settled("");
    // More than could be read in hours, and no block of it on the disk.
    let endless = OpenOptions::new().write(true).open(shop.on_host("/etc/app.conf")).unwrap();
    endless.set_len(1 << 42).unwrap();
    drop(endless);
    let told = shop.once();
    told.ended(Outcome::Committed);
    assert_eq!(content(&shop, "/etc/app.conf"), "app one\n");
}

#[test]
fn a_file_that_is_too_large_to_be_read_is_put_back_as_it_was() {
    let shop = settled("");
    let mut large = fs::File::create(shop.on_host("/etc/large.img")).unwrap();
    large.write_all(b"theirs").unwrap();
    large.set_len(1 << 40).unwrap();
    let app = file("app", "/etc/app.conf", "app two\n");
    let large = file("large", "/etc/large.img", "ours\n")
        .replace("metadata: {name: large}", "metadata: {name: large}\npolicy: {adopt: always}");
    shop.write("apps/app.yaml", format!("{app}{large}{}", probe("[/bin/false]")));
    shop.commit("unwell");
    shop.once().ended(Outcome::Reverted);
    let back = fs::File::open(shop.on_host("/etc/large.img")).unwrap();
    assert_eq!(back.metadata().unwrap().len(), 1 << 40);
    assert_eq!(content(&shop, "/etc/app.conf"), "app one\n");
}
