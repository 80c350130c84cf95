//! Clients that connect from elsewhere, are slow, or take nothing: what they hold is none of the others'.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use bowline_api::record::PAYLOAD_TYPE;
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::json;
use tests::agent::until;
use tokio::net::TcpSocket;
use tokio::runtime::Builder;

use crate::host::Host;
use crate::http;
use crate::http::{head, read, try_ask};
use crate::service::Service;
use crate::site::{Site, until_all_is_there};

/// A connection from another address of this machine, which takes little at a time.
pub(crate) fn from_elsewhere(to: SocketAddr) -> TcpStream {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let made = TcpSocket::new_v4().unwrap();
        made.set_recv_buffer_size(4096).unwrap();
        // By the size of segments the sender's kernel reckons what it holds: large ones would take a whole answer.
        setsockopt(&made, sockopt::TcpMaxSeg, &536).unwrap();
        made.bind(([127, 0, 0, 2], 0).into()).unwrap();
        made.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

#[test]
fn slow_strangers_leave_room_for_everybody_else() {
    let settings = "[limits]\nconnections = 64\nconnectionsPerAddress = 16\nbodyTime = \"1m\"\n";
    let service = Service::with(settings);
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1);
    let mut slow: Vec<_> = (0..64).map(|_| from_elsewhere(service.address)).collect();
    for stream in &mut slow {
        // Those that have no place are closed already.
        drop(stream.write_all(head("POST", "/agent/v1/records", None, 100).as_bytes()));
    }
    let begun = Instant::now();
    assert_eq!(service.get("/healthz").status, 200);
    assert_eq!(service.send(&host.all()).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // Each has its share again once its connections are over.
    drop(slow);
    until("a stranger is served", || {
        let mut stream = from_elsewhere(service.address);
        let asked = stream.write_all(head("GET", "/healthz", None, 0).as_bytes());
        asked.is_ok() && read(&mut stream).is_some_and(|it| it.status == 200)
    });
}

#[test]
fn bodies_that_do_not_end_take_a_limited_room_and_none_of_the_hosts() {
    let service = Service::with("[limits]\nbodyTime = \"1m\"\n");
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(200);
    let before = service.resident_kib();
    let body = vec![b'x'; 1_040_000];
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut stream = http::connect(service.address);
        let head = head("POST", "/agent/v1/records", None, 1 << 20);
        // One that is refused in the middle has heard enough.
        drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        held.push(stream);
    }
    let more = service.resident_kib().saturating_sub(before);
    assert!(more < 160 << 10, "{more} KiB are held for nobody");
    // Two hundred records are more than what each body may have without asking.
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 200}));
    drop(held);
}

#[test]
fn a_key_that_is_unknown_is_told_so_before_everything_was_sent() {
    let service = Service::with("[limits]\nbodyTime = \"1m\"\n");
    let mut host = Host::new("web-1");
    host.tell_many(1);
    let mut stream = http::connect(service.address);
    let line = host.all().remove(0) + "\n";
    stream.write_all(head("POST", "/agent/v1/records", None, 1 << 20).as_bytes()).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    let begun = Instant::now();
    let detail = read(&mut stream).unwrap().problem(403);
    assert!(detail.contains("no host has the key"), "{detail}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn who_takes_nothing_of_an_answer_makes_room() {
    let settings = "[limits]\nconnections = 2\nheadTime = \"1m\"\nwriteTime = \"500ms\"\n";
    let service = Service::with(settings);
    let host = Host::enrolled(&service, "web-1");
    for line in host.chatter("big", &[&*"x".repeat(700_000); 2]) {
        assert_eq!(service.send(&[line]).status, 200);
    }
    let mut deaf = [0; 2].map(|_| from_elsewhere(service.address));
    for stream in &mut deaf {
        stream.write_all(head("GET", "/deployments/web-1/big.json", None, 0).as_bytes()).unwrap();
    }
    until("their places are free", || {
        try_ask(service.address, "GET", "/healthz", None, b"").is_some_and(|it| it.status == 200)
    });
    // One that made room was cut off; the other may have until its own time is over.
    let mut came = deaf.map(|mut stream| {
        let mut whole = Vec::new();
        stream.read_to_end(&mut whole).map_or(0, |_| whole.len())
    });
    came.sort_unstable();
    assert!(came[0] < 1_400_000, "{came:?} bytes came");
}

#[test]
fn a_listener_that_takes_nothing_loses_its_place() {
    let service = Service::with("[limits]\nlisteners = 1\nwriteTime = \"500ms\"\n");
    let mut host = Host::enrolled(&service, &"w".repeat(250));
    let listen = |mut stream: TcpStream| {
        stream.write_all(head("GET", "/api/v1/events", None, 0).as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        (String::from_utf8_lossy(&first).into_owned(), stream)
    };
    let asked = || listen(http::connect(service.address)).0;
    // Nobody asks before it has the place: who comes first gets it.
    let (said, deaf) = listen(from_elsewhere(service.address));
    assert!(said.ends_with("200"), "{said}");
    assert!(asked().ends_with("503"));
    // More than the kernel holds for one that takes nothing.
    host.tell_many(3000);
    for line in host.all() {
        assert_eq!(service.send(&[line]).status, 200);
    }
    until("its place is free", || asked().ends_with("200"));
    drop(deaf);
}

#[test]
fn a_request_that_was_begun_outlives_its_connections_time() {
    let service = Service::with("[limits]\nconnectionTime = \"1s\"\nheadTime = \"1m\"\n");
    let mut begun = http::connect(service.address);
    begun.write_all(head("POST", "/agent/v1/records", None, 10).as_bytes()).unwrap();
    begun.write_all(b"abc").unwrap();
    // One that was opened later, and idles, ends first.
    let mut idle = http::connect(service.address);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: c\r\n\r\n").unwrap();
    let mut said = String::new();
    idle.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    begun.write_all(b"defghij").unwrap();
    read(&mut begun).expect("an answer").problem(400);
}

/// How much a body without an end brings: as much as is read, less what would end it.
const ENDLESS_BYTES: usize = (1 << 20) - 4096;

/// So many as would take all the room that bodies have, and some more.
const ENDLESS: usize = 70;

/// Sends so many bodies of a size from another address, which begin so and do not end.
fn besiege(service: &Service, begin: &[u8], count: usize, size: usize) -> Vec<TcpStream> {
    let mut body = begin.to_vec();
    body.resize(size, b'x');
    let head = head("POST", "/agent/v1/records", None, 1 << 20);
    let send = |_| {
        let mut stream = from_elsewhere(service.address);
        // One that is refused in the middle has heard enough.
        drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        stream
    };
    let held = (0..count).map(send).collect();
    until("all that was sent is read, or refused", || unread(service.address) == 0);
    held
}

/// Bytes on their way from the other address: the kernel takes a whole body before anybody reads it.
fn unread(to: SocketAddr) -> u64 {
    let (from, port) = ("0200007F:", format!(":{:04X}", to.port()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let of = |line: &str| {
        let [_, local, remote, _, queues, ..] = *line.split_whitespace().collect::<Vec<_>>() else {
            return 0;
        };
        let (sent, came) = queues.split_once(':').unwrap_or(("0", "0"));
        let bytes = |it: &str| u64::from_str_radix(it, 16).unwrap();
        let is = |one: &str, other: &str| one.starts_with(from) && other.ends_with(&port);
        // An answer that nobody reads is none of it.
        let there = if is(local, remote) { bytes(sent) } else { 0 };
        there + if is(remote, local) { bytes(came) } else { 0 }
    };
    table.lines().skip(1).map(of).sum()
}

#[test]
fn whoever_only_names_a_hosts_key_takes_none_of_the_hosts_room() {
    let service = Service::with("[limits]\nbodyTime = \"1m\"\n");
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(60);
    let sent = host.all();
    assert!(sent.join("\n").len() > 45 << 10);
    let mut forged = host.envelope(PAYLOAD_TYPE, b"{}");
    let signature = forged.windows(6).rposition(|it| it == b"\"sig\":").unwrap() + 10;
    forged[signature] = if forged[signature] == b'A' { b'B' } else { b'A' };
    let mut held = besiege(&service, &forged, ENDLESS, ENDLESS_BYTES);
    assert_eq!(service.send(&sent).json(), json!({"acked": 60}));
    // Who was found out hears so, and holds nothing.
    let first = read(&mut held[0]).unwrap().problem(403);
    assert!(first.contains("signature"), "{first}");
}

#[test]
fn a_body_without_a_first_line_leaves_room_for_a_hosts_large_record() {
    let service = Service::with("[limits]\nbodyTime = \"1m\"\n");
    let host = Host::enrolled(&service, "web-1");
    let large = host.chatter("big", &[&*"x".repeat(40 << 10)]);
    let held = besiege(&service, b"x", ENDLESS, ENDLESS_BYTES);
    assert_eq!(service.send(&large).json(), json!({"acked": 1}));
    drop(held);
}

#[test]
fn records_that_somebody_read_open_no_other_hosts_room() {
    let service = Service::with("[limits]\nbodyTime = \"1m\"\n");
    let mut known = Host::enrolled(&service, "web-2");
    known.tell_many(1);
    let line = known.all().remove(0) + "\n";
    assert_eq!(service.send(&known.all()).status, 200);
    let held = besiege(&service, line.as_bytes(), ENDLESS, ENDLESS_BYTES);
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(60);
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 60}));
    drop(held);
}

#[test]
fn an_agent_whose_share_somebody_took_sends_less_at_once() {
    let service = Service::with("[limits]\nbodyTime = \"10m\"\n");
    let site = Site::with_token(&service);
    site.age(1, "");
    site.shop.once().ended(Outcome::Committed);
    let key = service.get("/api/v1/hosts/web-1").json()["keys"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    let line =
        service.get(&format!("/api/v1/envelope?key={key}&seq=1")).body.trim().to_owned() + "\n";
    site.age(60, "");
    // What is too little for the largest is taken by smaller ones.
    let sizes = [ENDLESS_BYTES, 500 << 10, 200 << 10, 100 << 10, 40 << 10, 20 << 10];
    let held = sizes.map(|size| besiege(&service, line.as_bytes(), 16, size));
    let agent = site.shop.serve();
    assert_eq!(until_all_is_there(&agent, &service), site.written());
    drop(held);
}
