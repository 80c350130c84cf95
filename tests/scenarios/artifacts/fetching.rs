//! Servers of releases that are well, ill, or mean no good.
//!
//! **Invariant:** nothing is begun before an archive is here; what stands is looked after meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use bowline_model::digest::Sha256;
use tests::agent::until;
use tests::authority::Authority;
use tests::nginx::Nginx;
use tests::picture::Picture;
use tests::villain::{Asked, Villain};
use tests::workshop::Workshop;

use super::{artifact, depot, leftovers, local, merge, pack, says};
use crate::story::file;

/// A secret that no server of releases may hear.
const CANARY: &str = "canary7Kx9";

/// A host with one release, and impatience.
pub(super) fn settled() -> Workshop {
    let shop = Workshop::new();
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}[artifacts]\ntimeout = \"3s\"\n")).unwrap();
    merge(&shop, &[&local(&shop, 1), &file("app", "/opt/app.conf", "one")]);
    shop.once().ended(Outcome::Committed);
    shop
}

/// A release from a server is wanted, and comes to nothing.
fn fails(shop: &Workshop, url: &str, sha256: &Sha256, (outcome, code): (Outcome, &str)) {
    let before = Picture::whole(&shop.root());
    merge(
        shop,
        &[&artifact(url, sha256, ", extract: tar.gz"), &file("app", "/opt/app.conf", "two")],
    );
    // While it does not come, what stands is repaired.
    fs::write(shop.on_host("/opt/app.conf"), "by hand").unwrap();
    let told = shop.once();
    let cycle = told.ended_for(outcome, code);
    assert!(!cycle.detail.contains(CANARY), "{cycle:#?}");
    assert_eq!(Picture::whole(&shop.root()), before, "{code}: {cycle:#?}");
    assert_eq!(leftovers(shop), Vec::<String>::new(), "{code}");
}

fn sends_to(to: &str) -> Villain {
    let to = to.to_owned();
    Villain::start(move |it| {
        it.say(
            format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        );
    })
}

#[test]
fn a_release_comes_over_tls_from_where_its_server_sends() {
    let shop = settled();
    let sha256 = pack(&shop, 2);
    let authority = Authority::new(shop.folder(), "good");
    authority.issue("server", "127.0.0.1");
    let places = format!(
        "location /depot/ {{ alias {}/depot/; }}\nlocation /old/ {{ rewrite ^/old/(.*)$ /depot/$1 redirect; }}\n\
         location /loop/ {{ return 302 /loop/x.tar.gz; }}\n\
         location /clear/ {{ return 302 http://127.0.0.1:9/x.tar.gz; }}",
        shop.folder().display()
    );
    let Some(nginx) = Nginx::start_secure(&shop, &places) else { return };
    // Nobody vouches for it yet.
    fails(&shop, &nginx.url("/depot/shop-2.tar.gz"), &sha256, (Outcome::Failed, "tls"));
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text.replace("url = \"repo\"\n", "url = \"repo\"\ncaFile = \"good.ca.pem\"\n");
    fs::write(&settings, text).unwrap();
    let failing = |path: &str, how| fails(&shop, &nginx.url(path), &sha256, how);
    failing("/depot/none.tar.gz", (Outcome::Failed, "artifact-status"));
    failing("/loop/x.tar.gz", (Outcome::Refused, "artifact-redirect"));
    failing("/clear/x.tar.gz", (Outcome::Refused, "artifact-redirect"));
    let other = Sha256::of(b"another");
    fails(&shop, &nginx.url("/depot/shop-2.tar.gz"), &other, (Outcome::Refused, "artifact-digest"));
    merge(&shop, &[&artifact(&nginx.url("/old/shop-2.tar.gz"), &sha256, "")]);
    shop.once().ended(Outcome::Committed);
    assert_eq!(says(&shop), "2");
    nginx.forget();
    shop.once().ended(Outcome::Unchanged);
    assert_eq!(nginx.requests(), [], "it is asked again for what is here");
}

#[test]
fn a_server_that_is_ill_holds_up_its_release_and_nothing_else() {
    let shop = settled();
    let sha256 = pack(&shop, 2);
    let bytes = fs::read(depot(&shop, 2)).unwrap();
    let half = bytes[..bytes.len() / 2].to_vec();
    let length = bytes.len();
    type Answer = Box<dyn FnMut(&mut Asked) + Send>;
    let ill: Vec<(Answer, (Outcome, &str))> = vec![
        (
            Box::new(|it| while it.hold(Duration::from_millis(50)) {}),
            (Outcome::Failed, "server-late"),
        ),
        (
            Box::new(|it| {
                it.say(b"HTTP/1.1 200 OK\r\n\r\n");
                while it.say(b"x") && it.hold(Duration::from_millis(50)) {}
            }),
            (Outcome::Failed, "server-late"),
        ),
        (
            Box::new(move |it| {
                it.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes());
                it.say(&half);
            }),
            (Outcome::Failed, "bad-answer"),
        ),
        (
            Box::new(|it| it.answer("503 No", "text/plain", b"")),
            (Outcome::Failed, "artifact-status"),
        ),
        (
            Box::new(|it| {
                it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
            }),
            (Outcome::Refused, "artifact-too-large"),
        ),
        (
            Box::new(|it| it.answer("200 OK", "text/plain", b"no")),
            (Outcome::Refused, "artifact-digest"),
        ),
    ];
    for (answer, how) in ill {
        let villain = Villain::start(answer);
        fails(&shop, &villain.url("/shop-2.tar.gz"), &sha256, how);
    }
    let away = Villain::start(|_| {});
    let url = away.url("/shop-2.tar.gz");
    drop(away);
    fails(&shop, &url, &sha256, (Outcome::Failed, "unreachable"));
    let elsewhere = sends_to("http://192.0.2.1/x.tar.gz");
    fails(&shop, &elsewhere.url("/x.tar.gz"), &sha256, (Outcome::Refused, "artifact-redirect"));
}

#[test]
fn no_server_of_releases_hears_a_credential() {
    let shop = settled();
    let sha256 = pack(&shop, 2);
    let bytes = fs::read(depot(&shop, 2)).unwrap();
    let villain = Villain::start(move |it| it.answer("200 OK", "application/gzip", &bytes));
    fs::write(shop.folder().join("token"), CANARY).unwrap();
    shop.run("chmod", &["600", "token"]);
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    // An address of the same server could hear the token: a release is none of its business.
    let both =
        format!("url = [\"repo\", \"{}\"]\ntokenFile = \"token\"\n", villain.url("/fleet.git"));
    fs::write(&settings, text.replace("url = \"repo\"\n", &both)).unwrap();
    merge(&shop, &[&artifact(&villain.url("/shop-2.tar.gz"), &sha256, "")]);
    shop.once().ended(Outcome::Committed);
    assert_eq!(says(&shop), "2");
    let heard = villain.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(!heard[0].contains("authorization") && !heard[0].contains(CANARY), "{heard:?}");
}

#[test]
fn an_agent_that_is_killed_while_it_fetches_begins_anew() {
    let shop = settled();
    let before = Picture::whole(&shop.root());
    let sha256 = pack(&shop, 2);
    let bytes = fs::read(depot(&shop, 2)).unwrap();
    let half = bytes[..bytes.len() / 2].to_vec();
    let (length, mut asked) = (bytes.len(), 0);
    let villain = Villain::start(move |it| {
        asked += 1;
        if asked > 1 {
            return it.answer("200 OK", "application/gzip", &bytes);
        }
        it.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes());
        it.say(&half);
        while it.hold(Duration::from_millis(20)) {}
    });
    merge(&shop, &[&artifact(&villain.url("/shop-2.tar.gz"), &sha256, "")]);
    let agent = shop.begin();
    until("it has begun to come", || !villain.heard().is_empty() && !leftovers(&shop).is_empty());
    agent.kill();
    assert_eq!(Picture::whole(&shop.root()), before);
    shop.once().ended(Outcome::Committed);
    assert_eq!(says(&shop), "2");
    assert_eq!(leftovers(&shop), Vec::<String>::new());
}

#[test]
fn an_agent_that_is_asked_to_end_while_it_fetches_ends() {
    let shop = settled();
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("timeout = \"3s\"", "timeout = \"10m\"")).unwrap();
    let sha256 = pack(&shop, 2);
    let villain = Villain::start(|it| {
        it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while it.say(b"x") && it.hold(Duration::from_millis(20)) {}
    });
    let service = shop.serve();
    until("it rests", || service.tell::<serde_json::Value>("/v1/status")["phase"] == "rest");
    merge(&shop, &[&artifact(&villain.url("/shop-2.tar.gz"), &sha256, "")]);
    service.sync();
    until("something is here", || !leftovers(&shop).is_empty());
    let began = Instant::now();
    assert_eq!(service.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(says(&shop), "1");
}
