//! A branch of one host's own: tried out, never kept, and taken back to the byte.
//!
//! **Invariant:** whatever is tried out, the committed generation stays the branch's.

use std::fs;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use bowline_api::status::Status;
use bowline_host::record;
use tests::agent::{Service, until};
use tests::nginx::Nginx;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{command, file, probe, settled};

/// What a commit says that is tried out.
const FOR_TESTS: &str = "try\n\nBowline-Testing: web-1";

/// A settled host that tries out what is for it alone.
pub(crate) fn willing() -> Workshop {
    let shop = settled("");
    allow(&shop);
    shop
}

fn allow(shop: &Workshop) {
    let path = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("interval = ", "testing = true\ninterval = ")).unwrap();
}

/// Commits a manifest to the host's own branch, on top of the branch.
pub(crate) fn offer(shop: &Workshop, manifest: &str) -> String {
    offer_by(shop, "alice", || shop.write("apps/tried.yaml", manifest))
}

fn offer_by(shop: &Workshop, key: &str, change: impl FnOnce()) -> String {
    shop.git(&["checkout", "-q", "-B", "testing-web-1", "main"]);
    change();
    shop.commit_by(key, FOR_TESTS, &[]);
    shop.git(&["checkout", "-q", "main"]);
    shop.git(&["rev-parse", "testing-web-1"])
}

pub(crate) fn tried(text: &str) -> String {
    file("tried", "/etc/tried", text)
}

pub(crate) fn status(service: &Service<'_>) -> Status {
    service.tell("/v1/status")
}

/// How the last cycle ended: its code, and the revision it tells of.
fn last(service: &Service<'_>) -> (String, String) {
    let last = status(service).last;
    last.map(|it| (it.code, it.revision.unwrap_or_default())).unwrap_or_default()
}

#[track_caller]
pub(crate) fn until_last(service: &Service<'_>, code: &str, commit: &str) {
    until(&format!("a cycle ends as {code} at {commit}"), || {
        let (told, revision) = last(service);
        told == code && revision.ends_with(commit)
    });
}

pub(crate) fn content(shop: &Workshop, path: &str) -> Option<String> {
    fs::read_to_string(shop.on_host(path)).ok()
}

pub(crate) fn records(shop: &Workshop) -> Vec<Record> {
    record::newest(&shop.state().join("records"), 50).unwrap()
}

#[test]
fn what_is_for_this_host_alone_is_tried_out_until_its_branch_goes() {
    let shop = willing();
    let before = Picture::of(&shop.root());
    let tip = offer(&shop, &format!("{}{}", tried("one\n"), probe("[/bin/true]")));
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    assert_eq!(content(&shop, "/etc/tried").as_deref(), Some("one\n"));
    let told = status(&service);
    assert_eq!(told.phase, "test");
    assert!(told.last.unwrap().revision.unwrap().starts_with("testing-web-1@sha1:"));
    let committed = told.committed.unwrap();
    assert!(committed.revision.ends_with(&shop.tip()) && committed.generation == 1);
    let newest = records(&shop).remove(0);
    assert_eq!((newest.kind, newest.reason.as_str()), (Kind::State, "Testing"));
    assert!(newest.revision.unwrap().starts_with("testing-web-1@"));
    // It goes on for as long as nothing moves, and nobody orders anything else meanwhile.
    let said = shop.bowline(&["sync", "--wait", "--json"]);
    let cycle: Cycle = serde_json::from_str(&said.1).unwrap();
    assert_eq!((said.0, cycle.code.as_str()), (0, "testing"), "{said:?}");
    for order in ["revert", "retry"] {
        let said = shop.bowline(&[order, "--wait", "--json"]);
        let cycle: Cycle = serde_json::from_str(&said.1).unwrap();
        assert_eq!((said.0, cycle.code.as_str()), (1, "testing-runs"), "{said:?}");
    }
    assert_eq!(content(&shop, "/etc/tried").as_deref(), Some("one\n"));
    shop.git(&["branch", "-D", "testing-web-1"]);
    service.sync();
    until("it is taken back", || content(&shop, "/etc/tried").is_none());
    until_last(&service, "", &shop.tip());
    assert_eq!(Picture::of(&shop.root()), before);
    let over = records(&shop).into_iter().find(|it| it.reason == "TestingOver").unwrap();
    assert_eq!((over.kind, over.outcome), (Kind::State, Outcome::Unchanged));
    assert!(over.revision.unwrap().ends_with(&shop.tip()) && over.detail.contains(&tip));
    let proof = over.proof.unwrap();
    assert_eq!(proof.before, proof.after);
    let told = status(&service);
    assert!(told.quarantine.is_empty() && told.committed.unwrap().generation == 1);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn what_was_tried_out_gives_way_to_the_next_try_and_to_the_merge() {
    let shop = willing();
    let first = offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "testing", &first);
    // Another one in its place, as after a force push.
    let second = offer(&shop, &tried("two\n"));
    service.sync();
    until_last(&service, "testing", &second);
    assert_eq!(content(&shop, "/etc/tried").as_deref(), Some("two\n"));
    // The branch goes on without it: it is taken back, and is not on top any more.
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    let main = shop.commit("more");
    service.sync();
    until("the merge is deployed", || shop.on_host("/etc/more").exists());
    until_last(&service, "", &main);
    assert_eq!(content(&shop, "/etc/tried"), None);
    service.sync();
    let left_out = || status(&service).warnings.iter().any(|it| it.contains("is not on top"));
    until("it is told", left_out);
    // What was tried out is no merge by itself; a commit of its own is, and from then on it is kept.
    let third = offer(&shop, &tried("three\n"));
    service.sync();
    until_last(&service, "testing", &third);
    shop.git(&["merge", "-q", "--ff-only", "testing-web-1"]);
    service.sync();
    until_last(&service, "testing-only", &third);
    assert_eq!(content(&shop, "/etc/tried"), None);
    shop.move_branch(&main);
    shop.git(&["reset", "-q", "--hard", "main"]);
    shop.git(&["merge", "-q", "--no-ff", "--no-commit", "testing-web-1"]);
    let third = shop.commit("keep what was tried out");
    service.sync();
    until("it is kept", || {
        status(&service).committed.is_some_and(|it| it.revision == format!("main@sha1:{third}"))
    });
    assert_eq!(content(&shop, "/etc/tried").as_deref(), Some("three\n"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn what_may_not_be_merged_is_not_tried_out_either() {
    let shop = willing();
    let service = shop.serve();
    let undoless = command("seed", "touch $BOWLINE_ROOT/etc/seed", "", "/etc/seed")
        .replace("  undo: [/bin/sh, -c, \"\"]\n", "");
    let cases: [(&str, &str, &dyn Fn()); 4] = [
        ("mallory", "unknown-key", &|| shop.write("apps/tried.yaml", tried("bad\n"))),
        ("alice", "testing-policy", &|| shop.enact(&shop.law(2), &["alice"])),
        ("alice", "testing-irreversible", &|| shop.write("apps/tried.yaml", &undoless)),
        ("alice", "invalid-manifest", &|| shop.write("apps/tried.yaml", "kind: [")),
    ];
    for (key, code, change) in cases {
        let tip = offer_by(&shop, key, change);
        service.sync();
        until_last(&service, code, &tip);
        let condition = status(&service).conditions.into_iter().find(|it| it.kind == "Testing");
        assert_eq!(condition.unwrap().status, "False", "{code}");
        assert!(!shop.on_host("/etc/tried").exists() && !shop.on_host("/etc/seed").exists());
        // What stands is looked after all the while.
        fs::write(shop.on_host("/etc/app.conf"), "by hand\n").unwrap();
        service.sync();
        until("drift is repaired", || content(&shop, "/etc/app.conf").unwrap() == "app one\n");
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_try_that_fails_is_taken_back_and_not_tried_again() {
    let shop = willing();
    let tip = offer(&shop, &format!("{}{}", tried("bad\n"), probe("[/bin/false]")));
    let service = shop.serve();
    until_last(&service, "probe-failed", &tip);
    service.sync();
    until_last(&service, "quarantined", &tip);
    assert_eq!(content(&shop, "/etc/tried"), None);
    assert!(status(&service).committed.unwrap().revision.ends_with(&shop.tip()));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn nobody_who_did_not_ask_for_it_is_given_something_to_try_out() {
    let shop = settled("");
    offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "", &shop.tip());
    assert_eq!(service.stop(), Some(0));
    // A single cycle ends at once, and so would what it tries out.
    allow(&shop);
    assert_eq!(shop.once().ended(Outcome::Unchanged).code, "");
    assert_eq!(content(&shop, "/etc/tried"), None);
}

#[test]
fn whatever_ends_the_agent_ends_the_test_first() {
    let shop = willing();
    let before = Picture::of(&shop.root());
    let tip = offer(&shop, &tried("one\n"));
    for (signal, reason) in [("TERM", "Stopped"), ("KILL", "Interrupted")] {
        let service = shop.serve();
        until_last(&service, "testing", &tip);
        service.signal(signal);
        assert_eq!(service.ended().is_none(), signal == "KILL");
        assert_eq!(content(&shop, "/etc/tried").as_deref(), Some("one\n"), "{signal}");
        // Nothing is offered any more: the next start goes back, and stays there.
        let copy = shop.copy();
        copy.git(&["branch", "-D", "testing-web-1"]);
        let service = copy.serve();
        until_last(&service, "", &copy.tip());
        assert_eq!(Picture::of(&copy.root()), before, "{signal}");
        let over = records(&copy).remove(0);
        assert_eq!((over.kind, over.outcome), (Kind::State, Outcome::Unchanged), "{signal}");
        assert_eq!(over.reason, reason, "{signal}");
        assert_eq!(service.stop(), Some(0));
        // Still offered, it is tried again after that.
        let service = shop.serve();
        until(reason, || records(&shop).iter().any(|it| it.reason == reason));
        until_last(&service, "testing", &tip);
        assert_eq!(service.stop(), Some(0));
    }
}

#[test]
fn a_host_that_tries_something_out_still_asks_once() {
    let shop = willing();
    let Some(nginx) = Nginx::start(&shop, "") else { return };
    nginx.become_source(&shop, "testing = true\n");
    let tip = offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    nginx.forget();
    assert_eq!(shop.bowline(&["sync", "--wait"]).0, 0);
    let requests = nginx.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(service.stop(), Some(0));
}
