//! Certificates that are renewed while the service runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use tests::agent::until;
use tests::authority::Authority;

use crate::http::{head, read};
use crate::sealed::{Sealed, Stream};
use crate::service::Service;

/// What is said of certificates that came into force.
const RENEWED: &str = "certificates were read anew";

/// What is said of those that did not.
const KEPT: &str = "those before stay in force";

/// Asks over a connection that stays open.
fn ask(stream: &mut Stream) {
    let kept = head("GET", "/healthz", None, 0).replace("close", "keep-alive");
    stream.write_all(kept.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"ok\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn a_renewed_certificate_is_seen_by_itself_and_old_connections_go_on() {
    let sealed = Sealed::with("limits.headTime = \"50s\"\n");
    let mut old = sealed.connect();
    ask(&mut old);
    let before = sealed.shown();
    sealed.authority.issue("next", "127.0.0.1");
    let next = sealed.written("next.cert.pem");
    sealed.put("next");
    until("the new one is shown", || sealed.shown() == next);
    assert_ne!(before, next);
    ask(&mut old);
    // A look may have fallen between the two files, and told that they are no pair: then it told this later.
    until("it is told", || sealed.service.said().contains(RENEWED));
    assert_eq!(sealed.service.get("/healthz").status, 200);
}

#[test]
fn a_pair_that_cannot_be_used_changes_nothing_and_is_told_once() {
    let sealed = Sealed::with("");
    let before = sealed.shown();
    sealed.authority.issue("next", "127.0.0.1");
    let key = fs::read(sealed.file("next.key.pem")).unwrap();
    let told = || sealed.service.said().matches(KEPT).count();
    // Half a key is written, and time passes.
    fs::write(sealed.file("server.key.pem"), &key[..100]).unwrap();
    until("it is told", || told() == 1);
    assert_eq!(sealed.shown(), before);
    // The whole key, and still the certificate before.
    fs::write(sealed.file("server.key.pem"), &key).unwrap();
    until("it is told again", || told() == 2);
    assert!(
        sealed.service.said().contains("does not go with the key"),
        "{}",
        sealed.service.said()
    );
    assert_eq!(sealed.shown(), before);
    let next = sealed.written("next.cert.pem");
    fs::rename(sealed.file("next.cert.pem"), sealed.file("server.cert.pem")).unwrap();
    sealed.service.signal(Signal::SIGHUP);
    until("the new one is shown", || sealed.shown() == next);
    assert_eq!(told(), 2, "once for each change");
    // A key that others may read is not used later, either.
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(sealed.file("server.key.pem"), mode).unwrap();
    sealed.service.signal(Signal::SIGHUP);
    until("it is told", || sealed.service.said().contains("has mode 0644"));
    assert_eq!(sealed.service.get("/healthz").status, 200);
}

#[test]
fn authorities_for_hosts_are_renewed_as_well() {
    let (sealed, hosts) = Sealed::for_known_hosts("");
    hosts.issue("old", "web-1");
    let other = Authority::new(sealed.service.folder.path(), "others");
    other.issue("new", "web-1");
    let status = |name: &str| {
        let (cert, key) = (format!("{name}.cert.pem"), format!("{name}.key.pem"));
        let more = ["--cert", &cert, "--key", &key, "--data-binary", ""];
        sealed.curl("/agent/v1/records", &more).map(|it| it.status)
    };
    let Some(first) = status("old") else { return };
    assert_eq!((first, status("new")), (400, Some(0)));
    fs::rename(sealed.file("others.ca.pem"), sealed.file("hosts.ca.pem")).unwrap();
    sealed.service.signal(Signal::SIGHUP);
    until("the other authority is believed", || status("new") == Some(400));
    assert_eq!(status("old"), Some(0), "and no longer the one before");
}

#[test]
fn a_hangup_does_no_harm_without_certificates() {
    let mut service = Service::new();
    let mut stream = crate::http::connect(service.address);
    service.signal(Signal::SIGHUP);
    until("it is heard", || service.said().contains("nothing is read anew"));
    stream.write_all(head("GET", "/healthz", None, 0).as_bytes()).unwrap();
    assert_eq!(read(&mut stream).unwrap().status, 200);
    assert_eq!(service.stop(), Some(0));
}
