//! Probes against real servers on loopback and real programs.
//!
//! **Invariant:** each server answers one way, so that an answer is known from its address.

mod tls;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bowline_model::manifest::ProbeMeans;
use bowline_model::manifest::http::HttpProbe;
use bowline_model::manifest::probe::{ExecProbe, TcpProbe, UnitProbe};
use bowline_model::probe_call::Answer;
use serde_json::{Value, json};

use super::{Call, Prober};
use crate::door::clock;
use crate::door::root::Root;
use crate::scratch::Scratch;
use crate::service::ServiceManager;

/// Longer than any of these answers takes.
const LONG: Duration = Duration::from_secs(20);

/// Serves every connection in the same way, until the test's process ends. Gives its address.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            answer(&String::from_utf8_lossy(&request), &mut stream);
        }
    });
    address
}

/// A server that answers with a status and a body.
fn page(status: u16, body: &'static str) -> String {
    serve(move |_, stream| {
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
        drop(stream.write_all(format!("{head}{body}").as_bytes()));
    })
}

fn http(fields: &Value) -> ProbeMeans {
    ProbeMeans::Http(serde_json::from_value::<HttpProbe>(fields.clone()).unwrap())
}

fn get(address: &str) -> ProbeMeans {
    http(&json!({"url": format!("http://{address}/readyz?a=b")}))
}

fn exec(words: &[&str]) -> ProbeMeans {
    ProbeMeans::Exec(serde_json::from_value::<ExecProbe>(json!({"argv": words})).unwrap())
}

fn tcp(address: &str) -> ProbeMeans {
    ProbeMeans::Tcp(serde_json::from_value::<TcpProbe>(json!({"address": address})).unwrap())
}

fn ask_all(calls: &[Call<'_>]) -> Vec<Answer> {
    let scratch = Scratch::new();
    let root = Root::open(scratch.path()).unwrap();
    Prober::new().probe_all(&root, &ServiceManager::None, calls)
}

fn ask(means: &ProbeMeans, limit: Duration) -> Answer {
    ask_all(&[("p", means, limit)]).remove(0)
}

/// An address on which nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_page_passes_when_it_is_what_was_expected() {
    let good = page(200, r#"{"version":"2"}"#);
    let url = format!("http://{good}/");
    for (means, passed, detail) in [
        (get(&good), true, "status 200"),
        (get(&page(500, "no")), false, "status 500, expected 200"),
        (get(&page(301, "")), false, "status 301, expected 200"),
        (http(&json!({"url": url, "expect": {"json": {"version": "2"}}})), true, "status 200"),
        (
            http(&json!({"url": url, "expect": {"json": {"/version": "3"}}})),
            false,
            "/version is \"2\", expected \"3\"",
        ),
        (http(&json!({"url": url, "expect": {"status": 204}})), false, "status 200, expected 204"),
    ] {
        let answer = ask(&means, LONG);
        assert_eq!((answer.passed, answer.detail.as_str()), (passed, detail), "{means:?}");
    }
}

#[test]
fn the_request_is_what_a_server_expects() {
    let address = serve(|request, stream| {
        let body = request.lines().collect::<Vec<_>>().join("|");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        drop(stream.write_all(format!("{head}{body}").as_bytes()));
    });
    for (method, path, line) in [
        ("GET", "/readyz?a=b", "GET /readyz?a=b HTTP/1.1"),
        ("POST", "", "POST / HTTP/1.1"),
        ("GET", "?x", "GET /?x HTTP/1.1"),
    ] {
        let url = format!("http://{address}{path}");
        for wanted in [line, &format!("host: {address}")] {
            let expect = json!({"bodyContains": wanted});
            let Ok(probe) = serde_json::from_value::<HttpProbe>(
                json!({"url": url, "method": method, "expect": expect}),
            ) else {
                panic!("{url}")
            };
            let answer = ask(&ProbeMeans::Http(probe), LONG);
            assert!(answer.passed, "{url}: {wanted}: {}", answer.detail);
        }
    }
}

#[test]
fn whatever_goes_wrong_does_not_pass() {
    let silent = serve(|_, stream| drop(stream.read(&mut [0; 16])));
    let odd = serve(|_, stream| drop(stream.write_all(b"SSH-2.0-x\r\n\r\n")));
    let short = serve(|_, stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"));
    });
    let endless = serve(|_, stream| {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
        while stream.write_all(&[b'x'; 4_096]).is_ok() {}
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(stream.unwrap().write_all(b"220 no TLS here\r\n"));
        }
    });
    for (means, limit, detail) in [
        (get(&nobody()), LONG, "connect to 127.0.0.1:"),
        (get(&silent), Duration::from_millis(100), "no answer within 100 ms"),
        (get(&odd), LONG, "127.0.0.1:"),
        (get(&short), LONG, "status 200, but 127.0.0.1:"),
        (get(&endless), LONG, "status 200, and more than 1048576 bytes"),
        (http(&json!({"url": format!("https://{plain}/"), "insecure": true})), LONG, "TLS with"),
        (
            http(&json!({"url": format!("https://{plain}/"), "caFile": "/etc/ca.pem"})),
            LONG,
            "the caFile /etc/ca.pem is not there",
        ),
    ] {
        let answer = ask(&means, limit);
        assert!(!answer.passed, "{means:?}");
        assert!(answer.detail.starts_with(detail), "{means:?}: {}", answer.detail);
        assert!(answer.detail.chars().count() <= 200 && !answer.detail.contains('\n'));
    }
}

#[test]
fn ports_and_programs_are_probed() {
    let open = page(200, "");
    for (means, passed, detail) in [
        (tcp(&open), true, "connected to"),
        (tcp(&nobody()), false, "cannot connect to"),
        (exec(&["/bin/true"]), true, "ended with exit code 0"),
        (exec(&["/bin/sh", "-c", "echo no; exit 2"]), false, "ended with exit code 2: no"),
        (exec(&["/nowhere/at/all"]), false, "run the program of the probe: start /nowhere"),
    ] {
        let answer = ask(&means, LONG);
        assert_eq!(answer.passed, passed, "{means:?}: {}", answer.detail);
        assert!(answer.detail.starts_with(detail), "{means:?}: {}", answer.detail);
    }
    let late = ask(&exec(&["/bin/sleep", "60"]), Duration::from_millis(100));
    assert!(!late.passed && late.detail.starts_with("did not end within"), "{}", late.detail);
}

#[test]
fn probes_run_side_by_side_and_answer_in_their_order() {
    let silent = serve(|_, stream| drop(stream.read(&mut [0; 16])));
    let (good, slow, program) = (get(&page(200, "")), get(&silent), exec(&["/bin/sleep", "0.3"]));
    let limit = Duration::from_millis(400);
    let mut calls: Vec<Call<'_>> = vec![("good", &good, LONG), ("slow", &slow, limit)];
    calls.extend((0..8).map(|_| ("program", &program, LONG)));
    let began = clock::since_boot();
    let answers = ask_all(&calls);
    assert!(
        clock::since_boot().saturating_sub(began) < Duration::from_millis(2_400),
        "one after another"
    );
    let found: Vec<_> = answers.iter().map(|it| (it.name.as_str(), it.passed)).collect();
    let expected: Vec<_> = calls.iter().map(|(name, _, _)| (*name, *name != "slow")).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_unit_passes_while_its_manager_says_that_it_runs() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let manager = scratch.path().join("manager");
    let script = "#!/bin/sh\n[ \"$1 $2\" = 'is-active up.service' ] || exit 3\n";
    std::fs::write(&manager, script).unwrap();
    std::fs::set_permissions(&manager, std::fs::Permissions::from_mode(0o755)).unwrap();
    let manager = ServiceManager::named(manager.to_str().unwrap());
    let root = Root::open(scratch.path()).unwrap();
    let unit = |name: &str| {
        ProbeMeans::Unit(serde_json::from_value::<UnitProbe>(json!({"name": name})).unwrap())
    };
    for (manager, name, passed, says) in [
        (&manager, "up.service", true, "up.service is up"),
        (&manager, "down.service", false, "down.service is down"),
        (&ServiceManager::None, "up.service", false, "no service manager is set"),
    ] {
        let means = unit(name);
        let answer = Prober::new().probe_all(&root, manager, &[("p", &means, LONG)]).remove(0);
        assert_eq!(answer.passed, passed, "{answer:?}");
        assert!(answer.detail.contains(says), "{answer:?}");
    }
}
