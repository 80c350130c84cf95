//! What people order by `bowline`: pause and resume, revert and retry, and what each would do.
//!
//! **Invariant:** a pause outlives a restart; what was reverted by order stays away until somebody says
//! otherwise.

use std::fs;

use bowline_api::ask::Rehearsal;
use bowline_api::cycle::{Cycle, PlanView};
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_api::status::{Status, WaitingFor};
use tests::agent::{Service, until};
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{file, probe, settled};

fn read(shop: &Workshop, path: &str) -> String {
    fs::read_to_string(shop.on_host(path)).unwrap_or_default()
}

/// The cycle that answers an order.
#[track_caller]
fn waited(shop: &Workshop, verb: &[&str], code: i32) -> Cycle {
    let said = shop.bowline(&[verb, &["--wait", "--json"]].concat());
    assert_eq!(said.0, code, "{verb:?}: {said:?}");
    serde_json::from_str(&said.1).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

fn merge(shop: &Workshop, content: &str) {
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", content));
    shop.commit(content.trim());
}

fn waits_for(service: &Service<'_>, kind: &str) -> Option<WaitingFor> {
    service.tell::<Status>("/v1/status").waiting_for.filter(|it| it.kind == kind)
}

#[test]
fn a_pause_holds_merges_and_repairs_over_a_restart_until_somebody_resumes() {
    let shop = settled("");
    let service = shop.serve();
    let (code, _, said) = shop.bowline(&["pause"]);
    assert_eq!(code, 2, "{said}");
    let dry = shop.bowline(&["pause", "--reason", "upgrade", "--dry-run"]);
    assert!(dry.1.starts_with("would be paused by "), "{dry:?}");
    assert!(!shop.state().join("pause.json").exists());
    let (code, said, _) = shop.bowline(&["pause", "--reason", "upgrade", "--for", "1h"]);
    assert_eq!(code, 0);
    assert!(said.starts_with("paused by ") && said.ends_with(": upgrade\n"), "{said}");
    until("the pause is told", || waits_for(&service, "pause").is_some());
    let told = waits_for(&service, "pause").unwrap();
    assert_eq!(told.detail, "upgrade");
    assert!(told.until.is_some() && !told.holder.is_empty(), "{told:?}");
    merge(&shop, "app two\n");
    let cycle = waited(&shop, &["sync"], 1);
    assert_eq!((cycle.outcome, cycle.code.as_str()), (Outcome::Held, "paused"));
    assert!(cycle.detail.ends_with(": upgrade"), "{}", cycle.detail);
    fs::write(shop.on_host("/etc/app.conf"), "by hand\n").unwrap();
    assert_eq!(service.stop(), Some(0));
    // A cycle by hand is held as well: it is the host that is paused.
    shop.once().ended_for(Outcome::Held, "paused");
    let service = shop.serve();
    assert_eq!(waited(&shop, &["sync"], 1).code, "paused");
    assert_eq!(read(&shop, "/etc/app.conf"), "by hand\n");
    let (code, said, _) = shop.bowline(&["resume", "--dry-run"]);
    assert!(code == 0 && said.contains("File/app"), "{code} {said}");
    until("it is still paused", || waits_for(&service, "pause").is_some());
    let (code, said, _) = shop.bowline(&["resume"]);
    assert!(code == 0 && said.starts_with("ended the pause by "), "{said}");
    until("what waited is deployed", || read(&shop, "/etc/app.conf") == "app two\n");
    assert_eq!(shop.bowline(&["resume"]).1, "the agent was not paused\n");
    assert_eq!(service.stop(), Some(0));
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let shop = settled("");
    let service = shop.serve();
    merge(&shop, "app two\n");
    assert_eq!(shop.bowline(&["pause", "--reason", "a moment", "--for", "1s"]).0, 0);
    // The interval is endless here: it is the end of the pause that wakes the agent.
    until("the pause is over and the merge deployed", || {
        read(&shop, "/etc/app.conf") == "app two\n"
    });
    assert!(waits_for(&service, "pause").is_none());
    for wrong in [&["--for", "0s"][..], &["--reason", ""], &["--reason", "two\nlines"]] {
        let said = shop.bowline(&[&["pause", "--reason", "x"], wrong].concat());
        assert!(said.0 == 1 || said.0 == 2, "{wrong:?}: {said:?}");
    }
    assert!(waits_for(&service, "pause").is_none());
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn an_ordered_revert_goes_back_is_recorded_and_held_until_a_retry() {
    let shop = settled("");
    let old = Picture::of(&shop.root());
    let service = shop.serve();
    merge(&shop, "app two\n");
    assert_eq!(waited(&shop, &["sync"], 0).outcome, Outcome::Committed);
    let new = Picture::of(&shop.root());
    let (code, plan, _) = shop.bowline(&["revert", "--dry-run", "--json"]);
    let plan: Rehearsal = serde_json::from_str(&plan).unwrap();
    assert_eq!((code, plan.would), (0, Outcome::Committed));
    assert_eq!(plan.plan.unwrap().steps.len(), 1);
    assert_eq!(Picture::of(&shop.root()), new, "a rehearsal changes nothing");
    // The remote may be away: everything is on the host.
    shop.run("mv", &["repo", "away"]);
    let cycle = waited(&shop, &["revert", "--reason", "slow pages"], 0);
    shop.run("mv", &["away", "repo"]);
    assert_eq!((cycle.outcome, cycle.reason.as_str()), (Outcome::Committed, "RevertRequested"));
    assert!(cycle.detail.ends_with(": slow pages"), "{}", cycle.detail);
    assert_eq!(Picture::of(&shop.root()), old);
    let newest: Vec<Record> = service.tell("/v1/history?limit=1");
    assert_eq!(newest[0].reason, "RevertRequested");
    assert!(newest[0].detail.ends_with(": slow pages"));
    let held = waited(&shop, &["sync"], 1);
    assert_eq!((held.outcome, held.code.as_str()), (Outcome::Held, "quarantined"));
    assert!(held.detail.contains("slow pages"), "{}", held.detail);
    assert_eq!(service.stop(), Some(0));
    let service = shop.serve();
    assert_eq!(waited(&shop, &["sync"], 1).code, "quarantined", "it outlives a restart");
    let (code, would, _) = shop.bowline(&["retry", "--dry-run"]);
    assert!(code == 0 && would.contains("File/app"), "{would}");
    assert_eq!(waited(&shop, &["sync"], 1).code, "quarantined", "it was only rehearsed");
    assert_eq!(waited(&shop, &["retry"], 0).outcome, Outcome::Committed);
    assert_eq!(Picture::of(&shop.root()), new);
    assert_eq!(waited(&shop, &["sync"], 0).outcome, Outcome::Unchanged);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_retry_gives_a_failed_change_another_chance_and_waits_for_its_end() {
    let shop = settled("");
    let well = "test -e $BOWLINE_ROOT/etc/well";
    let judge = probe(&format!("[/bin/sh, -c, {well:?}]"));
    shop.write("apps/app.yaml", format!("{}{judge}", file("app", "/etc/app.conf", "app two\n")));
    shop.commit("two");
    let service = shop.serve();
    until("it is taken back", || {
        let status: Status = service.tell("/v1/status");
        status.last.is_some_and(|it| it.outcome == Outcome::Reverted)
    });
    fs::write(shop.on_host("/etc/well"), "").unwrap();
    assert_eq!(waited(&shop, &["sync"], 1).code, "quarantined");
    let (code, stdout, stderr) = shop.bowline(&["retry", "--wait"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.starts_with("committed main@sha1:"), "{stdout}");
    for phase in ["fetch", "plan", "apply", "commit"] {
        assert!(stderr.contains(&format!("phase {phase}\n")), "{phase}: {stderr}");
    }
    let status: Status = service.tell("/v1/status");
    assert!(status.quarantine.is_empty(), "{:?}", status.quarantine);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn there_is_nothing_to_go_back_to_before_the_first_generation() {
    let shop = settled("");
    let service = shop.serve();
    assert_eq!(waited(&shop, &["sync"], 0).outcome, Outcome::Unchanged);
    let before: Status = service.tell("/v1/status");
    let cycle = waited(&shop, &["revert"], 1);
    assert_eq!((cycle.outcome, cycle.code.as_str()), (Outcome::Refused, "nothing-to-revert"));
    let after: Status = service.tell("/v1/status");
    assert_eq!(
        (after.last, after.conditions),
        (before.last, before.conditions),
        "nothing came of it"
    );
    let (code, said, _) = shop.bowline(&["revert", "--dry-run"]);
    assert!(code == 1 && said.contains("code: nothing-to-revert\n  hint: "), "{said}");
    let plan: PlanView = service.tell("/v1/plan");
    assert!(plan.steps.is_empty(), "{plan:?}");
    assert_eq!(service.stop(), Some(0));
}
