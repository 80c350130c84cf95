//! What is large, and many who ask for it at once.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bowline_model::digest::Sha256;
use serde_json::Value;

use crate::host::Host;
use crate::http::{connect, head};
use crate::service::Service;

const RECORDS: u64 = 50;

/// A deployment of the most and largest records that a host can send; gives the newest.
fn biggest(service: &Service) -> String {
    let host = Host::enrolled(service, "web-1");
    let lines = host.chatter("big", &[&*"x".repeat(750_000); RECORDS as usize]);
    for line in &lines {
        assert_eq!(service.send(std::slice::from_ref(line)).status, 200);
    }
    lines.last().unwrap().clone()
}

#[test]
fn a_large_deployment_is_told_in_parts_newest_first() {
    let service = Service::new();
    let newest = biggest(&service);
    let mut path = "/deployments/web-1/big.json".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = service.get(&path);
        assert!(answer.body.len() < 3 << 20, "{} bytes", answer.body.len());
        let timeline = answer.json();
        let records = timeline["records"].as_array().unwrap();
        seen.extend(records.iter().map(|it| it["seq"].as_u64().unwrap()));
        let Value::String(next) = &timeline["next"] else { break };
        path = format!("/deployments/web-1/big.json?after={next}");
    }
    assert_eq!(seen, (1..=RECORDS).rev().collect::<Vec<_>>());
    let page = service.get("/deployments/web-1/big").body;
    assert!(page.len() < 3 << 20 && page.contains("Older records"), "{} bytes", page.len());
    // What proves a record is a link away, byte for byte.
    let told = service.get("/deployments/web-1/big.json").json()["records"][0].clone();
    let envelope = service.get(told["envelope"].as_str().unwrap()).body;
    assert_eq!(told["digest"], Sha256::of(envelope.as_bytes()).to_string());
    assert_eq!(envelope, newest);
}

#[test]
fn a_large_deployment_asked_for_by_many_who_take_nothing_stops_nobody() {
    let service = Service::new();
    biggest(&service);
    let mut deaf: Vec<_> = (0..30).map(|_| connect(service.address)).collect();
    for (at, stream) in deaf.iter_mut().enumerate() {
        let path = ["/deployments/web-1/big", "/deployments/web-1/big.json"][at % 2];
        stream.write_all(head("GET", path, None, 0).as_bytes()).unwrap();
    }
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        let now = Instant::now();
        assert_eq!(service.get("/healthz").status, 200);
        longest = longest.max(now.elapsed());
        asked += 1;
    }
    println!("{asked} times asked, at most {longest:?}, {} KiB", service.resident_kib());
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert!(service.resident_kib() < 300 << 10, "{} KiB", service.resident_kib());
}

#[test]
fn a_deployment_with_many_records_shows_the_newest_and_goes_on() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    let mut details = [""; 57];
    details[56] = "the newest";
    assert_eq!(service.send(&host.chatter("many", &details)).status, 200);
    let page = service.get("/deployments/web-1/many").body;
    assert!(page.contains("the newest"), "{page}");
    let ids: Vec<&str> =
        page.split(" id=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{ids:?}");
    let next = page.split("<p class=\"more\"><a href=\"").nth(1).unwrap();
    let older = service.get(next.split('"').next().unwrap()).body;
    assert_eq!(older.matches("<article").count(), 7, "{older}");
    assert!(older.contains("record 1 of 57"), "{older}");
}
