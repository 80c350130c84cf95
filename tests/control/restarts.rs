//! The service ends in the middle: asked to, killed, or by its disk.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_api::record::ProbeWord;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::json;
use tests::agent::until;

use crate::host::Host;
use crate::http::try_ask;
use crate::service::{Folder, Service};

/// Sends records in small requests until the service hangs up; tells what was acknowledged.
fn send_until_hung_up(service: &Service, host: &Host, acked: &AtomicU64) {
    loop {
        let from = acked.load(Ordering::Relaxed);
        let body = host.after(from, 2).join("\n");
        let sent = try_ask(service.address, "POST", "/agent/v1/records", None, body.as_bytes());
        let Some(answer) = sent.filter(|it| it.status == 200) else { return };
        acked.store(answer.json()["acked"].as_u64().unwrap(), Ordering::Relaxed);
    }
}

#[test]
fn what_was_acknowledged_is_there_after_any_end() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut service = Service::new();
        let mut host = Host::enrolled(&service, "web-1");
        host.tell_many(400);
        let acked = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| send_until_hung_up(&service, &host, &acked));
            until("some records are acknowledged", || acked.load(Ordering::Relaxed) >= 20);
            service.signal(signal);
        });
        let code = service.wait();
        assert_eq!(code, (signal == Signal::SIGTERM).then_some(0));
        let acked = acked.into_inner();
        assert!((20..400).contains(&acked), "{acked}");
        service.start();
        let kept = service.seq("web-1");
        assert!(kept >= acked, "{signal}: {acked} were acknowledged, {kept} are kept");
        assert_eq!(service.send(&host.all()).json(), json!({"acked": 400}));
        let page = service.get("/api/v1/deployments?limit=1000").json();
        assert_eq!(page["items"].as_array().unwrap().len(), 400);
        assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"], json!([]));
    }
}

#[test]
fn a_request_that_was_begun_is_answered_before_the_end() {
    use std::io::Write as _;
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1);
    let body = host.all().remove(0);
    let mut stream = crate::http::connect(service.address);
    let head = crate::http::head("POST", "/agent/v1/records", None, body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    // The service has read the head once it answers what came after it.
    assert_eq!(service.get("/healthz").status, 200);
    service.signal(Signal::SIGTERM);
    until("it takes no more connections", || {
        std::net::TcpStream::connect(service.address).is_err()
    });
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    assert_eq!(crate::http::read(&mut stream).unwrap().json(), json!({"acked": 1}));
    assert_eq!(service.wait(), Some(0));
}

#[test]
fn a_locked_database_is_told_and_loses_nothing() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1);
    let file = service.folder.path().join("store/control.db");
    let other = Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let detail = service.send(&host.all()).problem(503);
    assert!(detail.contains("other program"), "{detail}");
    assert_eq!(service.seq("web-1"), 0, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 1}));
}

#[test]
fn a_database_of_a_newer_version_or_another_program_is_left_as_it_is() {
    let mut service = Service::new();
    service.stop();
    let file = service.folder.path().join("store/control.db");
    let db = Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 1000).unwrap();
    drop(db);
    let before = std::fs::read(&file).unwrap();
    let told = service.verb(&[]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("schema 1000"), "{told:?}");
    assert!(service.verb(&["token", "new", "--host", "a"]).status.code() == Some(2));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::write(
        &file,
        "a text that somebody wants to keep, long enough for a page's head; ".repeat(9),
    )
    .unwrap();
    let before = std::fs::read(&file).unwrap();
    let told = service.verb(&[]);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_command_makes_no_database_and_takes_none_that_is_not_its_own() {
    let mut service = Service::new();
    service.stop();
    let store = service.folder.path().join("store");
    let file = store.join("control.db");
    let commands: [&[&str]; 3] = [
        &["token", "new", "--host", "a"],
        &["host", "refuse", "a", "SHA256:x"],
        &["host", "approve", "a", "SHA256:x"],
    ];
    let schemas = ["0001.sql", "0002.sql", "0003.sql", "0004.sql"].map(|it| {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../control/server/src/store/sqlite");
        std::fs::read_to_string(folder.join(it)).unwrap()
    });
    let old = |version: usize| {
        let db = Connection::open(&file).unwrap();
        schemas[..version].iter().for_each(|it| db.execute_batch(it).unwrap());
        db.pragma_update(None, "application_id", 0x4257_4c43).unwrap();
        db.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
    };
    let foreign = || Connection::open(&file).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let cases: [(&str, &dyn Fn()); 7] = [
        ("there is no database", &|| ()),
        ("there is no database", &|| std::fs::write(&file, "").unwrap()),
        ("has schema 1", &|| old(1)),
        ("has schema 2", &|| old(2)),
        ("has schema 3", &|| old(3)),
        ("has schema 4", &|| old(4)),
        ("is not a database of bowline-control", &foreign),
    ];
    for (word, make) in cases {
        for entry in std::fs::read_dir(&store).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        make();
        let before = std::fs::read(&file).ok();
        for words in commands {
            let told = service.verb(words);
            assert_eq!(told.status.code(), Some(2), "{word}: {told:?}");
            let said = String::from_utf8_lossy(&told.stderr).into_owned();
            assert!(said.contains(word) && said.contains("hint: "), "{said}");
            assert_eq!(std::fs::read(&file).ok(), before, "{word}: {words:?}");
        }
    }
}

#[test]
fn the_service_keeps_a_copy_of_an_older_database_before_it_brings_it_to_its_schema() {
    let mut service = Service::new();
    service.stop();
    let file = service.folder.path().join("store/control.db");
    std::fs::remove_file(&file).unwrap();
    let first = include_str!("../../control/server/src/store/sqlite/0001.sql");
    let db = Connection::open(&file).unwrap();
    db.execute_batch(first).unwrap();
    db.execute_batch("INSERT INTO host (name) VALUES ('web-1')").unwrap();
    db.pragma_update(None, "application_id", 0x4257_4c43).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    let copy = service.folder.path().join("store/control.db.schema-1");
    // What an earlier try left behind.
    std::fs::write(service.folder.path().join("store/control.db.schema-1.part"), "torn").unwrap();
    service.start();
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["name"], "web-1");
    assert!(service.verb(&["token", "new", "--host", "web-1"]).status.success());
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&copy).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let kept = Connection::open(&copy).unwrap();
    let version: i64 = kept.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let name: String = kept.query_row("SELECT name FROM host", [], |row| row.get(0)).unwrap();
    assert_eq!((version, name.as_str()), (1, "web-1"));
}

#[test]
fn what_an_earlier_schema_left_out_is_read_out_of_the_records() {
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    let mut whole = Host::enrolled(&service, "web-2");
    let say = |host: &mut Host, number: usize, environment: Option<&str>| {
        for _ in 0..number {
            host.tell_as(&"0a".repeat(20), |it| {
                it.subject = Some("its own words".to_owned());
                it.environment = environment.map(str::to_owned);
                it.probes =
                    vec![ProbeWord { name: "p".into(), passed: false, detail: String::new() }];
            });
        }
    };
    say(&mut host, 150, None);
    say(&mut host, 1, Some("production"));
    say(&mut whole, 20, Some("staging"));
    for it in [&host, &whole] {
        assert_eq!(service.send(&it.all()).status, 200);
    }
    let before = service.get("/api/v1/hosts/web-2").json();
    service.stop();
    let file = service.folder.path().join("store/control.db");
    let old = service.folder.path().join("store/old.db");
    let db = Connection::open(&old).unwrap();
    db.execute_batch(include_str!("../../control/server/src/store/sqlite/0001.sql")).unwrap();
    db.execute_batch(include_str!("../../control/server/src/store/sqlite/0002.sql")).unwrap();
    db.pragma_update(None, "application_id", 0x4257_4c43).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    // As the program of schema 2 left it when it came from schema 1: no environment, no health, and since when
    // it is so by the record that came next.
    let sql = format!(
        "ATTACH '{}' AS new;
         INSERT INTO revision (id, sha, name, first, subject)
           SELECT id, sha, 'pwned@sha1:' || sha, first, 'PWNED' FROM new.revision;
         INSERT INTO host (id, name, revision, outcome, at, seen, reason, since)
           SELECT id, name, revision, outcome, at, seen, reason, '2031-01-01T00:00:00Z' FROM new.host;
         INSERT INTO host_key (id, host, fingerprint, public, state, since, seq, digest)
           SELECT id, host, fingerprint, public, state, since, seq, digest FROM new.host_key;
         INSERT INTO record SELECT * FROM new.record;
         INSERT INTO deployment (id, record, host, revision, kind, deployment, outcome, reason, at)
           SELECT id, record, host, revision, kind, deployment, outcome, reason, at FROM new.deployment;
         INSERT INTO landing (revision, host, outcome, seq, at)
           SELECT revision, host, outcome, seq, at FROM new.landing;
         INSERT INTO alarm (host_key, kind, place, seq, expected, first, last)
           VALUES (1, 'fork', 1, 1, 2, 7, 8);",
        file.display()
    );
    db.execute_batch(&sql).unwrap();
    drop(db);
    for suffix in ["", "-wal", "-shm"] {
        let from = old.with_file_name(format!("old.db{suffix}"));
        let to = file.with_file_name(format!("control.db{suffix}"));
        drop(std::fs::remove_file(&to));
        drop(std::fs::rename(from, to));
    }
    service.start();
    let after = service.get("/api/v1/hosts/web-2").json();
    for field in ["environment", "health", "since", "subject", "revision", "seq"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert!(before["since"].is_string() && before["environment"] == "staging", "{before}");
    let long = service.get("/api/v1/hosts/web-1").json();
    assert_eq!((&long["environment"], &long["since"]), (&json!("production"), &json!(null)));
    assert_eq!((&long["alarms"], &long["faults"][0]["kept"]), (&json!(1), &json!(false)));
    assert_eq!(
        service.get("/board.json?environment=staging&health=unwell").json()["items"][0]["name"],
        "web-2"
    );
    say(&mut host, 1, None);
    assert_eq!(service.send(&host.after(151, 1)).status, 200);
    let long = service.get("/api/v1/hosts/web-1").json();
    assert_eq!(long["since"], json!(null), "that it goes on says not since when");
    host.tell(&"0a".repeat(20), None, Outcome::Failed);
    assert_eq!(service.send(&host.after(152, 1)).status, 200);
    assert!(service.get("/api/v1/hosts/web-1").json()["since"].is_string());
    let commits = service.get("/api/v1/commits").json();
    assert_eq!(commits["items"][0]["subject"], json!("its own words"));
}

#[test]
fn a_failed_sync_is_never_acknowledged_and_ends_the_service() {
    let strace = std::process::Command::new("strace").arg("-V").output();
    if strace.is_err() {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "strace is missing");
        println!("left out: strace is missing");
        return;
    }
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(2);
    assert_eq!(service.send(&host.after(0, 1)).json(), json!({"acked": 1}));
    service.stop();
    let folder = std::mem::replace(&mut service.folder, Folder::new());
    let log = folder.path().join("strace.log").display().to_string();
    // Opening writes nothing: the first sync is that of the first record, and fails.
    let inject = "inject=fdatasync,fsync:error=EIO";
    // Detached, so that the process that is waited for, and ended, is the service.
    let prefix =
        ["strace", "-D", "-f", "-qq", "-o", &log, "-e", "trace=fdatasync,fsync", "-e", inject];
    let mut service = Service::under(folder, &prefix, "");
    assert!(service.send(&host.after(1, 1)).problem(503).contains("disk"));
    assert_eq!(service.wait(), Some(3), "{}", service.said());
    let folder = std::mem::replace(&mut service.folder, Folder::new());
    let service = Service::under(folder, &[], "");
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 2}));
}

#[test]
fn whoever_started_it_hears_when_it_answers_and_when_it_ends() {
    let mut service = Service::new();
    service.stay();
    assert_eq!(service.stop(), Some(0));
    let place = service.folder.path().join("ear");
    let ear = UnixDatagram::bind(&place).unwrap();
    ear.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let heard = || {
        let mut bytes = [0; 64];
        let length = ear.recv(&mut bytes).expect("a word of the service");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut child = service
        .command()
        .env("NOTIFY_SOCKET", &place)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(heard(), "READY=1");
    assert_eq!(service.get("/healthz").status, 200);
    assert!(service.token("web-1", &[]).starts_with("bowline-enrol-"));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
