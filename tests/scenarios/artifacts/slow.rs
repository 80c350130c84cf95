//! Servers of releases that drip, or fall silent: the deadline, an ordered end and the watchdog hold.
//!
//! **Invariant:** while nothing comes, the service manager is never left longer without a word than it was told.

use std::fs;
use std::time::{Duration, Instant};

use bowline_api::status::Status;
use tests::agent::{Service, until};
use tests::villain::{Asked, Villain};
use tests::workshop::Workshop;

use super::fetching::settled;
use super::{artifact, leftovers, merge, pack, says};
use crate::notified::{Manager, micros};
use crate::story::file;

/// How a server never comes to an end.
const SLOW: [(&str, fn(&mut Asked)); 3] = [
    ("drips", |it| {
        it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while it.say(b"x") && it.hold(Duration::from_millis(2)) {}
    }),
    ("falls silent in the body", |it| {
        it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nx");
        while it.hold(Duration::from_millis(50)) {}
    }),
    ("drips its head", |it| {
        it.say(b"HTTP/1.1 200 OK\r\nX-Long: ");
        while it.say(b"x") && it.hold(Duration::from_millis(2)) {}
    }),
];

/// A host whose agent is fed by a watchdog of a second, and a release that never comes.
fn begun<'w>(shop: &'w Workshop, manager: &Manager, villain: &Villain) -> Service<'w> {
    let sha256 = pack(shop, 2);
    let service = manager.start(shop, "1000000");
    until("it rests", || service.tell::<Status>("/v1/status").phase == "rest");
    merge(shop, &[&artifact(&villain.url("/shop-2.tar.gz"), &sha256, ""), &app()]);
    service.sync();
    until("it is asked", || !villain.heard().is_empty());
    service
}

fn app() -> String {
    file("app", "/opt/app.conf", "one")
}

#[test]
fn a_release_that_drips_ends_at_its_deadline_and_no_watchdog_bites() {
    for (how, answer) in SLOW {
        let shop = settled();
        let (villain, mut manager) = (Villain::start(answer), Manager::new(&shop));
        let began = Instant::now();
        let service = begun(&shop, &manager, &villain);
        fs::write(shop.on_host("/opt/app.conf"), "by hand").unwrap();
        let late = || {
            let last = service.tell::<Status>("/v1/status").last;
            last.is_some_and(|it| it.code == "server-late")
        };
        // As the service manager counts: from word to word, by what the last one allowed.
        let mut allowed = Duration::from_mins(1);
        while !late() {
            let said = manager.next(allowed);
            let said = said.unwrap_or_else(|| panic!("{how}: silent for {allowed:?}"));
            if said.contains("WATCHDOG_USEC=") {
                allowed = Duration::from_micros(micros(&said));
            }
        }
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(3), "{how}: {took:?}");
        assert!(took < Duration::from_secs(30), "{how}: {took:?}");
        assert_eq!(leftovers(&shop), Vec::<String>::new(), "{how}");
        assert_eq!(says(&shop), "1", "{how}");
        // What stands did not wait for it longer than that.
        until("it is repaired", || fs::read(shop.on_host("/opt/app.conf")).unwrap() == b"one");
        assert_eq!(service.stop(), Some(0), "{how}");
    }
}

#[test]
fn an_agent_that_waits_for_a_slow_release_ends_when_it_is_asked_to() {
    for (how, answer) in SLOW {
        let shop = settled();
        let settings = shop.folder().join("agent.toml");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, text.replace("timeout = \"3s\"", "timeout = \"10m\"")).unwrap();
        let (villain, manager) = (Villain::start(answer), Manager::new(&shop));
        let service = begun(&shop, &manager, &villain);
        assert!(service.answers(), "{how}");
        let began = Instant::now();
        assert_eq!(service.stop(), Some(0), "{how}");
        // Far below the silence that a server may keep.
        assert!(began.elapsed() < Duration::from_secs(10), "{how}: {:?}", began.elapsed());
        assert_eq!(says(&shop), "1", "{how}");
    }
}
