//! The agent under a service manager that is only a socket: what it tells, and when it falls silent.
//!
//! **Invariant:** ready is said after recovery; the watchdog is fed by the loop and by nothing else.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use bowline_api::status::Status;
use bowline_host::record;
use tests::agent::{Service, until};
use tests::workshop::Workshop;

use crate::story::{command, file, probe, settled};

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// The service manager.
pub(crate) struct Manager {
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Manager {
    pub(crate) fn new(shop: &Workshop) -> Self {
        let ear = UnixDatagram::bind(shop.folder().join("n.sock")).unwrap();
        let (tell, said) = channel();
        // Always listening, as the real one is; the thread ends with the test's process.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = ear.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if tell.send(text).is_err() {
                    return;
                }
            }
        });
        Self { said, heard: Vec::new() }
    }

    pub(crate) fn start<'w>(&self, shop: &'w Workshop, watchdog: &str) -> Service<'w> {
        let path = shop.folder().join("n.sock").display().to_string();
        shop.serve_under(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", watchdog)])
    }

    /// Starts the agent, and does not wait for it to answer.
    fn start_only<'w>(&self, shop: &'w Workshop, watchdog: &str) -> Service<'w> {
        let path = shop.folder().join("n.sock").display().to_string();
        shop.launch(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", watchdog)])
    }

    /// The next message; `None` when none comes in time.
    pub(crate) fn next(&mut self, time: Duration) -> Option<String> {
        let said = self.said.recv_timeout(time).ok()?;
        self.heard.push(said.clone());
        Some(said)
    }

    /// Listens until a message has a line that begins so.
    #[track_caller]
    fn until(&mut self, start: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.next(left) {
                Some(said) if said.lines().any(|it| it.starts_with(start)) => return said,
                Some(_) => {}
                None => panic!("{start} was not said: {:#?}", self.heard),
            }
        }
    }
}

#[test]
fn ready_reload_and_stop_are_told_and_a_line_says_what_is_done() {
    let shop = settled("");
    let mut manager = Manager::new(&shop);
    let service = manager.start(&shop, "0");
    assert_eq!(manager.until("READY="), "READY=1");
    let status = manager.until("STATUS=unchanged");
    assert!(status.starts_with("STATUS=unchanged main@sha1:"), "{status}");
    service.signal("HUP");
    let reloading = manager.until("RELOADING=");
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(micros.parse::<u64>().unwrap() > 0, "{reloading}");
    assert_eq!(manager.until("READY="), "READY=1");
    assert!(!manager.heard.iter().any(|it| it.contains("WATCHDOG")), "{:#?}", manager.heard);
    service.signal("TERM");
    let stopping = manager.until("STOPPING=");
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC="), "{stopping}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn nothing_is_ready_before_an_earlier_change_is_taken_back() {
    let shop = settled("");
    // Taken back by a command that takes its time: until then the agent is starting.
    let undo = "until [ -e $BOWLINE_ROOT/etc/go ]; do sleep 0.05; done";
    let slow = command("slow", "touch $BOWLINE_ROOT/etc/slow", undo, "/etc/slow");
    let endless = probe("[/bin/true]")
        .replace("soak: 0s", "soak: 10m")
        .replace("deadline: 100ms", "deadline: 5s");
    shop.write("apps/slow.yaml", format!("{slow}{endless}"));
    shop.commit("slow");
    let running = shop.begin();
    until("the change soaks", || shop.on_host("/etc/slow").exists());
    running.kill();
    let mut manager = Manager::new(&shop);
    let service = manager.start(&shop, "1000000");
    let early = manager.until("EXTEND_TIMEOUT_USEC=");
    assert!(service.answers(), "the API does not wait for recovery");
    let is_reverting = || service.tell::<Status>("/v1/status").phase == "revert";
    until("it goes back", is_reverting);
    assert!(!early.contains("READY"), "{early}");
    // A command may take its time on the way back, and the watchdog is told how long.
    let is_long = |it: &String| it.contains("WATCHDOG_USEC=") && micros(it) > 60_000_000;
    while !manager.heard.iter().any(is_long) {
        manager.until("WATCHDOG_USEC=");
    }
    assert!(!manager.heard.iter().any(|it| it.contains("READY=1")), "{:#?}", manager.heard);
    fs::write(shop.on_host("/etc/go"), "").unwrap();
    manager.until("READY=1");
    assert_eq!(service.stop(), Some(0));
}

/// The microseconds that a message gives the watchdog.
pub(crate) fn micros(said: &str) -> u64 {
    let line = said.lines().find_map(|it| it.strip_prefix("WATCHDOG_USEC=")).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_loop_that_waits_feeds_the_watchdog_and_one_that_hangs_does_not() {
    let shop = settled("");
    let mut manager = Manager::new(&shop);
    let service = manager.start(&shop, "1000000");
    manager.until("STATUS=unchanged");
    // At rest without an end: each slice is half of the watchdog's time.
    for _ in 0..3 {
        let beat = manager.until("WATCHDOG=1");
        assert_eq!(micros(&beat), 1_000_000, "{beat}");
    }
    // A pipe that nobody writes to, where the settings were: the loop hangs in the kernel.
    fs::remove_file(shop.folder().join("agent.toml")).unwrap();
    shop.run("mkfifo", &["agent.toml"]);
    service.sync();
    // The last message gave it a second, and none follows in two and a half.
    let end = Instant::now() + PATIENCE;
    while manager.next(Duration::from_millis(2_500)).is_some() {
        assert!(Instant::now() < end, "the loop never hung: {:#?}", manager.heard);
    }
    assert!(service.answers(), "only the loop hangs");
}

#[test]
fn who_is_asked_to_end_during_a_long_command_asks_for_its_time_and_is_no_crash() {
    let shop = settled("");
    let script =
        "touch $BOWLINE_ROOT/etc/slow; until [ -e $BOWLINE_ROOT/etc/go ]; do sleep 0.05; done";
    let slow = command("slow", script, "rm -f $BOWLINE_ROOT/etc/slow", "/etc/slow");
    shop.write("apps/slow.yaml", format!("{slow}  timeout: 7m\n{}", probe("[/bin/true]")));
    shop.commit("slow");
    let mut manager = Manager::new(&shop);
    let service = manager.start(&shop, "0");
    until("the command runs", || shop.on_host("/etc/slow").exists());
    service.signal("TERM");
    let stopping = manager.until("STOPPING=");
    let asked = stopping.strip_prefix("STOPPING=1\nEXTEND_TIMEOUT_USEC=").unwrap();
    assert!(asked.parse::<u64>().unwrap() > 7 * 60 * 1_000_000, "{stopping}");
    fs::write(shop.on_host("/etc/go"), "").unwrap();
    assert_eq!(service.ended(), Some(0));
    // Twice a crash would be the change's fault; an orderly end is nobody's.
    shop.once().ended(Outcome::Committed);
    let records = record::newest(&shop.state().join("records"), 9).unwrap();
    let back: Vec<_> = records.iter().filter(|it| it.reason == "Stopped").collect();
    assert_eq!(back.len(), 1, "{records:#?}");
}

#[test]
fn who_went_back_and_cannot_go_on_is_never_ready() {
    let shop = settled("");
    let endless = probe("[/bin/true]")
        .replace("soak: 0s", "soak: 10m")
        .replace("deadline: 100ms", "deadline: 5s");
    shop.write("apps/more.yaml", format!("{}{endless}", file("more", "/etc/more", "more\n")));
    shop.commit("more");
    let running = shop.begin();
    until("the change soaks", || shop.on_host("/etc/more").exists());
    running.kill();
    fs::remove_file(shop.folder().join("trust.yaml")).unwrap();
    let mut manager = Manager::new(&shop);
    let service = manager.start_only(&shop, "0");
    assert_eq!(service.ended(), Some(2));
    assert!(!shop.on_host("/etc/more").exists(), "what was open is taken back first");
    while manager.next(Duration::from_millis(200)).is_some() {}
    let told = |what: &str| manager.heard.iter().any(|it| it.contains(what));
    assert!(told("EXTEND_TIMEOUT_USEC=") && !told("READY=1"), "{:#?}", manager.heard);
}

#[test]
fn nobody_is_ready_who_cannot_keep_yet_what_is_decided() {
    let shop = settled("");
    let endless = probe("[/bin/true]")
        .replace("soak: 0s", "soak: 10m")
        .replace("deadline: 100ms", "deadline: 5s");
    shop.write("apps/more.yaml", format!("{}{endless}", file("more", "/etc/more", "more\n")));
    shop.commit("more");
    let running = shop.begin();
    until("the change soaks", || shop.on_host("/etc/more").exists());
    running.kill();
    // Nothing can be written beside the ledger.
    let obstacle = shop.state().join("ledger.json.new");
    fs::create_dir(&obstacle).unwrap();
    let mut manager = Manager::new(&shop);
    let service = manager.start(&shop, "0");
    let not_kept = || {
        let last = service.tell::<Status>("/v1/status").last;
        last.is_some_and(|it| it.reason == "StateNotKept")
    };
    until("it is told", not_kept);
    manager.until("STATUS=failed");
    assert!(!manager.heard.iter().any(|it| it.contains("READY=1")), "{:#?}", manager.heard);
    fs::remove_dir(&obstacle).unwrap();
    manager.until("READY=1");
    assert_eq!(service.stop(), Some(0));
}

/// Has the journal's socket in a namespace of its own lead to `j.sock` here.
const OWN_JOURNAL: &str = "mount -t tmpfs journal /run && mkdir -p /run/systemd/journal && \
                           ln -s \"$PWD/j.sock\" /run/systemd/journal/socket && exec \"$@\"";

#[test]
fn the_journal_is_told_in_fields() {
    let shop = settled("");
    let mount = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c"];
    let allowed = shop.command(mount[0]).args(&mount[1..]).arg("true").status().unwrap().success();
    assert!(allowed || std::env::var_os("BOWLINE_CI").is_none(), "mounting is not allowed");
    if !allowed {
        println!("left out: mounting is not allowed");
        return;
    }
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("\"text\"", "\"journald\"")).unwrap();
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    let revision = format!("main@sha1:{}", shop.commit("more"));
    let ear = UnixDatagram::bind(shop.folder().join("j.sock")).unwrap();
    let (tell, said) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 1 << 16];
        while let Ok(length) = ear.recv(&mut bytes) {
            if tell.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                return;
            }
        }
    });
    let told = shop.once_under(&[&mount[..], &[OWN_JOURNAL, "sh"]].concat());
    let cycle = told.ended(Outcome::Committed);
    let deployment = cycle.deployment.as_ref().unwrap();
    let mut entries = Vec::new();
    while let Ok(entry) = said.recv_timeout(Duration::from_millis(500)) {
        entries.push(entry);
    }
    // Length-encoded, as journald takes any value: each of these is short.
    let field = |name: &str, value: &str| {
        let length = char::from(u8::try_from(value.len()).unwrap());
        format!("{name}\n{length}\0\0\0\0\0\0\0{value}\n")
    };
    let has = |fields: &[String]| {
        entries.iter().any(|entry| fields.iter().all(|it| entry.contains(it.as_str())))
    };
    assert!(has(&[field("BOWLINE_PHASE", "apply")]), "{entries:#?}");
    let over = [
        field("MESSAGE", "cycle over"),
        field("PRIORITY", "5"),
        field("BOWLINE_OUTCOME", "committed"),
        field("BOWLINE_REVISION", &revision),
        field("BOWLINE_DEPLOYMENT", deployment),
    ];
    assert!(has(&over), "{over:?} in {entries:#?}");
}

#[test]
fn a_look_after_a_pause_has_its_whole_time_before_the_watchdog() {
    let shop = settled("");
    let mut manager = Manager::new(&shop);
    let service = manager.start(&shop, "100000");
    manager.until("STATUS=unchanged");
    let slow = probe("[/bin/true]")
        .replace("interval: 100ms", "interval: 500ms, timeout: 50s")
        .replace("deadline: 100ms", "deadline: 1m")
        .replace("soak: 0s", "soak: 2s");
    shop.write("apps/more.yaml", format!("{}{slow}", file("more", "/etc/more", "more\n")));
    shop.commit("more");
    service.sync();
    manager.until("STATUS=probe");
    manager.until("STATUS=commit");
    let beats = manager.heard.iter().filter(|it| it.contains("WATCHDOG_USEC="));
    let long: Vec<bool> = beats.map(|it| micros(it) > 50_000_000).collect();
    // A slice of the pause, then the look, then the next effect: never a look in a slice's time.
    let looks = long.windows(3).filter(|it| **it == [false, true, true]).count();
    assert!(looks > 0, "{:#?}", manager.heard);
    assert_eq!(service.stop(), Some(0));
}
