//! Without TLS: what is asked, what is kept, and every way in which a server fails.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderValue};

use super::servers::{Line, always, listen_raw, serve};
use super::{LONG, SHORT, access, client, fetch, limits, plain_client};
use crate::door::clock;
use crate::failure::Kind;
use crate::http::tls::Trust;
use crate::http::{Access, Address, BlockingClient, Call, HttpFailure, Limits, Redirect};

/// Answers with the request itself.
fn echo() -> u16 {
    serve(|request, line| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.len());
        line.write_all(format!("{head}{request}").as_bytes()).is_ok()
    })
}

fn hasty(limits: Limits) -> BlockingClient {
    client(Access { limits, ..access(Trust::default(), None) })
}

#[test]
fn a_request_is_what_a_server_expects() {
    let port = echo();
    let to = Address::parse(&format!("http://u:p@127.0.0.1:{port}/a/b?c=d")).unwrap();
    let call = Call::post(to, "application/x-thing", "body")
        .with(AUTHORIZATION, HeaderValue::from_static("Bearer x"))
        .with(ACCEPT, HeaderValue::from_static("application/x-other"));
    let body = plain_client().send(&call).unwrap().whole().unwrap();
    let text = String::from_utf8(body).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.remove(0), "POST /a/b?c=d HTTP/1.1");
    for wanted in [
        &*format!("host: 127.0.0.1:{port}"),
        concat!("user-agent: bowline/", env!("CARGO_PKG_VERSION")),
        "accept: application/x-other",
        "authorization: Bearer x",
        "content-type: application/x-thing",
        "content-length: 4",
        "body",
    ] {
        assert_eq!(lines.iter().filter(|it| **it == wanted).count(), 1, "{wanted}: {text}");
    }
}

#[test]
fn one_connection_serves_many_requests_and_a_dead_one_is_replaced() {
    let connections = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&connections);
    let port = listen_raw(move |mut stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        // Three answers, then it hangs up on a request, as a server does that was restarted.
        for at in 0..4 {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    return;
                }
                seen.push(byte[0]);
            }
            if at < 3 {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            }
        }
    });
    let client = plain_client();
    for _ in 0..9 {
        let found = fetch(&client, &format!("http://127.0.0.1:{port}/")).unwrap();
        assert_eq!(found, (200, b"ok".to_vec()));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3);
    // An answer that was not read to its end takes its connection along.
    let half =
        client.send(&Call::fetch(Address::parse(&format!("http://127.0.0.1:{port}/")).unwrap()));
    drop(half.unwrap());
    fetch(&client, &format!("http://127.0.0.1:{port}/")).unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 5);
}

#[test]
fn a_large_body_comes_piece_by_piece() {
    let total = 64 << 20;
    let port = serve(move |_, line| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n");
        line.write_all(head.as_bytes()).unwrap();
        (0..total >> 13).all(|_| line.write_all(&[7; 1 << 13]).is_ok())
    });
    let client = hasty(Limits { body_bytes: total, ..limits() });
    let to = Address::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let mut reply = client.send(&Call::fetch(to.clone())).unwrap();
    let (mut length, mut largest) = (0, 0);
    while let Some(data) = reply.chunk().unwrap() {
        length += data.len() as u64;
        largest = largest.max(data.len());
    }
    assert_eq!(length, total);
    assert!(largest <= 1 << 20, "{largest}");
    let mut reply = client.send(&Call::fetch(to)).unwrap();
    let mut bytes = [0; 100];
    reply.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, [7; 100]);
}

#[test]
fn whatever_goes_wrong_is_told_with_the_server_and_the_reason() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hangs_up = serve(|_, _| false);
    let odd = always("SSH-2.0-x\r\n\r\n");
    let short = serve(|_, line| {
        line.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").unwrap();
        false
    });
    let torn = serve(|_, line| {
        line.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").unwrap();
        false
    });
    let announced = always("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n");
    let endless = serve(|_, line| {
        line.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while line.write_all(&[b'x'; 4_096]).is_ok() {}
        false
    });
    let long_head = serve(|_, line| {
        let field = format!("X: {}\r\n", "x".repeat(1_000));
        line.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        while line.write_all(field.as_bytes()).is_ok() {}
        false
    });
    let client = plain_client();
    for (port, code, said) in [
        (nobody, "unreachable", "connect to"),
        (hangs_up, "bad-answer", "hung up before"),
        (odd, "bad-answer", "does not answer in HTTP"),
        (short, "bad-answer", "hung up before the end"),
        (torn, "bad-answer", "hung up before the end"),
        (announced, "answer-too-large", "1048576 bytes of body"),
        (endless, "answer-too-large", "1048576 bytes of body"),
        (long_head, "answer-too-large", "16384 bytes of head"),
    ] {
        let failure = fetch(&client, &format!("http://127.0.0.1:{port}/")).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.code(), code, "{text}");
        assert!(text.contains(said) && text.contains(&port.to_string()), "{text}");
        assert_eq!(failure.kind(), Kind::Transient, "{text}");
    }
    let failure = fetch(&client, "http://no-such-host.invalid/").unwrap_err();
    assert!(matches!(failure, HttpFailure::Resolve { .. }), "{failure}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = serve(|_, line| line.read(&mut [0; 16]).is_ok());
    let slow_head = serve(|_, line| {
        line.write_all(b"HTTP/1.1 200 OK\r\nContent-").unwrap();
        line.read(&mut [0; 16]).is_ok()
    });
    let stuck = serve(|_, line| {
        line.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").unwrap();
        line.read(&mut [0; 16]).is_ok()
    });
    let drips = |line: &mut dyn Line| {
        while line.write_all(b"x").and_then(|()| line.flush()).is_ok() {
            std::thread::park_timeout(SHORT / 20);
        }
        false
    };
    let dripping = serve(move |_, line| {
        line.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        drips(line)
    });
    let quiet = Limits { silence: SHORT, ..limits() };
    let hurried = Limits { total: 2 * SHORT, ..limits() };
    for (port, limits, said) in [
        (silent, &quiet, "did not answer within 200 ms"),
        (slow_head, &quiet, "did not answer within 200 ms"),
        (stuck, &quiet, "did not go on with its answer within 200 ms"),
        (silent, &hurried, "did not answer within 400 ms"),
        (dripping, &hurried, "did not go on with its answer within 400 ms"),
    ] {
        let begun = clock::since_boot();
        let failure = fetch(&hasty(limits.clone()), &format!("http://127.0.0.1:{port}/"));
        let failure = failure.unwrap_err();
        assert_eq!(failure.code(), "server-late");
        assert!(failure.to_string().contains(said), "{failure}");
        assert!(clock::since_boot() < begun + LONG, "{failure}");
    }
}

#[test]
fn a_request_may_have_less_time_than_others() {
    let silent = serve(|_, line| line.read(&mut [0; 16]).is_ok());
    let to = Address::parse(&format!("http://127.0.0.1:{silent}/")).unwrap();
    let failure = plain_client().send_within(&Call::fetch(to), SHORT).unwrap_err();
    assert!(failure.to_string().contains("did not answer within 200 ms"), "{failure}");
}

#[test]
fn the_end_of_the_agent_ends_a_request() {
    let silent = serve(|_, line| line.read(&mut [0; 16]).is_ok());
    let access = access(Trust::default(), None);
    let stop = Arc::clone(&access.stop);
    let client = client(access);
    let stopper = std::thread::spawn(move || {
        std::thread::park_timeout(SHORT);
        stop.store(true, Ordering::Relaxed);
    });
    let begun = clock::since_boot();
    let failure = fetch(&client, &format!("http://127.0.0.1:{silent}/")).unwrap_err();
    assert!(matches!(failure, HttpFailure::Stopped { .. }), "{failure}");
    assert!(clock::since_boot() < begun + LONG);
    stopper.join().unwrap();
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    for (location, inside) in [("/other?x", true), ("http://127.0.0.2/", false)] {
        let port = serve(move |_, line| {
            let head =
                format!("HTTP/1.1 307 x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            line.write_all(head.as_bytes()).is_ok()
        });
        let to = Address::parse(&format!("http://127.0.0.1:{port}/a")).unwrap();
        let reply = plain_client().send(&Call::fetch(to)).unwrap();
        assert_eq!(reply.status(), 307);
        match reply.redirect_target().unwrap().unwrap() {
            Redirect::Within(to) => assert_eq!((to.path(), inside), ("/other?x", true)),
            Redirect::Elsewhere(to) => assert_eq!((to.host(), inside), ("127.0.0.2", false)),
            other @ Redirect::Unprotected(_) => panic!("{other:?}"),
        }
    }
    let port = always("HTTP/1.1 302 x\r\nLocation: gopher://a\r\nContent-Length: 0\r\n\r\n");
    let to = Address::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let failure = plain_client().send(&Call::fetch(to)).unwrap().redirect_target().unwrap_err();
    assert_eq!(failure.code(), "bad-answer");
}
