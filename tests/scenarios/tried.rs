//! What happens beside a test, before it and after it: drift, mirrors, a pause, a merge that waits.
//!
//! **Invariant:** the end of a test puts back what was committed, and never what somebody did by hand.

use std::fs;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use bowline_api::status::Condition;
use tests::agent::{Service, until};

use crate::story::{file, probe};
use crate::testing::{content, offer, records, status, tried, until_last, willing};

/// A counter of `/metrics`, whatever its other labels are.
fn count(service: &Service<'_>, line: &str) -> u64 {
    let (_, page) = service.answer("/metrics");
    let lines = page.lines().filter(|it| it.starts_with(line));
    lines.map(|it| it.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Whether something is tried out, as the status says it to programs.
fn testing(service: &Service<'_>) -> Option<Condition> {
    status(service).conditions.into_iter().find(|it| it.kind == "Testing")
}

#[test]
fn drift_is_repaired_before_a_test_and_does_not_come_back_with_its_end() {
    let shop = willing();
    let tip = offer(&shop, &tried("one\n"));
    fs::write(shop.on_host("/etc/app.conf"), "by hand\n").unwrap();
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    assert_eq!(content(&shop, "/etc/app.conf").as_deref(), Some("app one\n"));
    assert_eq!(records(&shop)[1].kind, Kind::Drift);
    assert_eq!(testing(&service).unwrap().status, "True");
    shop.git(&["branch", "-D", "testing-web-1"]);
    service.sync();
    until_last(&service, "", &shop.tip());
    assert_eq!(content(&shop, "/etc/app.conf").as_deref(), Some("app one\n"));
    assert_eq!(testing(&service), None);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn what_a_hand_changes_of_a_test_is_told_without_a_poll_and_kept_aside_at_its_end() {
    let shop = willing();
    let tip = offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    let polls = count(&service, "bowline_polls_total{");
    let path = shop.on_host("/etc/tried");
    fs::write(&path, "by hand\n").unwrap();
    until_last(&service, "testing-drifted", &tip);
    let told = status(&service);
    assert!(told.last.unwrap().detail.contains("/etc/tried is not as it is tried out"));
    // What stands beside it is looked at as well.
    fs::write(&path, "one\n").unwrap();
    until_last(&service, "testing", &tip);
    fs::write(shop.on_host("/etc/app.conf"), "by hand\n").unwrap();
    until_last(&service, "testing-drifted", &tip);
    assert_eq!(count(&service, "bowline_polls_total{"), polls, "no remote was asked");
    fs::write(&path, "by hand\n").unwrap();
    shop.git(&["branch", "-D", "testing-web-1"]);
    let said = shop.bowline(&["sync", "--wait", "--json"]);
    let cycle: Cycle = serde_json::from_str(&said.1).unwrap();
    assert!(cycle.warnings.iter().any(|it| it.contains("at the end of the test: /etc/tried")));
    assert_eq!(content(&shop, "/etc/tried"), None);
    // The look that follows the end repaired what drifted meanwhile.
    assert_eq!((said.0, cycle.outcome), (0, Outcome::Committed), "{said:?}");
    assert_eq!(content(&shop, "/etc/app.conf").as_deref(), Some("app one\n"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_mirror_that_lags_ends_no_test_and_the_first_remote_does() {
    let shop = willing();
    shop.run("git", &["clone", "-q", "--bare", "repo", "mirror"]);
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let both = text.replace("url = \"repo\"", "url = [\"repo\", \"mirror\"]");
    fs::write(&settings, both).unwrap();
    let tip = offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    let away = shop.folder().join("away");
    fs::rename(shop.repo(), &away).unwrap();
    let (code, said, _) = shop.bowline(&["sync", "--wait", "--json"]);
    let cycle: Cycle = serde_json::from_str(&said).unwrap();
    assert_eq!((code, cycle.code.as_str()), (0, "testing"), "{said}");
    assert!(cycle.warnings.iter().any(|it| it.contains("the test goes on")), "{said}");
    assert_eq!(content(&shop, "/etc/tried").as_deref(), Some("one\n"));
    fs::rename(away, shop.repo()).unwrap();
    shop.git(&["branch", "-D", "testing-web-1"]);
    let (code, said, _) = shop.bowline(&["sync", "--wait", "--json"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(content(&shop, "/etc/tried"), None);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn one_sync_takes_a_test_back_and_deploys_the_merge_that_waits() {
    let shop = willing();
    let tip = offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    let main = shop.commit("more");
    let (code, said, _) = shop.bowline(&["sync", "--wait", "--json"]);
    let cycle: Cycle = serde_json::from_str(&said).unwrap();
    assert_eq!((code, cycle.outcome), (0, Outcome::Committed), "{said}");
    assert!(cycle.revision.unwrap().ends_with(&main), "{said}");
    assert!(content(&shop, "/etc/tried").is_none() && content(&shop, "/etc/more").is_some());
    let reverted = "bowline_cycles_total{outcome=\"reverted\"";
    assert_eq!(count(&service, reverted), 0);
    assert!(records(&shop).iter().all(|it| it.outcome != Outcome::Reverted));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn what_is_ordered_while_a_test_ends_is_done_and_not_taken_for_done() {
    let shop = willing();
    // There is a way back from it, and its probe takes a moment, also at the test's end.
    let slow =
        probe("[/bin/sleep, \"1\"]").replace("deadline: 100ms", "deadline: 10s, timeout: 5s");
    shop.write("apps/more.yaml", format!("{}{slow}", file("more", "/etc/more", "more\n")));
    shop.commit("more");
    shop.once().ended(Outcome::Committed);
    let tip = offer(&shop, &tried("one\n"));
    let service = shop.serve();
    until_last(&service, "testing", &tip);
    shop.git(&["branch", "-D", "testing-web-1"]);
    service.sync();
    until("the test ends", || content(&shop, "/etc/tried").is_none());
    let (code, said, _) = shop.bowline(&["revert", "--reason", "slow", "--wait", "--json"]);
    let cycle: Cycle = serde_json::from_str(&said).unwrap();
    assert_eq!((code, cycle.reason.as_str()), (0, "RevertRequested"), "{said}");
    assert_eq!(content(&shop, "/etc/more"), None);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_test_that_waits_for_the_end_of_a_pause_says_so() {
    let shop = willing();
    let service = shop.serve();
    until_last(&service, "", &shop.tip());
    assert_eq!(shop.bowline(&["pause", "--reason", "upgrade"]).0, 0);
    let tip = offer(&shop, &tried("one\n"));
    service.sync();
    until("it is told", || testing(&service).is_some());
    let told = testing(&service).unwrap();
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "Paused"));
    assert!(told.message.starts_with("testing-web-1 waits: the agent is paused by"), "{told:?}");
    assert!(status(&service).warnings.contains(&told.message));
    assert_eq!(shop.bowline(&["resume"]).0, 0);
    until_last(&service, "testing", &tip);
    assert_eq!(testing(&service).unwrap().status, "True");
    assert_eq!(service.stop(), Some(0));
}
