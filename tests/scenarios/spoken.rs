//! The local API over an address: who may ask what, and what it tells as it happens.
//!
//! **Invariant:** nothing is changed over an address without the token; nothing is told to a page of
//! somewhere else.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tests::agent::{Service, until};
use tests::workshop::Workshop;

use crate::story::{file, settled};

/// Sixteen letters are the fewest.
const TOKEN: &str = "a-token-of-letters";

/// A host whose agent listens on loopback as well; gives the address.
fn listening(more: &str) -> (Workshop, String) {
    let shop = settled("");
    // Free a moment ago; another test has another.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let path = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&path).unwrap();
    let api = format!("[api]\nlisten = \"{address}\"\n{more}");
    fs::write(path, text.replace("[api]\n", &api)).unwrap();
    fs::write(shop.folder().join("token"), TOKEN).unwrap();
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(shop.folder().join("token"), private).unwrap();
    (shop, address)
}

/// The status of an answer, and the whole of it.
fn ask(address: &str, line: &str, headers: &[&str]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let headers = headers.iter().map(|it| format!("{it}\r\n")).collect::<String>();
    write!(stream, "{line} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[test]
fn an_address_is_read_by_its_own_name_and_by_no_page_of_somewhere_else() {
    let (shop, address) = listening("");
    let service = shop.serve();
    let host = format!("Host: {address}");
    for (headers, expected) in [
        (vec![host.as_str()], 200),
        (vec!["Host: localhost:1"], 200),
        (vec!["Host: [::1]"], 200),
        (vec![&host, "Sec-Fetch-Site: none"], 200),
        (vec!["Host: evil.example:9470"], 421),
        (vec![], 421),
        (vec![&host, "Origin: http://evil.example"], 403),
        (vec![&host, "Sec-Fetch-Site: cross-site"], 403),
    ] {
        let (status, answer) = ask(&address, "GET /v1/status", &headers);
        assert_eq!(status, expected, "{headers:?}: {answer}");
        assert_eq!(status == 200, answer.contains("web-1"), "{answer}");
    }
    let (status, answer) = ask(&address, "POST /v1/sync", &[&host]);
    assert_eq!(status, 403, "{answer}");
    assert!(answer.contains("[api] tokenFile would allow them"), "{answer}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn changing_calls_over_an_address_show_the_token() {
    let (shop, address) = listening("tokenFile = \"token\"\n");
    let service = shop.serve();
    let host = format!("Host: {address}");
    let shown = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        ask(&address, "POST /v1/sync", &[&host, &header])
    };
    assert_eq!(ask(&address, "POST /v1/sync", &[&host]).0, 401);
    assert_eq!(shown("another-token-of-letters").0, 401);
    assert_eq!(shown(TOKEN).0, 202);
    let from = ask(
        &address,
        "POST /v1/sync",
        &[&host, &format!("Authorization: Bearer {TOKEN}"), "Origin: http://evil.example"],
    );
    assert_eq!(from.0, 403, "{}", from.1);
    let url = format!("http://{address}");
    let mut bowline = shop.command(tests::binaries::bowline());
    let arguments = ["sync", "--wait", "--token-file", "token", "--url", &url];
    let output = bowline.args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // A secret that everybody may read is none.
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(shop.folder().join("token"), open).unwrap();
    assert_eq!(shown(TOKEN).0, 403);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_body_that_is_wrong_or_too_long_is_told_and_changes_nothing() {
    let shop = settled("");
    let service = shop.serve();
    for (path, body, expected) in [
        ("/v1/pause", "{}".to_owned(), "a pause needs a reason"),
        ("/v1/pause", "{\"reason\":\"x\",\"for\":\"soon\"}".to_owned(), "for: "),
        ("/v1/pause", "{\"reason\":\"x\",\"untill\":1}".to_owned(), "unknown field"),
        ("/v1/revert", "[".to_owned(), "the body: "),
        ("/v1/retry", format!("{{\"reason\":\"{}\"}}", "x".repeat(501)), "500 letters at most"),
        ("/v1/sync", "x".repeat(20_000), "16384 bytes at most"),
    ] {
        let mut stream = UnixStream::connect(shop.folder().join("a.sock")).unwrap();
        let length = body.len();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(answer.contains(expected), "{path}: {answer}");
    }
    for (method, path, status) in [
        ("DELETE", "/v1/status", 405),
        ("GET", "/v1/sync", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/readyz", 200),
    ] {
        let answer = service.raw(method, path).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    assert!(!shop.state().join("pause.json").exists());
    assert_eq!(service.stop(), Some(0));
}

/// Listens to events.
fn listen(shop: &Workshop) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(shop.folder().join("a.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    write!(stream, "GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    BufReader::new(stream)
}

/// Lines until one that this holds for.
fn lines_until(events: &mut BufReader<UnixStream>, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(events.read_line(&mut line).unwrap() > 0, "the end after {lines:#?}");
        let ended = holds(&line);
        lines.push(line);
        if ended {
            return lines;
        }
    }
}

fn is_resting(service: &Service<'_>) -> bool {
    service.tell::<bowline_api::status::Status>("/v1/status").waiting_for.is_some()
}

#[test]
fn a_deployment_is_told_as_it_happens() {
    let shop = settled("");
    let service = shop.serve();
    until("the first cycle is over", || is_resting(&service));
    let mut events = listen(&shop);
    let head = lines_until(&mut events, |it| it == "\r\n").concat();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/event-stream"), "{head}");
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    shop.commit("more");
    service.sync();
    let told = lines_until(&mut events, |it| it.contains("\"outcome\":\"committed\",\"revision\""));
    let phases: Vec<_> =
        told.iter().filter_map(|it| it.strip_prefix("data: {\"phase\":\"")).collect();
    let phases: Vec<_> = phases.iter().map(|it| it.trim_end().trim_end_matches("\"}")).collect();
    for pair in [
        ["rest", "fetch"],
        ["fetch", "plan"],
        ["plan", "stage"],
        ["stage", "apply"],
        ["commit", "report"],
    ] {
        let at = |word: &str| phases.iter().position(|it| *it == word);
        assert!(at(pair[0]).is_some() && at(pair[0]) < at(pair[1]), "{pair:?}: {phases:?}");
    }
    assert!(told.iter().any(|it| it == "event: record\n"), "{told:#?}");
    assert!(told.iter().any(|it| it == "event: outcome\n"), "{told:#?}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn more_listeners_than_there_are_places_for_are_turned_away_until_some_go() {
    let shop = settled("");
    let service = shop.serve();
    let head = |ear: &mut BufReader<UnixStream>| lines_until(ear, |it| it == "\r\n").concat();
    let mut ears: Vec<_> = (0..16).map(|_| listen(&shop)).collect();
    for ear in &mut ears {
        assert!(head(ear).starts_with("HTTP/1.1 200 "));
    }
    assert!(head(&mut listen(&shop)).starts_with("HTTP/1.1 503 "));
    assert!(service.answers(), "who listens takes nobody else's place");
    drop(ears);
    until("a place is free again", || head(&mut listen(&shop)).starts_with("HTTP/1.1 200 "));
    assert_eq!(service.stop(), Some(0));
}
