//! Clients that send too much, too slowly, or not at all.

use std::io::{Read as _, Write as _};

use serde_json::json;

use crate::host::Host;
use crate::http::{connect, head, read};
use crate::service::Service;

const HASTY: &str = "[limits]\nheadTime = \"400ms\"\nbodyTime = \"400ms\"\n";

#[test]
fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(3);
    let largest = 1 << 20;
    let mut body = host.all().join("\n").into_bytes();
    // Empty lines are no records.
    body.resize(largest, b'\n');
    assert_eq!(service.post("/agent/v1/records", &body).json(), json!({"acked": 3}));
    body.push(b'\n');
    assert!(service.post("/agent/v1/records", &body).problem(413).contains("1048576"));
    // Whoever enrols is a stranger: nothing large of them is verified.
    let large = host.request(&"t".repeat(4096));
    for body in [&body, &large] {
        assert!(service.post("/agent/v1/enrol", body).problem(413).contains("bytes"));
    }
    service.post("/agent/v1/records", "\n\n").problem(400);
}

#[test]
fn a_body_without_a_length_is_limited_as_well() {
    let service = Service::new();
    let mut stream = connect(service.address);
    let head = "POST /agent/v1/records HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..17 {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    read(&mut stream).unwrap().problem(413);
}

#[test]
fn a_body_that_comes_too_slowly_is_told_so_and_others_are_served_meanwhile() {
    let service = Service::with(HASTY);
    let mut slow: Vec<_> = (0..20).map(|_| connect(service.address)).collect();
    for stream in &mut slow {
        stream.write_all(head("POST", "/agent/v1/records", None, 100).as_bytes()).unwrap();
        stream.write_all(b"{").unwrap();
    }
    assert_eq!(service.get("/healthz").status, 200);
    for stream in &mut slow {
        read(stream).unwrap().problem(408);
    }
}

#[test]
fn a_head_that_does_not_end_ends_the_connection() {
    let service = Service::with(HASTY);
    for sent in ["", "GET /healthz HTTP/1.1\r\nHost: c\r\n"] {
        let mut stream = connect(service.address);
        stream.write_all(sent.as_bytes()).unwrap();
        // The client's own patience is a minute: an error here means that nothing was limited.
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert!(!bytes.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&bytes));
    }
    let mut stream = connect(service.address);
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20 << 10));
    stream.write_all(long.as_bytes()).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 431);
}

#[test]
fn connections_over_the_limit_wait_for_a_place() {
    let service = Service::with("[limits]\nconnections = 2\nheadTime = \"700ms\"\n");
    let idle = [connect(service.address), connect(service.address)];
    // It is answered once the idle ones are over, and not before.
    let begun = std::time::Instant::now();
    assert_eq!(service.get("/healthz").status, 200);
    assert!(begun.elapsed().as_millis() >= 500, "{:?}", begun.elapsed());
    drop(idle);
}

#[test]
fn who_gets_no_place_is_told_so() {
    let service = Service::with("[limits]\nconnections = 2\nheadTime = \"30s\"\n");
    let idle = [connect(service.address), connect(service.address)];
    let detail = service.get("/healthz").problem(503);
    assert!(detail.contains("[limits] connections"), "{detail}");
    // Also with a body on the way, whose bytes nobody wants.
    let body = vec![b'x'; 1 << 20];
    service.post("/agent/v1/records", &body).problem(503);
    drop(idle);
    tests::agent::until("a place is free again", || service.get("/healthz").status == 200);
}

#[test]
fn idle_connections_are_bounded_and_others_are_served() {
    let service = Service::with("[limits]\nconnections = 300\nheadTime = \"1s\"\n");
    // Six times as many as have a place: those are over after a second, and make room.
    let idle: Vec<_> =
        (0..1800).filter_map(|_| std::net::TcpStream::connect(service.address).ok()).collect();
    assert!(idle.len() > 1000, "{}", idle.len());
    tests::agent::until("somebody is served", || {
        let asked = crate::http::try_ask(service.address, "GET", "/healthz", None, b"");
        asked.is_some_and(|it| it.status == 200)
    });
    assert!(service.resident_kib() < 200 << 10, "{} KiB", service.resident_kib());
}

#[test]
fn what_is_no_http_is_no_trouble() {
    let service = Service::with(HASTY);
    for sent in [b"\x16\x03\x01\x02\0\x01\0".as_slice(), b"GET\r\n\r\n", &[0; 64]] {
        let mut stream = connect(service.address);
        stream.write_all(sent).unwrap();
        let mut bytes = Vec::new();
        // A reset is an answer, too.
        stream.read_to_end(&mut bytes).unwrap_or_default();
        assert!(!bytes.starts_with(b"HTTP/1.1 2"));
    }
    assert_eq!(service.get("/healthz").status, 200);
}
