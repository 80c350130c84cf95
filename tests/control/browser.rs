//! The pages in a real browser: Debian's chromium, walked by the scripts in `tests/pages`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bowline_api::outcome::Outcome;
use bowline_api::record::{Conflict, Kind, PolicyMark, ProbeWord, Proof, Record};
use bowline_model::digest::Sha256;

use crate::host::Host;
use crate::service::Service;

fn commit(word: &str) -> String {
    word.repeat(20)
}

fn probe(name: &str, passed: bool, detail: &str) -> ProbeWord {
    ProbeWord { name: name.to_owned(), passed, detail: detail.to_owned() }
}

/// What a usual deployment says.
fn usual(it: &mut Record, environment: &str, subject: &str) {
    it.environment = Some(environment.to_owned());
    it.subject = Some(subject.to_owned());
    it.policy = Some(PolicyMark {
        version: 3,
        sha256: "5e".repeat(32),
        expires: Some("2027-02-01T00:00:00Z".to_owned()),
        root_version: Some(2),
    });
    it.adopted = vec![serde_json::json!({
        "commit": "2c".repeat(20), "code": "unsigned", "reason": "a web edit, looked at",
        "signers": ["alice", "bob"], "issued": "2026-11-01T00:00:00Z",
    })];
    it.steps.changed = 3;
    it.steps.by_kind = [("write-file".to_owned(), 2), ("restart".to_owned(), 1)].into();
    it.probes = vec![
        probe("shop-http", true, "200 OK in 12 ms"),
        probe("shop-db", true, "connected in 3 ms"),
    ];
    let spans = [("fetch", 180), ("verify", 4), ("plan", 9), ("stage", 41), ("apply", 12)];
    it.durations =
        spans.into_iter().chain([("probe", 5030)]).map(|(k, n)| (k.to_owned(), n)).collect();
}

/// A change that was taken back on this host.
fn taken_back(it: &mut Record) {
    it.outcome = Outcome::Reverted;
    it.reason = "ProbeFailed".to_owned();
    it.detail = "probe shop-http was not content within 10 s: 502 Bad Gateway".to_owned();
    it.probes = vec![
        probe("shop-http", false, "502 Bad Gateway in 3 ms <script>alert(3)</script>"),
        probe("shop-db", true, "connected in 3 ms"),
    ];
    it.conflicts = vec![Conflict {
        path: "/etc/shop/local.conf".to_owned(),
        kept: Some("/.bowline-stage/kept/000003/local.conf".to_owned()),
        detail: "somebody wrote it during the change".to_owned(),
    }];
    it.proof = Some(Proof { before: "c4".repeat(32), after: "c4".repeat(32) });
    it.durations.insert("revert".to_owned(), 37);
}

/// A fleet in which most things have happened; gives the host that goes on.
fn fleet(service: &Service) -> Host {
    let old = (commit("0a3f"), "shop: keep sessions for an hour");
    let new = (commit("c41e"), "checkout: new gateway <script>alert(1)</script>");
    let newest = (commit("9b07"), "nginx: HSTS for every site (#214)");
    let [old, new, newest] = [old, new, newest].map(|(it, subject)| (it[..40].to_owned(), subject));
    let names = ["db-1", "db-2", "web-1", "web-2", "web-3", "web-4", "worker-1", "worker-2"];
    let mut first = None;
    for (at, name) in names.into_iter().enumerate() {
        let environment = if at % 4 == 3 { "staging" } else { "production" };
        let environment = if name == "web-2" { "production" } else { environment };
        let mut host = Host::enrolled(service, name);
        host.tell_as(&old.0, |it| usual(it, environment, old.1));
        host.tell_as(&new.0, |it| usual(it, environment, new.1));
        host.tell_as(&newest.0, |it| {
            usual(it, environment, newest.1);
            it.base = Some(format!("main@sha1:{}", new.0));
            match name {
                "web-2" => taken_back(it),
                "web-4" => it.outcome = Outcome::Unchanged,
                "worker-1" => {
                    it.outcome = Outcome::Held;
                    it.kind = Kind::Alarm;
                    it.reason = "Quarantined".to_owned();
                    it.deployment = String::new();
                }
                "worker-2" => {
                    it.outcome = Outcome::Stranded;
                    it.reason = "Stranded".to_owned();
                }
                _ => {}
            }
        });
        assert_eq!(service.send(&host.all()).status, 200);
        if name == "web-1" {
            first = Some(host);
        } else if name == "web-3" {
            fork(service, host);
        }
    }
    Host::enrolled(service, "new-1");
    assert_eq!(Host::new("db-1").enrol(service).status, 202);
    first.unwrap()
}

/// Two machines go on with one host's key.
fn fork(service: &Service, mut host: Host) {
    let mut twin = host.copy();
    for (it, ended) in [(&mut host, Outcome::Committed), (&mut twin, Outcome::Unchanged)] {
        it.tell(&commit("9b07")[..40], None, ended);
        service.send(&it.after(3, 1));
    }
    let note = "cloned by mistake, see OPS-7";
    let seen = service.get("/api/v1/hosts/web-3").json()["faults"][0]["id"].to_string();
    let words = ["host", "acknowledge", "web-3", "--seen", &seen, "--note", note];
    assert!(service.verb(&words).status.success());
    for (it, ended) in [(&mut host, Outcome::Committed), (&mut twin, Outcome::Unchanged)] {
        it.tell(&commit("9b07")[..40], None, ended);
        service.send(&it.after(4, 1));
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pages")
}

/// A program on the path.
fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|it| it.join(name)).find(|it| it.is_file())
}

/// What opens the pages, and in what; or what is not there.
fn tools() -> Result<(PathBuf, PathBuf), &'static str> {
    let found = (program("node").ok_or("node")?, program("chromium").ok_or("chromium")?);
    let is_there = folder().join("node_modules/playwright-core").is_dir();
    let missing = "what `npm ci --ignore-scripts` installs in tests/pages";
    if is_there { Ok(found) } else { Err(missing) }
}

/// Walks a guarded service and this one in a browser; does what the walk asks for with the service and its first
/// host. Gives what it said.
fn walk(script: &str, service: &mut Service, host: &mut Host) -> Option<String> {
    let (node, chromium) = match tools() {
        Ok(found) => found,
        Err(what) => {
            assert!(std::env::var_os("BOWLINE_CI").is_none(), "{what} is missing");
            println!("left out: {what} is missing");
            return None;
        }
    };
    let digest = Sha256::of(b"let me in");
    let guarded = Service::with(&format!("[read]\ntokenSha256 = [\"{digest}\"]\n"));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    let url = |service: &Service| format!("http://{}", service.address);
    let mut walk = Command::new(node)
        .arg(folder().join(script))
        .arg(chromium)
        .args([url(service), url(&guarded)])
        .arg(&pictures)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(walk.stdout.take().unwrap()).lines().map_while(Result::ok) {
        println!("{line}");
        if let Some(what) = line.strip_prefix("ask ") {
            help(what, service, host);
            walk.stdin.as_mut().unwrap().write_all(b"done\n").unwrap();
        }
        said += &line;
        said.push('\n');
    }
    let ended = walk.wait().unwrap();
    let bad: Vec<&str> = said.lines().filter(|it| it.starts_with("FAILED")).collect();
    assert!(ended.success() && bad.is_empty(), "{ended}: {bad:#?}");
    Some(said)
}

/// Does what a walk asks for.
fn help(what: &str, service: &mut Service, host: &mut Host) {
    match what {
        "record" => tell(service, host),
        "records" => (0..6).for_each(|_| tell(service, host)),
        "decision" => {
            let words = ["host", "retire", "db-2", "--note", "sold"];
            assert!(service.verb(&words).status.success());
        }
        "stop" => {
            service.stay();
            assert_eq!(service.stop(), Some(0));
        }
        "start" => service.start(),
        _ => panic!("nobody knows how to help with {what}"),
    }
}

fn tell(service: &Service, host: &mut Host) {
    let told = host.told();
    // One that says the same as the record before it would be none.
    let ended = if told % 2 == 1 { Outcome::Failed } else { Outcome::Held };
    host.tell_as(&commit("9b07")[..40], |it| it.outcome = ended);
    assert_eq!(service.send(&host.after(told, 1)).status, 200);
}

fn is_long(said: &str, lines: usize) {
    let held = said.lines().filter(|it| it.starts_with("ok ")).count();
    assert!(held >= lines, "the walk was short: {held} of {lines}: {said}");
}

#[test]
fn the_pages_hold_in_a_real_browser() {
    let mut service = Service::new();
    let mut host = fleet(&service);
    if let Some(said) = walk("look.mjs", &mut service, &mut host) {
        is_long(&said, 80);
    }
}

#[test]
fn a_page_in_a_real_browser_keeps_as_new_as_the_service() {
    let mut service = Service::new();
    let mut host = fleet(&service);
    if let Some(said) = walk("live.mjs", &mut service, &mut host) {
        is_long(&said, 30);
    }
}
