//! Server-sent events: what is heard comes at once, and listeners are limited.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use bowline_model::digest::Sha256;

use crate::host::Host;
use crate::http::connect;
use crate::service::Service;

/// A listener.
struct Listener(BufReader<TcpStream>);

impl Listener {
    /// Begins to listen; gives what was answered in the first line.
    fn new(service: &Service) -> (Self, String) {
        Self::showing(service, "")
    }

    /// The same with these lines in the head.
    fn showing(service: &Service, lines: &str) -> (Self, String) {
        let mut stream = connect(service.address);
        let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut listener = Self(BufReader::new(stream));
        let first = listener.until("HTTP/1.1");
        (listener, first)
    }

    /// Reads to the line that holds this.
    #[track_caller]
    fn until(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the feed ended before {word}");
            if line.contains(word) {
                return line;
            }
        }
    }
}

#[test]
fn what_hosts_send_is_heard_at_once() {
    let service = Service::new();
    let (mut listener, first) = Listener::new(&service);
    assert!(first.contains(" 200 "), "{first}");
    assert!(listener.until("content-type").contains("text/event-stream"));
    listener.until("retry: ");
    let mut host = Host::enrolled(&service, "web-1");
    assert!(listener.until("data: ").contains("\"host\":\"web-1\""), "an enrolment");
    host.tell_many(2);
    service.send(&host.all());
    let heard = listener.until("data: ");
    assert!(heard.contains("\"seq\":2") && heard.contains("\"outcome\":\"committed\""), "{heard}");
    // A replay is nothing new; a gap is.
    service.send(&host.all());
    host.tell_many(2);
    service.send(&host.after(3, 1));
    assert!(listener.until("data: ").contains("\"outcome\":null"), "the gap, and no replay");
}

#[test]
fn listeners_are_limited_and_told_so() {
    let service = Service::with("[limits]\nlisteners = 2\n");
    let mut places: Vec<_> = (0..2).map(|_| Listener::new(&service)).collect();
    assert!(places.iter().all(|(_, first)| first.contains(" 200 ")));
    let (_, refused) = Listener::new(&service);
    assert!(refused.contains(" 503 "), "{refused}");
    // A place is free again once its client is gone, and something is sent.
    places.pop();
    tests::agent::until("a place is free again", || {
        let host = Host::new("web-1");
        host.enrol(&service);
        Listener::new(&service).1.contains(" 200 ")
    });
}

#[test]
fn cookies_that_are_no_sessions_make_no_more_places_for_one_token() {
    let digest = Sha256::of(b"let me in");
    let service = Service::with(&format!("[read]\ntokenSha256 = [\"{digest}\"]\n"));
    let listen = |number: usize| {
        let lines = format!("Authorization: Bearer let me in\r\nCookie: bowline={number}\r\n");
        Listener::showing(&service, &lines)
    };
    let places: Vec<_> = (0..17).map(listen).collect();
    let taken = places.iter().filter(|(_, first)| first.contains(" 200 ")).count();
    assert_eq!(taken, 16, "[limits] listeners is larger, a token's part is not");
}

#[test]
fn listeners_do_not_keep_the_service_from_ending() {
    let mut service = Service::with("[limits]\nstopTime = \"30s\"\n");
    let (mut listener, _) = Listener::new(&service);
    listener.until("retry: ");
    let begun = std::time::Instant::now();
    assert_eq!(service.stop(), Some(0));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    listener.0.read_to_end(&mut rest).unwrap();
}
