//! A copy of the database in the place of the one before, with what that left beside it.
//!
//! **Invariant:** a log that is not the file's own is never read as its content, and never written into it.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::json;

use crate::host::Host;
use crate::service::Service;

fn file(service: &Service) -> PathBuf {
    service.folder.path().join("store/control.db")
}

/// What `SQLite` keeps beside it.
fn beside(file: &Path, what: &str) -> PathBuf {
    file.with_file_name(format!("control.db-{what}"))
}

/// Ends the service at once: its log stays, with what was not folded into the file.
fn cut(service: &mut Service) {
    service.signal(Signal::SIGKILL);
    assert_eq!(service.wait(), None);
    assert!(fs::metadata(beside(&file(service), "wal")).unwrap().len() > 0);
}

/// Sends so many records more; the address may be another after a start.
fn say(service: &Service, host: &mut Host, number: u64) {
    let before = host.told();
    host.tell_many(number);
    let answer = service.send(&host.after(before, usize::MAX));
    assert_eq!(answer.json(), json!({"acked": before + number}));
}

/// Starts it in vain, as a service and for a command: nothing is written, and it says what to do.
fn is_refused(service: &Service) {
    let file = file(service);
    let before = fs::read(&file).unwrap();
    for words in [&[][..], &["token", "new", "--host", "web-1"]] {
        let told = service.verb(words);
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(2), "{said}");
        assert!(said.contains("the log beside") && said.contains("is not its own"), "{said}");
        assert!(said.contains("-wal") && said.contains("-shm"), "{said}");
        assert!(fs::read(&file).unwrap() == before, "the copy was written");
    }
}

/// Takes away what lies beside the copy, as the hint says, and starts: what the host has it sends again.
fn goes_on(service: &mut Service, host: &mut Host, kept: u64) {
    for what in ["wal", "shm"] {
        drop(fs::remove_file(beside(&file(service), what)));
    }
    service.start();
    assert_eq!(service.seq("web-1"), kept);
    host.tell_many(1);
    assert_eq!(service.send(&host.after(kept, 4000)).json(), json!({"acked": host.told()}));
}

#[test]
fn a_log_of_a_later_time_is_not_read_into_a_copy() {
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    say(&service, &mut host, 30);
    service.stop();
    let copy = fs::read(file(&service)).unwrap();
    service.start();
    say(&service, &mut host, 30);
    // All that it said until now is in the file, and the copy has not seen it.
    service.stop();
    service.start();
    say(&service, &mut host, 30);
    cut(&mut service);
    fs::write(file(&service), &copy).unwrap();
    is_refused(&service);
    goes_on(&mut service, &mut host, 30);
}

#[test]
fn a_log_of_an_earlier_time_is_not_read_into_a_copy() {
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    say(&service, &mut host, 30);
    cut(&mut service);
    let log = fs::read(beside(&file(&service), "wal")).unwrap();
    service.start();
    say(&service, &mut host, 30);
    service.stop();
    service.start();
    say(&service, &mut host, 1);
    service.stop();
    fs::write(beside(&file(&service), "wal"), &log).unwrap();
    is_refused(&service);
    goes_on(&mut service, &mut host, 61);
}

#[test]
fn a_log_of_another_database_is_not_read_into_a_copy() {
    let mut other = Service::new();
    let mut stranger = Host::enrolled(&other, "web-1");
    say(&other, &mut stranger, 10);
    other.stop();
    other.start();
    say(&other, &mut stranger, 50);
    cut(&mut other);
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    say(&service, &mut host, 20);
    service.stop();
    for what in ["wal", "shm"] {
        fs::copy(beside(&file(&other), what), beside(&file(&service), what)).unwrap();
    }
    is_refused(&service);
    // What other processes share of a log is made anew: alone it does no harm.
    fs::remove_file(beside(&file(&service), "wal")).unwrap();
    service.start();
    assert_eq!(service.seq("web-1"), 20);
    service.stop();
    goes_on(&mut service, &mut host, 20);
}

#[test]
fn the_log_of_what_a_copy_was_made_of_is_not_read_into_it() {
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    service.stop();
    service.start();
    say(&service, &mut host, 30);
    // As `sqlite3 control.db "VACUUM INTO …"` does it, beside the service that runs: pages stand elsewhere in it.
    let copy = service.folder.path().join("copy.db");
    let db = Connection::open(file(&service)).unwrap();
    db.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    drop(db);
    say(&service, &mut host, 30);
    cut(&mut service);
    fs::copy(&copy, file(&service)).unwrap();
    is_refused(&service);
    goes_on(&mut service, &mut host, 30);
    // What was restored has logs of its own, and they are known as such.
    say(&service, &mut host, 30);
    cut(&mut service);
    service.start();
    assert_eq!(service.seq("web-1"), host.told());
}

#[test]
fn the_log_that_began_on_a_copys_file_is_its_own_however_the_service_ended() {
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    say(&service, &mut host, 30);
    service.stop();
    let copy = fs::read(file(&service)).unwrap();
    service.start();
    for round in 0..3 {
        say(&service, &mut host, 30);
        cut(&mut service);
        if round == 1 {
            // The file is as it was when the log began: both together are all that was acknowledged.
            fs::write(file(&service), &copy).unwrap();
        }
        service.start();
        assert_eq!(service.seq("web-1"), host.told());
        assert!(service.verb(&["token", "new", "--host", "web-2"]).status.success());
    }
}

#[test]
fn a_log_that_was_folded_again_and_again_is_the_files_own() {
    let mut service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    // Some fifty pages each: the log is folded twice, and somebody reads when it first grew long enough.
    let lines = host.chatter("d", &[&*"x".repeat(200 << 10); 180]);
    let reader = Connection::open(file(&service)).unwrap();
    for (round, some) in lines.chunks(3).enumerate() {
        match round {
            20 => reader.execute_batch("BEGIN; SELECT count(*) FROM record").unwrap(),
            35 => reader.execute_batch("COMMIT").unwrap(),
            _ => {}
        }
        let answer = service.send(some);
        assert_eq!(answer.json(), json!({"acked": 3 * (round + 1)}));
        if round % 10 == 9 {
            cut(&mut service);
            service.start();
            assert_eq!(service.seq("web-1"), 3 * (round as u64 + 1));
        }
    }
    drop(reader);
    let log = fs::metadata(beside(&file(&service), "wal")).unwrap().len();
    assert!((16 << 20..28 << 20).contains(&log), "it begins anew at its start: {log}");
    service.stop();
    assert!(!beside(&file(&service), "wal").exists(), "it is folded at the end");
}
