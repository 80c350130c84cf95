//! A disk that is really full: a small filesystem in memory, in a mount namespace of its own; and a device that is.

use std::fs::{File, OpenOptions};
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use serde_json::json;
use tests::agent::until;

use crate::host::Host;
use crate::service::{Folder, Service};

/// A process that keeps a mount namespace open, in which the store's folder is small.
pub(crate) struct Small(Child);

impl Small {
    /// Its process, whose mount namespace it is in.
    pub(crate) fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Gives it room.
    pub(crate) fn grow(&self, folder: &Folder) {
        let id = self.id();
        let mut mount = Command::new("nsenter");
        mount.args(["--mount", "--target", &id, "mount", "-o", "remount,size=64m"]);
        assert!(mount.arg(folder.path().join("store")).status().unwrap().success());
    }

    /// `None` without the rights.
    pub(crate) fn at(folder: &Folder) -> Option<Self> {
        let store = folder.path().join("store");
        std::fs::create_dir_all(&store).unwrap();
        let ready = folder.path().join("ready");
        let script = format!(
            "set -e; mount -t tmpfs -o size=3m small {}; touch {}; exec cat",
            store.display(),
            ready.display()
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script]);
        let keeper = unshare.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut small = Self(keeper);
        until("the small filesystem is there", || {
            ready.exists() || small.0.try_wait().unwrap().is_some()
        });
        if ready.exists() {
            return Some(small);
        }
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "mounting is not allowed");
        println!("left out: mounting is not allowed");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_full_disk_is_told_loses_nothing_and_is_over_when_there_is_room() {
    let folder = Folder::new();
    let Some(small) = Small::at(&folder) else { return };
    let id = small.id();
    let service = Service::under(folder, &["nsenter", "--mount", "--target", &id], "");
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1500);
    let ballast = format!("/proc/{id}/root{}/store/ballast", service.folder.path().display());
    let mut acked = 0;
    let detail = loop {
        let answer = service.send(&host.after(acked, 100));
        if answer.status != 200 {
            break answer.problem(507);
        }
        acked = answer.json()["acked"].as_u64().unwrap();
        assert!(acked < 1500, "the disk is not small enough");
        if acked == 500 {
            // What is left is taken by somebody else.
            let bytes = vec![0; 4 << 20];
            assert!(std::fs::write(&ballast, bytes).is_err());
        }
    };
    assert!(detail.contains("free space"), "{detail}");
    assert!(acked >= 500);
    assert_eq!(service.seq("web-1"), acked, "what was acknowledged is kept, and nothing else");
    assert_eq!(
        service.send(&host.after(0, 100)).json(),
        json!({"acked": acked}),
        "replays need no room"
    );
    std::fs::remove_file(&ballast).unwrap();
    let answer = service.send(&host.after(acked, 100));
    assert_eq!(answer.json(), json!({"acked": acked + 100}));
}

#[test]
fn an_upgrade_without_room_for_its_copy_changes_nothing_and_is_done_when_there_is_room() {
    let folder = Folder::new();
    let Some(small) = Small::at(&folder) else { return };
    let id = small.id();
    let mut service = Service::under(folder, &["nsenter", "--mount", "--target", &id], "");
    service.stop();
    let store = format!("/proc/{id}/root{}/store", service.folder.path().display());
    // SQLite would not follow the way into the other namespace.
    let older = service.folder.path().join("older.db");
    let db = Connection::open(&older).unwrap();
    db.execute_batch(include_str!("../../control/server/src/store/sqlite/0001.sql")).unwrap();
    db.execute_batch("CREATE TABLE large AS SELECT zeroblob(17 << 17) AS it").unwrap();
    db.pragma_update(None, "application_id", 0x4257_4c43).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    std::fs::copy(&older, format!("{store}/control.db")).unwrap();
    // What an earlier try left.
    std::fs::write(format!("{store}/control.db.schema-1.part"), "torn").unwrap();
    for _ in 0..2 {
        let told = service.verb(&[]);
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(1), "{said}");
        assert!(said.contains(" bytes, and ") && said.contains(" are free"), "{said}");
        assert!(said.contains("free space on its filesystem, or move it"), "{said}");
        let left = std::fs::read_dir(&store).unwrap().map(|it| it.unwrap().file_name());
        let left: Vec<_> = left.filter(|it| it.to_string_lossy().contains("schema")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    small.grow(&service.folder);
    service.start();
    assert!(std::fs::exists(format!("{store}/control.db.schema-1")).unwrap());
}

/// What takes nothing.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn what_nobody_can_hear_ends_with_an_error_that_says_what_was_done() {
    let service = Service::new();
    let run = |words: &[&str], is_deaf: bool| {
        let mut command = service.command();
        command.args(words).stdout(full());
        if is_deaf {
            command.stderr(full());
        }
        command.output().unwrap()
    };
    let made = run(&["token", "new", "--host", "web-1"], false);
    assert_eq!(made.status.code(), Some(1));
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(said.contains("write to stdout what was done"), "{said}");
    assert!(said.contains("No space left on device") && said.contains("make another"), "{said}");
    assert_eq!(run(&["token", "new", "--host", "web-1"], true).status.code(), Some(1));
    // So does a refusal that nobody hears.
    assert_eq!(run(&["host", "retire", "web-9"], true).status.code(), Some(1));
}
