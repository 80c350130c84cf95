//! The host's own memory: deleted, rolled back, or written by somebody else; and a clock set back.
//!
//! **Invariant:** what disagrees with what was verified changes nothing, and asks for a person.

use std::fs;

use bowline_api::outcome::Outcome;
use serde_json::Value;
use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use crate::aftermath::committed;
use crate::story::command;

use super::{evil, good, host, refused, unmoved};

/// A change to the marks, and what it is called.
type Change = (&'static str, Box<dyn Fn(&mut Value)>);

/// Changes the marks of how far was verified.
fn rewrite(shop: &Workshop, change: impl FnOnce(&mut Value)) {
    let path = shop.state().join("verify.json");
    let mut marks: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut marks);
    fs::write(path, marks.to_string()).unwrap();
}

#[test]
fn attack_29_marks_that_somebody_else_wrote_strand_the_host() {
    let shop = host();
    let older = shop.git(&["rev-parse", "HEAD~1"]);
    good(&shop);
    shop.commit("two");
    let changes: [Change; 3] = [
        ("the head", Box::new(move |it| it["head"] = older.clone().into())),
        ("the head's digest", Box::new(move |it| it["headSha256"] = "0".repeat(64).into())),
        ("the policy's digest", Box::new(move |it| it["policySha256"] = "0".repeat(64).into())),
    ];
    for (what, change) in changes {
        let shop = shop.copy();
        let before = Picture::whole(&shop.root());
        let marks = fs::read_to_string(shop.state().join("verify.json")).unwrap();
        rewrite(&shop, change);
        assert_ne!(fs::read_to_string(shop.state().join("verify.json")).unwrap(), marks, "{what}");
        let told = shop.once();
        told.ended(Outcome::Stranded);
        assert_eq!(Picture::whole(&shop.root()), before, "{what}: {told:#?}");
    }
}

#[test]
fn attack_29_a_clock_behind_what_was_verified_is_refused() {
    let shop = host();
    good(&shop);
    shop.commit("two");
    // The same to the agent as a clock that was set back to long before the last commit.
    rewrite(&shop, |it| it["highestTime"] = 4_000_000_000_u64.into());
    let told = unmoved(&shop, "a clock that is behind");
    told.ended_for(Outcome::Refused, "clock-behind");
}

#[test]
fn attack_29_a_deleted_state_does_not_open_the_way_back() {
    let shop = host();
    let older = shop.tip();
    good(&shop);
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    let before = Picture::whole(&shop.root());
    fs::remove_dir_all(shop.state()).unwrap();
    shop.move_branch(&older);
    shop.once().ended_for(Outcome::Refused, "not-fast-forward");
    assert_eq!(Picture::whole(&shop.root()), before);
}

#[test]
fn attack_30_killed_between_verifying_and_keeping_it() {
    if !strace::is_here() {
        return;
    }
    let shop = host();
    good(&shop);
    let second = shop.commit("two");
    let (_, calls) = strace::record(&shop.copy());
    let about_marks = |it: &&strace::Call| {
        it.arguments.contains("verify.json") || it.arguments.contains("witness")
    };
    let before = calls.iter().take_while(|it| !it.arguments.contains(".wal"));
    let points: Vec<_> = before.filter(about_marks).collect();
    assert!(points.len() >= 2, "{points:?}");
    for call in points {
        let host = shop.copy();
        assert!(strace::strike(&host, &call.name, call.nth, Strike::Kill).hit);
        // Meanwhile the branch is moved to what nobody signed.
        evil(&host);
        host.commit_by("mallory", "evil", &[]);
        refused(&host, "unknown-key", &format!("{call:?}"));
        host.move_branch(&second);
        host.once().ended(Outcome::Committed);
        assert!(committed(&host).unwrap().ends_with(&second));
    }
}

#[test]
fn attack_30_a_branch_that_moves_after_it_was_verified() {
    let shop = host();
    good(&shop);
    // The guard is asked after the revision was verified, and before anything is staged.
    let repo = shop.repo().display().to_string();
    let moves = format!("git -C {repo} update-ref refs/heads/main $(cat {repo}/../evil); false");
    let guard = format!("unless: [/bin/sh, -c, {moves:?}]");
    let command = command("guarded", "true", "true", "/x").replace("creates: /x", &guard);
    shop.write("apps/guarded.yaml", command);
    let honest = shop.commit("two");
    evil(&shop);
    let forged = shop.commit_by("mallory", "evil", &[]);
    fs::write(shop.folder().join("evil"), &forged).unwrap();
    shop.move_branch(&honest);
    let told = shop.once();
    let cycle = told.ended(Outcome::Committed);
    assert_eq!(shop.tip(), forged, "the branch was not moved");
    assert!(cycle.revision.as_ref().unwrap().ends_with(&honest), "{cycle:#?}");
    let found = fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap();
    assert_eq!(found, "app two\n");
}
