//! The control service is away, ill or of another opinion about time: hosts go on, and nothing is lost.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::status::{Reporting, Status};
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::json;
use tests::agent::{self, until};
use tests::wall_clock;

use crate::full_disk::Small;
use crate::service::{Folder, Service};
use crate::site::{Site, standing, until_all_is_there, until_it_is, warned};

/// The outcomes that the service shows of the host, oldest first.
fn outcomes(service: &Service) -> Vec<String> {
    let page = service.get("/api/v1/deployments?host=web-1&limit=1000").json();
    let items = page["items"].as_array().unwrap().iter().rev();
    items.map(|it| it["outcome"].as_str().unwrap().to_owned()).collect()
}

/// Lets the agent apply a merge, and waits until it did.
#[track_caller]
fn deploy(site: &Site, agent: &agent::Service<'_>, text: &str) {
    let commit = site.merge(text);
    agent.sync();
    until("the merge is applied", || {
        let status: Status = agent.tell("/v1/status");
        status.committed.is_some_and(|it| it.revision.contains(&commit))
    });
}

#[test]
fn what_happened_while_control_was_away_arrives_once_when_it_is_back() {
    let mut service = Service::new();
    let site = Site::with_token(&service);
    service.stay();
    service.stop();
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Unreachable);
    assert!(told.last_error.unwrap().contains("Connection refused"));
    for text in ["one", "two", "three"] {
        deploy(&site, &agent, text);
    }
    assert_eq!(standing(&agent).waiting, 4);
    let status: Status = agent.tell("/v1/status");
    assert!(status.warnings.concat().contains("records waiting: 4"), "{status:?}");
    // A restart of the agent in between loses nothing either.
    assert_eq!(agent.stop(), Some(0));
    let agent = site.shop.serve();
    service.start();
    assert_eq!(until_all_is_there(&agent, &service), 4);
    assert_eq!(outcomes(&service), ["committed"; 4]);
    let status: Status = agent.tell("/v1/status");
    assert!(!status.warnings.concat().contains("control at"), "{status:?}");
}

#[test]
fn a_single_cycle_does_not_wait_for_a_service_that_is_away() {
    let mut service = Service::new();
    let site = Site::with_token(&service);
    service.stay();
    service.stop();
    let shown = warned(&site.shop.once(), Outcome::Committed);
    assert!(shown.contains("unreachable") && shown.contains("records waiting: 1"), "{shown}");
    // One that takes connections and says nothing costs some seconds, and no more.
    let mute = std::net::TcpListener::bind(service.address).unwrap();
    let begun = std::time::Instant::now();
    let shown = warned(&site.shop.once(), Outcome::Unchanged);
    assert!(shown.contains("within 5 s"), "{shown}");
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    drop(mute);
    service.start();
    assert_eq!(warned(&site.shop.once(), Outcome::Unchanged), "");
    assert_eq!(service.seq("web-1"), 1);
}

#[test]
fn control_killed_in_the_middle_of_a_backlog_has_each_record_once() {
    let mut service = Service::new();
    let site = Site::with_token(&service);
    service.stay();
    site.age(6000, &"x".repeat(400));
    let agent = site.shop.serve();
    until("some records arrived", || standing(&agent).acked > 500);
    service.signal(Signal::SIGKILL);
    service.wait();
    until_it_is(&agent, Reporting::Unreachable);
    service.start();
    assert_eq!(until_all_is_there(&agent, &service), 6001);
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"], json!([]));
}

#[test]
fn a_restored_backup_of_control_gets_what_came_since_once_more() {
    let mut service = Service::new();
    let site = Site::with_token(&service);
    service.stay();
    let agent = site.shop.serve();
    deploy(&site, &agent, "one");
    assert_eq!(until_all_is_there(&agent, &service), 2);
    service.stop();
    let store = service.folder.path().join("store/control.db");
    let backup = fs::read(&store).unwrap();
    service.start();
    for text in ["two", "three"] {
        deploy(&site, &agent, text);
    }
    assert_eq!(until_all_is_there(&agent, &service), 4);
    service.stop();
    fs::write(&store, backup).unwrap();
    service.start();
    deploy(&site, &agent, "four");
    assert_eq!(until_all_is_there(&agent, &service), 5);
    // And one that begins anew, with nothing but a new token.
    service.stop();
    fs::remove_file(&store).unwrap();
    service.start();
    site.give(&service.token("web-1", &[]));
    deploy(&site, &agent, "five");
    assert_eq!(until_all_is_there(&agent, &service), 6);
    assert_eq!(outcomes(&service), ["committed"; 6]);
}

#[test]
fn a_lost_note_of_what_was_sent_is_made_good_by_control_itself() {
    let service = Service::new();
    let site = Site::with_token(&service);
    site.age(300, "");
    site.shop.once().ended(Outcome::Committed);
    assert_eq!(service.seq("web-1"), 301);
    let sent = service.figure("records_sent_total");
    fs::remove_file(site.shop.state().join("control.json")).unwrap();
    site.merge("next");
    assert_eq!(warned(&site.shop.once(), Outcome::Committed), "");
    assert_eq!(service.seq("web-1"), 302);
    // The first one asks where the service stands, the other is the new one.
    assert_eq!(service.figure("records_sent_total"), sent + 2);
}

#[test]
fn a_full_disk_at_control_holds_records_up_and_loses_none() {
    let folder = Folder::new();
    let Some(small) = Small::at(&folder) else { return };
    let id = small.id();
    let service = Service::under(folder, &["nsenter", "--mount", "--target", &id], "");
    let site = Site::with_token(&service);
    site.age(1500, &"x".repeat(2000));
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Unreachable);
    assert!(told.last_error.unwrap().contains("507"), "{:?}", standing(&agent));
    deploy(&site, &agent, "meanwhile");
    small.grow(&service.folder);
    assert_eq!(until_all_is_there(&agent, &service), 1502);
}

#[test]
fn a_locked_database_at_control_holds_records_up_and_loses_none() {
    let service = Service::new();
    let site = Site::with_token(&service);
    let agent = site.shop.serve();
    until_all_is_there(&agent, &service);
    let other = Connection::open(service.folder.path().join("store/control.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    deploy(&site, &agent, "meanwhile");
    let told = until_it_is(&agent, Reporting::Unreachable);
    assert!(told.last_error.unwrap().contains("503"));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(until_all_is_there(&agent, &service), 2);
}

#[test]
fn a_clock_of_controls_that_is_a_year_off_is_no_trouble_but_for_tokens() {
    const YEAR: i64 = 365 * 24 * 60 * 60;
    for seconds in [YEAR, -YEAR] {
        let folder = Folder::new();
        let Some(clock) = wall_clock::build(folder.path()) else { return };
        let words = wall_clock::off_by(folder.path(), &clock, 0);
        let off = folder.path().join("off");
        let service = Service::under(folder, &words.each_ref().map(String::as_str), "");
        let site = Site::with_token(&service);
        let agent = site.shop.serve();
        until_all_is_there(&agent, &service);
        fs::write(&off, seconds.to_string()).unwrap();
        deploy(&site, &agent, "meanwhile");
        assert_eq!(until_all_is_there(&agent, &service), 2);
        // The host's own account of when is what is shown.
        let page = service.get("/api/v1/deployments").json();
        let years: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["at"].as_str().unwrap()[..4].to_owned())
            .collect();
        assert_eq!(years[0], years[1], "{page}");
    }
}

#[test]
fn fault_28_control_and_remote_are_down_during_a_revert_and_hear_of_it_later() {
    let mut service = Service::new();
    let site = Site::with_token(&service);
    service.stay();
    site.merge("good");
    let agent = site.shop.serve();
    assert_eq!(until_all_is_there(&agent, &service), 1);
    // The probe tells that it was asked, and does not pass.
    let asked = site.shop.folder().join("asked");
    let go = site.shop.folder().join("go");
    let script = format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.05; done; exit 1",
        asked.display(),
        go.display()
    );
    site.shop.write(
        "apps/probe.yaml",
        format!(
            "apiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: judge}}\nspec: {{exec: {{argv: [/bin/sh, -c, \
             {script:?}]}}, timeout: 30s, interval: 100ms, successThreshold: 1, failureThreshold: 1, \
             deadline: 2s, soak: 0s}}\n"
        ),
    );
    site.merge("bad");
    agent.sync();
    until("the probe is asked", || asked.exists());
    let motd = || fs::read_to_string(site.shop.on_host("/etc/motd")).unwrap();
    assert_eq!(motd(), "bad");
    service.signal(Signal::SIGKILL);
    service.wait();
    let away = site.shop.folder().join("away");
    fs::rename(site.shop.repo(), &away).unwrap();
    fs::write(&go, "").unwrap();
    until("the change is taken back", || motd() == "good");
    until("the record is written", || standing(&agent).waiting == 1);
    // The record is told before the cycle is over.
    until("the revert is told", || {
        let status: Status = agent.tell("/v1/status");
        status.last.unwrap().outcome == Outcome::Reverted
    });
    service.start();
    fs::rename(&away, site.shop.repo()).unwrap();
    assert_eq!(until_all_is_there(&agent, &service), 2);
    assert_eq!(outcomes(&service), ["committed", "reverted"]);
}
