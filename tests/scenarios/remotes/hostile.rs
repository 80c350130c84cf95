//! Servers that mean no good, or are ill.
//!
//! **Invariant:** each is given up within its time and its bytes, by its code, and nothing changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use tests::villain::{Asked, Villain};
use tests::workshop::Workshop;

use super::app;
use crate::story::settled;

/// How long a fetch may take here.
const TIMEOUT: &str = "timeout = \"3s\"\n";

/// More than a fetch and the rest of a cycle take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one fetch may bring here.
const LIMITS: &str = "limits: {packBytes: 2MiB}\n";

fn packet(content: &[u8]) -> Vec<u8> {
    [format!("{:04x}", content.len() + 4).as_bytes(), content].concat()
}

pub(super) fn band(number: u8, content: &[u8]) -> Vec<u8> {
    packet(&[&[number], content].concat())
}

/// What the branch is said to name.
fn refs(id: &str) -> Vec<u8> {
    [packet(format!("{id} refs/heads/main\n").as_bytes()), b"0000".to_vec()].concat()
}

/// A pack's first bytes: how many objects follow.
pub(super) fn head(objects: u32) -> Vec<u8> {
    [b"PACK\0\0\0\x02".as_slice(), &objects.to_be_bytes()].concat()
}

/// An id that nobody has.
fn unheard_of() -> String {
    "1".repeat(40)
}

/// Answers references with an unknown commit, and packs by something else.
pub(super) fn with_pack(pack: impl Fn(&mut Asked) + Send + 'static) -> Villain {
    Villain::start(move |asked| {
        if asked.is_for_pack() { pack(asked) } else { asked.serve(&refs(&unheard_of())) }
    })
}

pub(super) fn packfile(rest: &[&[u8]]) -> Vec<u8> {
    [packet(b"packfile\n"), rest.concat()].concat()
}

/// Lets the agent fetch from a server, which must fail so, in time, and without a change.
fn fails(shop: &Workshop, villain: &Villain, code: &str, what: &str) {
    shop.fetch_from(&format!("\"{}\"", villain.url("/fleet.git")), TIMEOUT);
    let began = Instant::now();
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Failed, code);
    assert!(cycle.detail.contains("/fleet.git"), "{what}: {}", cycle.detail);
    assert!(!cycle.detail.contains('\x1b'), "{what}: {}", cycle.detail);
    assert!(began.elapsed() < PATIENCE, "{what}: {:?}", began.elapsed());
    assert_eq!(app(shop), "app one\n", "{what}");
    let packs = fs::read_dir(shop.state().join("objects.git/objects/pack")).unwrap();
    let bytes: u64 = packs.map(|it| it.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 64 << 10, "{what}: {bytes} bytes are left");
    let waits = fs::read_dir(shop.state().join("objects.git/arriving/pack")).unwrap().count();
    assert_eq!(waits, 0, "{what}: packs are left");
}

pub(super) fn careful() -> Workshop {
    let shop = settled("");
    shop.trust(&shop.tip(), LIMITS);
    shop.once().ended(Outcome::Unchanged);
    shop
}

#[test]
fn a_server_that_is_ill_is_given_up() {
    let shop = careful();
    let page = "<html><script>alert(1)</script></html>";
    let ill: [(&str, &str, Villain); 8] = [
        (
            "hangs",
            "fetch-timeout",
            Villain::start(|it| while it.hold(Duration::from_millis(50)) {}),
        ),
        (
            "drips",
            "fetch-timeout",
            Villain::start(|it| {
                it.begin();
                it.say(b"fff0");
                while it.say(b"x") && it.hold(Duration::from_millis(50)) {}
            }),
        ),
        (
            "fails",
            "remote-refused",
            Villain::start(|it| it.answer("500 Oops", "text/plain", b"out of \x1b[31mmemory")),
        ),
        (
            "wants a login",
            "remote-denied",
            Villain::start(|it| it.answer("401 No", "text/html", b"")),
        ),
        (
            "shows a page",
            "remote-protocol",
            Villain::start(move |it| it.answer("200 OK", "text/html", page.as_bytes())),
        ),
        ("is none", "bad-answer", Villain::start(|it| assert!(it.say(b"SSH-2.0-OpenSSH_9.2\r\n")))),
        ("hangs up", "bad-answer", Villain::start(|_| {})),
        (
            "breaks off",
            "bad-answer",
            Villain::start(|it| {
                let kind = "Content-Type: application/x-git-upload-pack-result";
                it.say(
                    format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: 99\r\n\r\n0032")
                        .as_bytes(),
                );
            }),
        ),
    ];
    for (what, code, villain) in ill {
        fails(&shop, &villain, code, what);
    }
}

#[test]
fn attack_33_references_without_end_or_sense_are_given_up() {
    let shop = careful();
    let flood = Villain::start(|it| {
        it.begin();
        let line =
            packet(format!("{} refs/heads/main-{}\n", unheard_of(), "x".repeat(900)).as_bytes());
        let lines = line.repeat(64);
        while it.say(&lines) {}
    });
    fails(&shop, &flood, "too-large", "flood of references");
    for (what, code, body) in [
        (
            "twice",
            "remote-protocol",
            [
                packet(&[unheard_of().as_bytes(), b" refs/heads/main"].concat()).repeat(2),
                b"0000".to_vec(),
            ]
            .concat(),
        ),
        ("other hash", "object-format", refs(&"1".repeat(64))),
        ("no such branch", "missing-ref", b"0000".to_vec()),
        ("refusal", "remote-refused", packet(b"ERR \x1b[2Jno such project")),
        ("bad length", "remote-protocol", b"fffe".to_vec()),
        (
            "no end",
            "remote-protocol",
            packet(format!("{} refs/heads/main\n", unheard_of()).as_bytes()),
        ),
    ] {
        let villain = Villain::start(move |it| it.serve(&body));
        fails(&shop, &villain, code, what);
    }
}

#[test]
fn attack_33_packs_without_end_or_sense_are_given_up() {
    let shop = careful();
    // A blob of a length that no one unpacks, in stored blocks without an end.
    let endless = with_pack(|it| {
        it.begin();
        it.say(&packfile(&[&band(1, &head(1)), &band(1, b"\xbf\xff\xff\xff\x7f\x78\x01")]));
        let block = [b"\x00\xf0\xff\x0f\x00".as_slice(), &[b'x'; 0xfff0]].concat();
        let (one, two) = block.split_at(block.len() / 2);
        while it.say(&band(1, one)) && it.say(&band(1, two)) {}
    });
    fails(&shop, &endless, "too-large", "endless blob");
    let chatter = with_pack(|it| {
        it.begin();
        it.say(&packfile(&[]));
        let words = band(2, &[b'.'; 60_000]);
        while it.say(&words) {}
    });
    fails(&shop, &chatter, "too-large", "endless progress");
    let trailer = "029d08823bd8a8eab510ad6ac75c823cfd3ed31e";
    let empty: Vec<u8> = (0..40)
        .step_by(2)
        .map(|at| u8::from_str_radix(&trailer[at..at + 2], 16).unwrap())
        .collect();
    let empty = [head(0), empty].concat();
    for (what, code, body) in [
        ("no pack", "remote-protocol", b"0000".to_vec()),
        ("shallow", "remote-shallow", [packet(b"shallow-info\n"), b"0000".to_vec()].concat()),
        ("too many objects", "too-large", packfile(&[&band(1, &head(u32::MAX)), b"0000"])),
        ("cut off", "remote-protocol", packfile(&[&band(1, &head(3))])),
        ("ends early", "remote-damaged", packfile(&[&band(1, &head(3)), b"0000"])),
        (
            "is none",
            "remote-protocol",
            packfile(&[&band(1, b"<html>this is no pack</html>"), b"0000"]),
        ),
        (
            "is rubbish",
            "remote-damaged",
            packfile(&[&band(1, &head(1)), &band(1, &[0x5a; 900]), b"0000"]),
        ),
        ("is empty", "remote-damaged", packfile(&[&band(1, &empty), b"0000"])),
        (
            "fails over there",
            "remote-refused",
            packfile(&[&band(3, b"pack-objects \x1b[1mdied"), b"0000"]),
        ),
        ("refused", "remote-refused", packet(b"ERR upload-pack: not our ref")),
    ] {
        let villain = with_pack(move |it| it.serve(&body));
        fails(&shop, &villain, code, what);
    }
    // After all of them the host still follows its own repository.
    fs::write(shop.on_host("/etc/app.conf"), "broken").unwrap();
    shop.fetch_from("\"repo\"", "");
    shop.once().ended(Outcome::Committed);
    assert_eq!(app(&shop), "app one\n");
}

#[test]
fn attack_33_a_remote_that_floods_a_host_takes_nothing_from_it() {
    let shop = settled("");
    shop.trust(&shop.tip(), "limits: {packBytes: 128KiB}\n");
    shop.once().ended(Outcome::Unchanged);
    let good = shop.tip();
    let packs = || fs::read_dir(shop.state().join("objects.git/objects/pack")).unwrap().count();
    // Each is whole, signed by nobody, and too random to be packed into less.
    let mut random = 1_u64;
    for _ in 0..6 {
        let mut noise = Vec::new();
        while noise.len() < 100_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            noise.extend_from_slice(&random.to_le_bytes());
        }
        let blob = shop.put("blob", &noise);
        fs::write(shop.folder().join("noise"), format!("100644 blob {blob}\tnoise\n")).unwrap();
        let tree = shop.make_tree("noise");
        shop.move_branch(&shop.git(&["commit-tree", "-p", &good, "-m", "noise", &tree]));
        shop.once().ended(Outcome::Refused);
    }
    assert!(packs() <= 8, "{} files of packs", packs());
    shop.fetch_from("\"nowhere\"", "");
    fs::write(shop.on_host("/etc/app.conf"), "broken").unwrap();
    shop.once();
    assert_eq!(app(&shop), "app one\n", "drift is repaired without the remote");
}

#[test]
fn attack_33_a_redirect_to_another_server_takes_no_credentials_along() {
    let shop = careful();
    let token = shop.folder().join("token");
    fs::write(&token, "deploy:canary7Kx9").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let thief = Villain::start(|it| it.answer("401 No", "text/plain", b""));
    let to = thief.url("/fleet.git/git-upload-pack");
    let first = Villain::start(move |it| {
        it.say(
            format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        );
    });
    let more = format!("{TIMEOUT}tokenFile = \"token\"\n");
    shop.fetch_from(&format!("\"{}\"", first.url("/fleet.git")), &more);
    shop.once().ended_for(Outcome::Failed, "remote-denied");
    assert!(first.heard()[0].contains("authorization: basic "), "{:?}", first.heard());
    assert!(!thief.heard().is_empty());
    for words in thief.heard() {
        assert!(!words.contains("authorization") && !words.contains("canary"), "{words}");
    }
}

#[test]
fn a_proxy_is_asked_for_what_is_behind_it() {
    let shop = careful();
    let proxy = Villain::start(|it| it.answer("502 Bad Gateway", "text/plain", b"no such host"));
    let more = format!("{TIMEOUT}proxy = \"{}\"\n", proxy.url("/"));
    shop.fetch_from("\"http://git.example.invalid/fleet.git\"", &more);
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Failed, "remote-refused");
    assert!(cycle.detail.ends_with("status 502: no such host"), "{}", cycle.detail);
    let asked = "post http://git.example.invalid/fleet.git/git-upload-pack http/1.1";
    assert!(proxy.heard()[0].starts_with(asked), "{:?}", proxy.heard());
}

#[test]
fn attack_33_redirects_in_a_circle_end() {
    let shop = careful();
    let circle = Villain::start(|it| {
        let path = it.words.split(' ').nth(1).unwrap_or("/").to_owned();
        it.say(
            format!("HTTP/1.1 301 Moved\r\nLocation: {path}\r\nContent-Length: 0\r\n\r\n")
                .as_bytes(),
        );
    });
    fails(&shop, &circle, "remote-redirect", "circle");
    assert!(circle.heard().len() <= 6, "{}", circle.heard().len());
}
