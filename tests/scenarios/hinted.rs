//! Drift that the kernel tells of: put right within seconds, without asking the remote, and without
//! being kept busy by it.
//!
//! **Invariant:** no test here waits for a poll: the interval is "0s", which is never.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bowline_api::record::Kind;
use bowline_api::status::Status;
use tests::agent::{Service, until};
use tests::workshop::Workshop;

use crate::story::{file, settled};

/// A folder of its own with one managed file.
fn app() -> Workshop {
    let folder =
        "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: srv}\nspec: {path: /srv}\n";
    settled(&format!("{folder}{}", file("one", "/srv/one", "one\n")))
}

fn stands(path: &Path) -> bool {
    fs::read(path).is_ok_and(|it| it == b"one\n")
}

/// A counter of `/metrics`, whatever its other labels are.
fn count(service: &Service<'_>, line: &str) -> u64 {
    let (_, page) = service.answer("/metrics");
    let lines = page.lines().filter(|it| it.starts_with(line));
    lines.map(|it| it.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn looks(service: &Service<'_>) -> u64 {
    count(service, "bowline_phases_total{phase=\"plan\"}")
}

/// Whether so many looks are over. Before that the agent may still be deaf, for what it changes itself.
fn is_over(service: &Service<'_>, number: u64) -> bool {
    let status: Status = service.tell("/v1/status");
    looks(service) == number && status.phase == "rest"
}

/// Starts the agent and waits until its first cycle is over, from which on it watches.
fn rested(shop: &Workshop) -> Service<'_> {
    let service = shop.serve();
    until("the first cycle is over", || is_over(&service, 1));
    service
}

#[test]
fn a_file_that_a_hand_changed_is_put_back_at_once_and_recorded_as_drift() {
    let shop = app();
    let service = rested(&shop);
    let one = shop.on_host("/srv/one");
    let hands: [(&str, &dyn Fn()); 4] = [
        ("written", &|| fs::write(&one, "two\n").unwrap()),
        ("removed", &|| fs::remove_file(&one).unwrap()),
        ("its folder renamed", &|| {
            fs::rename(shop.on_host("/srv"), shop.on_host("/old")).unwrap();
        }),
        ("its folder removed", &|| fs::remove_dir_all(shop.on_host("/srv")).unwrap()),
    ];
    for (number, (what, hand)) in (2..).zip(hands) {
        hand();
        until(&format!("it is repaired: {what}"), || stands(&one));
        until("it is over", || is_over(&service, number));
    }
    // Each was looked at once: what the agent did itself woke nobody, and the remote was asked at the
    // start alone.
    assert_eq!((looks(&service), count(&service, "bowline_polls_total{")), (5, 1));
    assert_eq!(service.stop(), Some(0));
    let records = bowline_host::record::newest(&shop.state().join("records"), 4).unwrap();
    assert!(records.iter().all(|it| it.kind == Kind::Drift), "{records:?}");
}

#[test]
fn a_busy_neighbour_makes_no_cycle_and_hides_no_change() {
    let shop = app();
    let service = rested(&shop);
    let one = shop.on_host("/srv/one");
    let mut lines = 0;
    for look in 2..4 {
        fs::write(&one, "two\n").unwrap();
        until("it is repaired", || {
            fs::write(shop.on_host("/srv/log"), format!("{lines}\n")).unwrap();
            lines += 1;
            stands(&one)
        });
        until("it is over", || is_over(&service, look));
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_fight_over_a_file_is_answered_ever_more_rarely() {
    let shop = app();
    let service = rested(&shop);
    let one = shop.on_host("/srv/one");
    let begun = Instant::now();
    for look in 2..5 {
        fs::write(&one, "two\n").unwrap();
        until("it is answered", || stands(&one) && is_over(&service, look));
    }
    // Gathered for one, two and four seconds.
    assert!(begun.elapsed() >= Duration::from_secs(7), "{:?}", begun.elapsed());
    assert_eq!(service.stop(), Some(0));
}

/// An agent whose log is kept; ended with this value.
struct Logged(Child);

impl Logged {
    fn start(shop: &Workshop, before: &[&str]) -> Self {
        let agent = tests::binaries::agent().display().to_string();
        let line = ["--config", "agent.toml", "--root", "root"];
        let words: Vec<&str> = before.iter().copied().chain([agent.as_str()]).chain(line).collect();
        let log = fs::File::create(shop.folder().join("log")).unwrap();
        let mut command = shop.command(words[0]);
        command.args(&words[1..]).stdout(Stdio::null()).stderr(log);
        let running = Self(command.spawn().unwrap());
        until("the agent answers", || shop.bowline(&["status"]).0 == 0);
        running
    }
}

#[track_caller]
fn synced(shop: &Workshop) {
    let told = shop.bowline(&["sync", "--wait"]);
    assert_eq!(told.0, 0, "{told:?}");
}

impl Drop for Logged {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn folders_beyond_the_limit_are_told_of_once_and_a_wished_look_finds_their_drift() {
    let shop = app();
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("[host]\n", "[host]\nwatches = 1\n")).unwrap();
    let running = Logged::start(&shop, &[]);
    let one = shop.on_host("/srv/one");
    for _ in 0..2 {
        fs::write(&one, "two\n").unwrap();
        synced(&shop);
        assert!(stands(&one));
    }
    drop(running);
    let log = fs::read_to_string(shop.folder().join("log")).unwrap();
    let told = log.lines().filter(|it| it.contains("host.watches")).count();
    assert_eq!(told, 1, "{log}");
}

#[test]
fn a_filesystem_mounted_over_a_folder_is_watched_once_it_was_looked_at_and_so_is_what_it_hid() {
    let shop = app();
    let namespace = ["unshare", "--mount", "--propagation", "private"];
    let allowed = shop.command("unshare").args(&namespace[1..]).arg("true").status();
    if !allowed.is_ok_and(|it| it.success()) {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "mounting is not allowed");
        println!("left out: mounting is not allowed");
        return;
    }
    let running = Logged::start(&shop, &namespace);
    let id = running.0.id().to_string();
    let inside = |words: &[&str]| {
        let enter = ["--mount", "--target", &id, "--"];
        let all: Vec<&str> = enter.iter().chain(words).copied().collect();
        shop.run("nsenter", &all);
    };
    let srv = shop.on_host("/srv").display().to_string();
    let seen = std::path::PathBuf::from(format!("/proc/{id}/root{srv}/one"));
    inside(&["mount", "-t", "tmpfs", "-o", "mode=755", "over", &srv]);
    assert!(!seen.exists());
    synced(&shop);
    assert!(stands(&seen));
    fs::write(&seen, "two\n").unwrap();
    until("it is repaired on what was mounted", || stands(&seen));
    fs::write(shop.on_host("/srv/one"), "two\n").unwrap();
    inside(&["umount", "-l", &srv]);
    until("it is repaired where it was hidden", || stands(&seen));
}

#[test]
fn looks_in_between_keep_no_merge_away_also_while_the_branch_cannot_be_followed() {
    let shop = app();
    let service = rested(&shop);
    // Its archive is not there yet: each cycle fails, and is tried again after five seconds, ten, ...
    let missing = "---\napiVersion: bowline/v1\nkind: Artifact\nmetadata: {name: shop}\nspec: {url: \
                   \"file:///none.zip\", sha256: \"0000000000000000000000000000000000000000000000000000000000000000\", \
                   releasesDir: /srv/releases, link: /srv/shop}\n";
    shop.write("apps/missing.yaml", missing);
    shop.commit("missing");
    service.sync();
    let polls = || count(&service, "bowline_polls_total{");
    until("the branch was asked for", || polls() == 2);
    let one = shop.on_host("/srv/one");
    until("it is asked for again although the host is looked at all the time", || {
        fs::set_permissions(&one, fs::Permissions::from_mode(0o644)).unwrap();
        polls() > 2
    });
    assert!(looks(&service) >= 2, "there were looks in between");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn watching_nothing_by_choice_is_no_warning_and_a_full_kernel_is_named() {
    let shop = app();
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let log = |shop: &Workshop| fs::read_to_string(shop.folder().join("log")).unwrap();
    fs::write(&settings, text.replace("[host]\n", "[host]\nwatches = 0\n")).unwrap();
    let running = Logged::start(&shop, &[]);
    synced(&shop);
    drop(running);
    assert!(!log(&shop).contains("every ten minutes"), "{}", log(&shop));
    fs::write(&settings, text).unwrap();
    let limit = "echo 1 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"";
    let namespace = ["unshare", "--user", "--map-root-user", "sh", "-c", limit];
    let allowed = shop.command("unshare").args(&namespace[1..]).arg("true").status();
    if !allowed.is_ok_and(|it| it.success()) {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "a user namespace is not allowed");
        println!("left out: a user namespace is not allowed");
        return;
    }
    let running = Logged::start(&shop, &namespace);
    synced(&shop);
    drop(running);
    let log = log(&shop);
    assert!(log.contains("max_user_watches") && !log.contains("host.watches"), "{log}");
}
