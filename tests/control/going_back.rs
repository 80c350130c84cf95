//! The service wants records again that it had: what is still here is sent once more.
//!
//! **Invariant:** what the host has, it sends, whatever the service said before.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bowline_api::outcome::Outcome;
use bowline_api::status::Reporting;
use bowline_host::record::{Most, Outbox};
use serde_json::json;
use tests::agent::until;
use tests::workshop::Workshop;

use crate::service::Service;
use crate::site::{Site, until_all_is_there, until_it_is};
use crate::spool::room;

/// The oldest record that a host still has.
fn oldest(site: &Site) -> u64 {
    let one = Most { lines: 1, bytes: 1 };
    let mut outbox = Outbox::of(&site.shop.state().join("records"));
    outbox.after(0, site.written(), one).unwrap().unwrap().first
}

#[test]
fn a_service_that_begins_anew_gets_all_that_the_host_still_has() {
    let mut service = Service::new();
    let site = Site::told(&service, "spool = \"8MiB\"\n");
    site.give(&service.token("web-1", &[]));
    site.age(10, &"x".repeat(500 << 10));
    site.shop.once().ended(Outcome::Committed);
    assert_eq!(service.seq("web-1"), 11);
    // All was sent. The next segment takes the place of the oldest: no loss, until the service has it no more.
    let before = room(&site);
    site.age(1, "");
    let line = before - room(&site);
    site.age(room(&site) / line, "");
    site.merge("more");
    site.shop.once().ended(Outcome::Committed);
    let first = oldest(&site);
    assert!(first > 1 && first < 11, "{first}");
    service.stay();
    service.stop();
    fs::remove_dir_all(service.folder.path().join("store")).unwrap();
    fs::create_dir(service.folder.path().join("store")).unwrap();
    service.start();
    site.give(&service.token("web-1", &[]));
    // A host that has nothing to tell does not ask.
    site.merge("news");
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Missing);
    assert_eq!(oldest(&site), first);
    assert!(told.last_error.unwrap().contains(&format!("none before {first}")));
    let fault = service.get("/api/v1/hosts/web-1").json()["faults"][0].clone();
    assert_eq!((&fault["kind"], &fault["seq"]), (&json!("gap"), &json!(first)));
    assert_eq!(agent.stop(), Some(0));
    let words = ["host", "continue", "web-1", "--from", &first.to_string()];
    assert!(service.verb(&words).status.success());
    let agent = site.shop.serve();
    assert_eq!(until_all_is_there(&agent, &service), site.written());
    for (seq, status) in [(first - 1, 404), (first, 200)] {
        assert_eq!(service.get(&format!("/deployments/web-1/@{seq}")).status, status, "{seq}");
    }
}

/// A service that takes the first record, and then wants it again, for ever. Gives how often it was asked.
fn fickle(listener: TcpListener) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).unwrap_or(0) > 2 {
                let head = line.to_ascii_lowercase();
                length = head
                    .strip_prefix("content-length: ")
                    .map_or(length, |it| it.trim().parse().unwrap());
                line.clear();
            }
            if stream.read_exact(&mut vec![0; length]).is_err() {
                continue;
            }
            let is_first = count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
            let (status, body) = if is_first {
                ("200 OK", json!({"acked": 1}))
            } else {
                let gap = json!({
                    "title": "t", "status": 409, "detail": "d", "code": "gap", "acked": 0,
                    "expected": 1, "expectedPrev": "0".repeat(64), "seq": 2
                });
                ("409 Conflict", gap)
            };
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            drop(stream.get_mut().write_all((head + &body).as_bytes()));
        }
    });
    asked
}

#[test]
fn a_service_that_takes_back_its_word_is_told_and_asked_ever_more_rarely() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site { shop: Workshop::new() };
    site.tell(&format!("http://{}", listener.local_addr().unwrap()), "");
    site.age(2, "");
    let asked = fickle(listener);
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Unreachable);
    assert!(told.last_error.unwrap().contains("more than once"));
    let number = asked.load(Ordering::SeqCst);
    assert!(number <= 8, "{number} requests until it was told");
}

#[test]
fn a_note_of_more_records_than_there_are_sends_them_all() {
    let service = Service::new();
    let site = Site::with_token(&service);
    let note = json!({"url": format!("http://{}/", service.address), "acked": 100});
    fs::create_dir_all(site.shop.state()).unwrap();
    fs::write(site.shop.state().join("control.json"), note.to_string()).unwrap();
    let agent = site.shop.serve();
    until("the record is there", || {
        service.get("/api/v1/hosts/web-1").status == 200 && service.seq("web-1") == 1
    });
    assert_eq!(until_all_is_there(&agent, &service), 1);
}
