//! The limit of what is kept for control, seen from outside.

use std::fs;
use std::process::Command;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_api::status::{Reporting, Status};
use bowline_host::record::{Most, Outbox};
use serde_json::json;

use tests::agent::until;

use crate::service::Service;
use crate::site::{Site, until_all_is_there, until_it_is};

/// A segment of the record log holds so much.
const SEGMENT_BYTES: u64 = 4 << 20;

/// Bytes in the folder of records.
fn kept(site: &Site) -> u64 {
    let folder = fs::read_dir(site.shop.state().join("records")).unwrap();
    folder.map(|it| it.unwrap().metadata().unwrap().len()).sum()
}

/// A control service that is away, and a host that keeps up to 8 MiB for it.
fn apart() -> (Service, Site) {
    let mut service = Service::new();
    let site = Site::told(&service, "spool = \"8MiB\"\n");
    site.give(&service.token("web-1", &[]));
    service.stay();
    service.stop();
    (service, site)
}

/// How much of the newest segment is left.
pub(crate) fn room(site: &Site) -> u64 {
    let folder = fs::read_dir(site.shop.state().join("records")).unwrap();
    let newest = folder.map(|it| it.unwrap().path()).max().unwrap();
    SEGMENT_BYTES - newest.metadata().unwrap().len()
}

#[test]
fn below_the_limit_nothing_is_lost_however_long_control_was_away() {
    let service = Service::new();
    let site = Site::told(&service, "spool = \"8MiB\"\n");
    site.give(&service.token("web-1", &[]));
    site.age(9, &"x".repeat(500 << 10));
    assert!(kept(&site) < 8 << 20);
    let agent = site.shop.serve();
    assert_eq!(until_all_is_there(&agent, &service), 10);
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"], serde_json::json!([]));
}

#[test]
fn people_hear_of_a_spool_that_is_nearly_full_while_nothing_is_lost_yet() {
    let (mut service, site) = apart();
    // Three quarters of it: two thirds of a mebibyte each.
    site.age(9, &"x".repeat(500 << 10));
    let told = site.shop.once();
    let warned = |it: &Cycle| it.warnings.iter().any(|it| it.contains("% of control.spool"));
    assert!(!warned(told.ended(Outcome::Committed)), "{told:?}");
    site.age(2, &"x".repeat(400 << 10));
    let told = site.shop.once();
    assert!(warned(told.ended(Outcome::Unchanged)), "{told:?}");
    assert_eq!(told.said.matches("the spool is nearly full").count(), 1, "{}", told.said);
    let agent = site.shop.serve();
    let status = || agent.tell::<Status>("/v1/status");
    let warned = || status().warnings.iter().any(|it| it.contains("% of control.spool"));
    until("it is told", warned);
    let page = agent.answer("/metrics").1;
    let figure = |name: &str| {
        let line = page.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse::<u64>().unwrap()
    };
    let waiting = kept(&site);
    assert_eq!(figure("bowline_spool_waiting_records"), site.written());
    // A full segment counts as such, whatever did not fit its end.
    assert!(figure("bowline_spool_waiting_bytes").abs_diff(waiting) < 1 << 20, "{waiting}: {page}");
    assert_eq!(figure("bowline_spool_limit_bytes"), 8 << 20);
    assert_eq!(figure("bowline_spool_dropped_records_total"), 0);
    service.start();
    agent.sync();
    until_all_is_there(&agent, &service);
    assert!(!warned() && status().control.unwrap().waiting_bytes == 0, "{:?}", status());
    assert_eq!(agent.stop(), Some(0));
}

#[test]
fn beyond_the_limit_the_oldest_go_and_log_status_and_control_tell_it() {
    let (mut service, site) = apart();
    site.age(10, &"x".repeat(500 << 10));
    // The next record does not fit the segment any more: a new one is begun, and the oldest goes.
    let before = room(&site);
    site.age(1, "");
    let line = before - room(&site);
    site.age(room(&site) / line, "");
    let told = site.shop.once();
    told.ended(Outcome::Committed);
    assert!(told.said.contains("control.spool is full"), "{}", told.said);
    assert!(kept(&site) <= 8 << 20, "{}", kept(&site));
    service.start();
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Missing);
    let why = told.last_error.unwrap();
    assert!(why.contains("wants record 1 next"), "{why}");
    assert!(told.waiting > 10, "{}", told.waiting);
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"][0]["kind"], "gap");
    let status: Status = agent.tell("/v1/status");
    assert_eq!(status.last.unwrap().outcome, Outcome::Unchanged, "the host goes on");
    assert_eq!(agent.stop(), Some(0));
    // A person says that what is missing is lost: the chain goes on with what the host has, and only there.
    let oldest = service.get("/api/v1/hosts/web-1").json()["faults"][0]["seq"].as_u64().unwrap();
    let go_on = |from: u64| {
        let words = ["host", "continue", "web-1", "--from", &from.to_string(), "--note", "OPS-8"];
        service.verb(&words).status.code()
    };
    assert_eq!([go_on(oldest + 1), go_on(oldest)], [Some(1), Some(0)]);
    let agent = site.shop.serve();
    assert_eq!(until_all_is_there(&agent, &service), site.written());
    let shown = service.get("/api/v1/hosts/web-1").json();
    assert_eq!((&shown["alarms"], &shown["faults"][0]["open"]), (&json!(0), &json!(false)));
    assert_eq!(shown["decisions"][0]["what"], json!(format!("its records from {oldest} on")));
    let told = service.get(&format!("/deployments/web-1/@{oldest}.json")).json();
    let proof = json!({"signature": true, "digest": true, "predecessor": false});
    assert_eq!(told["records"][0]["proof"], proof, "what was before it nobody can show");
    let page = service.get(&format!("/deployments/web-1/@{oldest}")).body;
    assert!(page.contains("a person let the chain go on here"), "{page}");
    let page = service.get(&format!("/deployments/web-1/@{}", oldest + 1)).body;
    assert!(page.contains("Verified for this page"), "{page}");
    assert_eq!(go_on(oldest), Some(1), "no record is missing any more");
}

#[test]
fn what_a_host_was_thought_to_have_lost_is_taken_when_it_turns_up() {
    let (mut service, site) = apart();
    site.age(10, &"x".repeat(500 << 10));
    // Somebody has a copy of the records, a backup, say, before the oldest go.
    let copy = site.shop.folder().join("copy");
    let from = site.shop.state().join("records");
    let copied = Command::new("cp").arg("-a").args([&from, &copy]).status();
    assert!(copied.unwrap().success());
    let before = room(&site);
    site.age(1, "");
    let line = before - room(&site);
    site.age(room(&site) / line, "");
    site.shop.once().ended(Outcome::Committed);
    service.start();
    let agent = site.shop.serve();
    until_it_is(&agent, Reporting::Missing);
    assert_eq!(agent.stop(), Some(0));
    let oldest = service.get("/api/v1/hosts/web-1").json()["faults"][0]["seq"].as_u64().unwrap();
    let words = ["host", "continue", "web-1", "--from", &oldest.to_string()];
    assert!(service.verb(&words).status.success());
    let agent = site.shop.serve();
    let all = until_all_is_there(&agent, &service);
    let shown = || service.get("/api/v1/hosts/web-1").json();
    let state = || {
        let page = service.get("/hosts/web-1").body;
        page.split("<td>").find(|it| it.starts_with("continued: ")).unwrap().to_owned()
    };
    let stands = shown();
    // The newest of them first: nobody stands before it.
    let lost = oldest - 1;
    for seq in (1..=lost).rev() {
        let one = Most { lines: 1, bytes: 1 };
        let parcel = Outbox::of(&copy).after(seq - 1, 10, one).unwrap().unwrap();
        assert_eq!((parcel.first, parcel.count), (seq, 1));
        let answer = service.post("/agent/v1/records", parcel.body);
        assert_eq!(answer.json(), json!({"acked": all}), "{answer:?}");
        let told = service.get(&format!("/deployments/web-1/@{seq}.json")).json();
        assert_eq!(
            (&told["records"][0]["late"], told["records"][0]["continued"] == (seq > 1)),
            (&json!(true), true)
        );
        let is_last = seq == 1;
        let word = if is_last {
            "came late<".to_owned()
        } else {
            format!("lost, but for {} that came late<", oldest - seq)
        };
        assert!(state().contains(&word), "{}", state());
    }
    let page = service.get("/deployments/web-1/@1").body;
    assert!(page.contains("<b>late</b>") && page.contains("Verified for this page"), "{page}");
    let after = shown();
    for field in ["seq", "revision", "outcome", "at", "since", "health", "alarms"] {
        assert_eq!(after[field], stands[field], "{field}");
    }
    assert_eq!(
        (&after["faults"][0]["late"], &after["faults"][0]["lostTo"]),
        (&json!(lost), &json!(lost))
    );
    assert!(service.get("/hosts/web-1").body.contains("came late</span>"));
    // What it says next is taken as ever.
    site.merge("next");
    agent.sync();
    until("the next record is there", || service.seq("web-1") == all + 1);
    assert_eq!(agent.stop(), Some(0));
}
