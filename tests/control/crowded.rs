//! What is large, and many who ask for it at once.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bowline_api::record::PAYLOAD_TYPE;
use bowline_model::digest::Sha256;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};
use tests::agent::until;

use crate::host::{Host, blank};
use crate::http::{connect, head, try_ask};
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

/// Hosts that send at once while the store is locked.
const SENDERS: usize = 64;

#[test]
fn records_that_wait_for_a_locked_store_are_weighed_as_they_are_held() {
    let mut service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    let mut record = blank("web-1", "d");
    (record.seq, record.prev) = (1, "0".repeat(64));
    // Parsed, it takes sixteen times its text.
    record.gates = vec![json!(0); 380_000];
    let line = host.envelope(PAYLOAD_TYPE, &serde_json::to_vec(&record).unwrap());
    assert!(line.len() > 1_000_000 && line.len() < 1 << 20, "{}", line.len());
    let other = Connection::open(service.folder.path().join("store/control.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (line, address, told) = (Arc::new(line), service.address, Arc::new(AtomicUsize::new(0)));
    let send = |_| {
        let (line, told) = (Arc::clone(&line), Arc::clone(&told));
        thread::spawn(move || {
            let answer = try_ask(address, "POST", "/agent/v1/records", None, &line);
            told.fetch_add(1, Ordering::SeqCst);
            answer.map(|it| it.status)
        })
    };
    let senders: Vec<_> = (0..SENDERS).map(send).collect();
    for sender in senders {
        assert_eq!(sender.join().unwrap(), Some(503));
    }
    let peak = service.peak_kib();
    assert!(peak < 400 << 10, "{peak} KiB");
    // Asked to end in the middle of it, it ends soon all the same.
    let senders: Vec<_> = (0..SENDERS).map(send).collect();
    until("one more is told", || told.load(Ordering::SeqCst) > SENDERS);
    let begun = Instant::now();
    service.signal(Signal::SIGTERM);
    assert_eq!(service.wait(), Some(0));
    println!("{peak} KiB; ended after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    senders.into_iter().for_each(|it| drop(it.join()));
}

#[test]
fn what_was_read_out_of_records_that_wait_takes_room_as_well() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    // As sent, all of them fit into the room of hosts, which begins behind the first line; as held, they do not.
    let lines = host.chatter("d", &["", &*"x".repeat(750_000)]);
    let body = Arc::new(lines.join("\n"));
    let other = Connection::open(service.folder.path().join("store/control.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let address = service.address;
    let send = |_| {
        let body = Arc::clone(&body);
        let path = "/agent/v1/records";
        thread::spawn(move || try_ask(address, "POST", path, None, body.as_bytes()))
    };
    let senders: Vec<_> = (0..SENDERS).map(send).collect();
    let answers = senders.into_iter().map(|it| it.join().unwrap().unwrap());
    let told: Vec<_> = answers.map(|it| it.problem(503)).collect();
    let refused = told.iter().filter(|it| it.contains("too many large bodies")).count();
    assert!(refused > 0 && refused < SENDERS, "{refused} of {SENDERS}: {told:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(service.send(&lines).json(), json!({"acked": 2}));
}
