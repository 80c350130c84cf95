//! By way of a proxy: requests in the clear are passed on, TLS goes through.

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use super::servers::{Authority, join, listen_raw, serve};
use super::{access, client, fetch};
use crate::http::tls::Trust;
use crate::http::{Address, Call, Client, Proxy};
use crate::scratch::Scratch;

/// A proxy that lets everybody through, and remembers what it was asked.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let port = listen_raw(move |mut near| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && near.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let place = head.split(' ').nth(1).unwrap().to_owned();
        kept.lock().unwrap().push(head);
        let port: u16 = place.rsplit(':').next().unwrap().parse().unwrap();
        let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
        near.write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").unwrap();
        join(near, far);
    });
    (port, asked)
}

#[test]
fn tls_goes_through_a_proxy_to_the_server_itself() {
    let scratch = Scratch::new();
    let ca = scratch.path().join("ca.pem");
    let authority = Authority::new();
    authority.write(&ca);
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let port = authority.issue("git.example").serve(None, ok);
    let (by, asked) = proxy();
    let mut access = access(Trust::of(Some(ca), None), None);
    access.proxy = Some(by_login(&scratch, by, "me:pass word"));
    let client = client(access);
    for _ in 0..2 {
        let found = fetch(&client, &format!("https://git.example:{port}/secret")).unwrap();
        assert_eq!(found, (200, b"ok".to_vec()));
    }
    let asked = asked.lock().unwrap();
    assert_eq!(
        *asked,
        [format!(
            "CONNECT git.example:{port} HTTP/1.1\r\nHost: git.example:{port}\r\n\
             Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\n\r\n"
        )]
    );
}

#[test]
fn a_request_in_the_clear_names_its_whole_address_to_a_proxy() {
    let by = serve(|request, line| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.len());
        line.write_all(format!("{head}{request}").as_bytes()).is_ok()
    });
    let scratch = Scratch::new();
    let mut access = access(Trust::default(), None);
    access.proxy = Some(by_login(&scratch, by, "a:b"));
    let client = client(access);
    let body = fetch(&client, "http://u:p@git.example/x?y").unwrap().1;
    let text = String::from_utf8(body).unwrap();
    assert!(text.starts_with("GET http://git.example/x?y HTTP/1.1\r\n"), "{text}");
    for wanted in ["host: git.example\r\n", "proxy-authorization: Basic YTpi\r\n"] {
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn a_proxy_that_refuses_is_named_with_what_it_said() {
    let answers = [
        ("HTTP/1.1 407 x\r\n\r\n", "407"),
        ("HTTP/1.1 407 x\r\nContent-Length: 99\r\n\r\n<html>log in", "407"),
        ("HTTP/1.1 200 x\r\n\r\nSSH-2.0-villain\r\n", "more than it was asked"),
        ("HTTP/1.1 502 x\r\n\r\n", "status 502"),
        ("220 hello\r\n\r\n", "does not answer in HTTP"),
        ("HTTP/1.1 200", "no end"),
    ];
    for (answer, said) in answers {
        let by = serve(move |_, line| {
            line.write_all(answer.as_bytes()).unwrap();
            // What more there is comes never; the client is to notice first where it can.
            let keep = answer.contains("99");
            while keep && line.read(&mut [0; 64]).is_ok_and(|it| it > 0) {}
            false
        });
        let client = client(access(Trust::default(), Some(&format!("http://127.0.0.1:{by}"))));
        let to = Address::parse("https://git.example/").unwrap();
        let failure = client.send(&Call::fetch(to)).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.code(), "unreachable", "{text}");
        assert!(text.contains(said) && text.contains(&by.to_string()), "{text}");
        assert!(text.contains("git.example:443"), "{text}");
    }
}

#[test]
fn this_machine_is_asked_without_a_proxy() {
    let to = serve(|request, line| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.len());
        line.write_all(format!("{head}{request}").as_bytes()).is_ok()
    });
    let client = client(access(Trust::default(), Some("http://proxy.invalid:3128")));
    for host in ["127.0.0.1", "localhost"] {
        let body = fetch(&client, &format!("http://{host}:{to}/x")).unwrap().1;
        assert!(body.starts_with(b"GET /x HTTP/1.1\r\n"), "{host}");
    }
}

#[test]
fn a_login_that_cannot_be_read_is_told_by_its_file() {
    let scratch = Scratch::new();
    let proxy = by_login(&scratch, 1, "me:canary");
    let path = scratch.path().join("login");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let mut access = access(Trust::default(), None);
    access.proxy = Some(proxy);
    let failure =
        Client::new(access).request(&Call::fetch(Address::parse("http://git.example/").unwrap()));
    let text = failure.unwrap_err().to_string();
    assert!(text.contains("login") && text.contains("0600") && !text.contains("canary"), "{text}");
}

#[test]
fn a_proxy_is_asked_over_http() {
    for bad in ["https://a", "a:3128", "http://me:canary@a:3128"] {
        let error = Proxy::of(bad, None).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    assert!(Proxy::of("http://a:3128", None).is_ok());
}

/// A proxy on this machine that wants an account.
fn by_login(scratch: &Scratch, port: u16, login: &str) -> Proxy {
    let path = scratch.path().join("login");
    std::fs::write(&path, format!("{login}\n")).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    Proxy::of(&format!("http://127.0.0.1:{port}"), Some(path)).unwrap()
}
