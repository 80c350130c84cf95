//! Hosts that have to show a certificate.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::status::{Control, Reporting};
use nix::sys::signal::Signal;
use tests::agent::{Service as Agent, until};
use tests::authority::Authority;

use crate::sealed::Sealed;
use crate::service::Folder;
use crate::site::{Site, standing, until_all_is_there, warned};

#[test]
fn only_certificates_of_the_named_authority_open_the_hosts_door() {
    let (sealed, hosts) = Sealed::for_known_hosts("");
    hosts.issue("good", "web-1");
    hosts.issue_expired("expired", "web-1");
    Authority::new(sealed.service.folder.path(), "others").issue("other", "web-1");
    // What nobody showed, what counts, and what ends the handshake: for hosts, programs and people.
    let cases = [
        ("", [403, 200, 200]),
        ("good", [400, 200, 200]),
        ("other", [0, 0, 0]),
        ("expired", [0, 0, 0]),
    ];
    for version in ["1.2", "1.3"] {
        for (name, expected) in cases {
            let (cert, key) = (format!("{name}.cert.pem"), format!("{name}.key.pem"));
            let mut more =
                vec![format!("--tlsv{version}"), "--tls-max".to_owned(), version.to_owned()];
            if !name.is_empty() {
                more.extend(["--cert".to_owned(), cert, "--key".to_owned(), key]);
            }
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            let records = [more.as_slice(), &["--data-binary", ""]].concat();
            for (path, more, expected) in [
                ("/agent/v1/records", &records, expected[0]),
                ("/agent/v1/enrol", &records, expected[0]),
                ("/healthz", &more, expected[1]),
                ("/", &more, expected[2]),
            ] {
                let Some(answer) = sealed.curl(path, more) else { return };
                assert_eq!(answer.status, expected, "TLS {version} {name:?} {path}: {answer:?}");
                assert_eq!(answer.code == Some(0), expected > 0, "{answer:?}");
                if expected == 403 {
                    assert!(answer.text.contains("\"code\":\"client-certificate\""), "{answer:?}");
                    assert!(answer.text.contains("[control] clientCert"), "{answer:?}");
                }
            }
        }
    }
}

#[test]
fn an_authority_whose_time_is_over_vouches_for_nobody() {
    let folder = Folder::new();
    let old = Authority::expired(folder.path(), "hosts");
    old.issue("late", "web-1");
    let sealed = Sealed::for_hosts_of(folder, "");
    let ask = |name: &str| {
        let (cert, key) = (format!("{name}.cert.pem"), format!("{name}.key.pem"));
        sealed.curl("/agent/v1/records", &["--data-binary", "", "--cert", &cert, "--key", &key])
    };
    let Some(answer) = ask("late") else { return };
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_eq!(sealed.service.get("/healthz").status, 200, "whoever shows none is served");
    // Beside its successor it does no harm.
    let new = Authority::new(sealed.service.folder.path(), "new");
    new.issue("good", "web-1");
    let read = |name: &str| fs::read_to_string(sealed.file(&format!("{name}.ca.pem"))).unwrap();
    fs::write(sealed.file("hosts.ca.pem"), read("hosts") + &read("new")).unwrap();
    sealed.service.signal(Signal::SIGHUP);
    until("the new one vouches", || ask("good").unwrap().status == 400);
    assert_eq!(ask("late").unwrap().status, 0);
    // An end is told, the service's own as well.
    sealed.authority.issue_expired("next", "127.0.0.1");
    sealed.put("next");
    sealed.service.signal(Signal::SIGHUP);
    until("it is told", || {
        sealed.service.said().contains("server.cert.pem ended at 2021-01-01T00:00:00Z")
    });
}

#[test]
fn who_is_turned_away_in_the_middle_of_a_large_request_hears_why() {
    let (sealed, _hosts) = Sealed::for_known_hosts("");
    let answer = sealed.service.post("/agent/v1/records", vec![b'x'; 1 << 20]);
    assert!(answer.problem(403).contains("clientCaFile"));
}

/// What an agent is told besides where the service is.
fn trust(sealed: &Sealed) -> String {
    format!("caFile = {:?}\n", sealed.file("own.ca.pem"))
}

#[test]
fn an_agent_reports_over_tls_to_whom_its_authority_vouches_for() {
    let sealed = Sealed::with("");
    let service = &sealed.service;
    let site = Site::told(service, &trust(&sealed));
    site.give(&service.token("web-1", &[]));
    let agent = site.shop.serve();
    until_all_is_there(&agent, service);
    let second = site.merge("second");
    agent.sync();
    until("the second revision is shown", || {
        let shown = service.get("/api/v1/hosts/web-1").json();
        shown["revision"].as_str().is_some_and(|it| it.contains(&second))
    });
    assert!(standing(&agent).url.starts_with("https://"));
    drop(agent);
    // One that does not know the authority sends nothing.
    let stranger = Site::told(service, "");
    let shown = warned(&stranger.shop.once(), Outcome::Committed);
    assert!(shown.contains("unreachable"), "{shown}");
}

/// Waits until the service answered nothing that helps, and records were made meanwhile.
#[track_caller]
fn until_records_wait(agent: &Agent<'_>) -> Control {
    let is_so = |it: &Control| it.state == Reporting::Unreachable && it.waiting > 0;
    until("records wait", || is_so(&standing(agent)));
    let told = standing(agent);
    assert_eq!(told.acked, 0, "{told:?}");
    told
}

#[test]
fn an_agent_without_a_certificate_waits_with_its_records_until_it_has_one() {
    let (sealed, hosts) = Sealed::for_known_hosts("");
    let service = &sealed.service;
    for has_token in [false, true] {
        let site = Site::told(service, &trust(&sealed));
        if has_token {
            site.give(&service.token("web-1", &[]));
        }
        let agent = site.shop.serve();
        let told = until_records_wait(&agent);
        let error = told.last_error.unwrap();
        assert!(error.contains("403") && error.contains("[control] clientCert"), "{error}");
        site.merge("meanwhile");
        agent.sync();
        until("it deploys all the same", || standing(&agent).waiting > told.waiting);
    }
    let issue = |authority: &Authority, site: &Site, name: &str| {
        authority.issue(name, "web-1");
        for kind in ["cert", "key"] {
            let file = format!("{name}.{kind}.pem");
            fs::copy(sealed.file(&file), site.shop.folder().join(format!("own.{kind}"))).unwrap();
        }
    };
    let own = "clientCert = \"own.cert\"\nclientKey = \"own.key\"\n";
    let site = Site::told(service, &format!("{}{own}", trust(&sealed)));
    site.give(&service.token("web-1", &[]));
    issue(&Authority::new(service.folder.path(), "others"), &site, "wrong");
    let agent = site.shop.serve();
    let error = until_records_wait(&agent).last_error.unwrap();
    assert!(error.contains("TLS") && error.contains("UnknownCA"), "{error}");
    // It is renewed, and seen without a restart.
    issue(&hosts, &site, "right");
    assert_eq!(until_all_is_there(&agent, service), site.written());
}
