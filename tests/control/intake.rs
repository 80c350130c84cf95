//! Records: taken once, in order, and acknowledged when they are durable.

use std::thread;

use serde_json::json;

use crate::host::Host;
use crate::service::Service;

#[test]
fn many_records_sent_twice_are_kept_once() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1000);
    for _ in 0..2 {
        for from in (0..1000).step_by(300) {
            let answer = service.send(&host.after(from, 300));
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    assert_eq!(service.send(&host.after(0, 1)).json(), json!({"acked": 1000}));
    assert_eq!(service.seq("web-1"), 1000);
    assert_eq!(service.figure("records_taken_total"), 1000);
    assert_eq!(service.figure("records_sent_total"), 2001);
    let mut ids = Vec::new();
    let mut after = String::new();
    loop {
        let page = service.get(&format!("/api/v1/deployments?limit=400{after}")).json();
        ids.extend(page["items"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let expected: Vec<u64> = (1..=1000).rev().collect();
    assert_eq!(ids, expected);
}

#[test]
fn attack_34_a_gap_is_told_with_what_is_expected_and_closes_when_it_comes() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(5);
    let lines = host.all();
    let sent = [&lines[..2], &lines[3..]].concat();
    for count in 1..=2 {
        let answer = service.send(&sent);
        answer.problem(409);
        let told = answer.json();
        let what = [&told["code"], &told["acked"], &told["expected"], &told["seq"]];
        assert_eq!(what.map(Clone::clone), [json!("gap"), json!(2), json!(3), json!(4)]);
        let faults = service.get("/api/v1/hosts/web-1").json()["faults"].clone();
        assert_eq!(faults.as_array().unwrap().len(), 1);
        let fault = [&faults[0]["kind"], &faults[0]["open"], &faults[0]["count"]];
        assert_eq!(fault.map(Clone::clone), [json!("gap"), json!(true), json!(count)]);
    }
    assert_eq!(service.seq("web-1"), 2);
    assert_eq!(service.figure("chain_alarms{kind=\"gap\"}"), 1);
    assert_eq!(service.send(&lines[2..]).json(), json!({"acked": 5}));
    let shown = service.get("/api/v1/hosts/web-1").json();
    assert_eq!((&shown["alarms"], &shown["faults"][0]["open"]), (&json!(0), &json!(false)));
}

#[test]
fn attack_34_a_fork_is_never_taken_and_stays_an_alarm() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(2);
    let mut twin = host.copy();
    host.tell_many(2);
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 4}));
    // The same machine twice: it goes on from the second record in its own way.
    twin.tell(&"b2".repeat(20), None, bowline_api::outcome::Outcome::Reverted);
    for lines in [twin.after(2, 1), twin.all()] {
        let answer = service.send(&lines);
        answer.problem(409);
        let told = answer.json();
        assert_eq!(
            (&told["code"], &told["seq"], &told["acked"]),
            (&json!("fork"), &json!(3), &json!(4))
        );
    }
    // One that names another record before it.
    twin.tell_many(2);
    let answer = service.send(&twin.after(4, 1));
    assert_eq!(
        (answer.json()["code"].clone(), answer.json()["seq"].clone()),
        (json!("fork"), json!(5))
    );
    host.tell_many(1);
    assert_eq!(service.send(&host.after(4, 1)).json(), json!({"acked": 5}));
    assert_eq!(service.figure("chain_alarms{kind=\"fork\"}"), 2);
    assert_eq!(service.get("/api/v1/deployments?outcome=reverted").json()["items"], json!([]));
}

#[test]
fn hosts_that_write_at_once_are_all_kept() {
    let service = Service::new();
    let mut hosts: Vec<_> =
        (0..8).map(|at| Host::enrolled(&service, &format!("web-{at}"))).collect();
    hosts.iter_mut().for_each(|it| it.tell_many(60));
    thread::scope(|scope| {
        for host in &hosts {
            // Two of each: an agent that sent again before its first request was answered.
            for _ in 0..2 {
                scope.spawn(|| {
                    for from in (0..60).step_by(10) {
                        let answer = service.send(&host.after(from, 10));
                        assert_eq!(answer.status, 200, "{answer:?}");
                    }
                });
            }
        }
    });
    for host in &hosts {
        assert_eq!(service.seq(&host.name), 60);
    }
    assert_eq!(service.figure("records_taken_total"), 480);
    assert_eq!(service.figure("records_sent_total"), 960);
}
