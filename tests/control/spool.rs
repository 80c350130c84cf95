//! The limit of what is kept for control, seen from outside.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::status::{Reporting, Status};

use crate::service::Service;
use crate::site::{Site, standing, until_all_is_there, until_it_is};

/// Bytes in the folder of records.
fn kept(site: &Site) -> u64 {
    let folder = fs::read_dir(site.shop.state().join("records")).unwrap();
    folder.map(|it| it.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn below_the_limit_nothing_is_dropped_and_beyond_it_what_is_missing_is_told() {
    let mut service = Service::new();
    let site = Site::told(&service, "spool = \"8MiB\"\n");
    service.stay();
    site.give(&service.token("web-1", &[]));
    // A backlog of more than the limit, from a version that knew none.
    site.age(14, &"x".repeat(500 << 10));
    let before = kept(&site);
    assert!(before > 8 << 20, "{before}");
    let agent = site.shop.serve();
    // Looking at it drops nothing: it all arrives, though it is more than the limit.
    assert_eq!(until_all_is_there(&agent, &service), 15);
    agent.stop();

    service.stop();
    site.age(14, &"y".repeat(500 << 10));
    let agent = site.shop.serve();
    until_it_is(&agent, Reporting::Unreachable);
    service.start();
    assert_eq!(until_all_is_there(&agent, &service), 29);
}

#[test]
fn records_that_are_gone_on_both_sides_are_an_alarm_on_the_host() {
    let service = Service::new();
    let site = Site::with_token(&service);
    site.age(20, &"x".repeat(500 << 10));
    // As a limit would have done, while control was away for too long.
    fs::remove_file(site.shop.state().join("records/00000001.ndjson")).unwrap();
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Missing);
    let why = told.last_error.unwrap();
    assert!(why.contains("wants record 1 next"), "{why}");
    let status: Status = agent.tell("/v1/status");
    assert_eq!(status.last.unwrap().outcome, Outcome::Committed, "the host goes on");
    assert!(standing(&agent).waiting >= 20);
}
