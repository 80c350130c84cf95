//! Settings and trust file that change under a running agent.
//!
//! **Invariant:** what cannot be used changes nothing, and the status says so.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use bowline_api::outcome::Outcome;
use bowline_api::status::Status;
use nix::fcntl::OFlag;
use tests::agent::{Service, until};
use tests::workshop::Workshop;

use crate::story::{file, settled};

fn settings(shop: &Workshop, from: &str, to: &str) {
    let path = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn warned(service: &Service<'_>, what: &str) -> bool {
    let status: Status = service.tell("/v1/status");
    status.warnings.iter().any(|it| it.contains(what))
}

#[test]
fn a_changed_interval_is_taken_up_on_a_signal_and_the_agent_looks_by_itself() {
    let shop = settled("");
    let service = shop.serve();
    settings(&shop, "interval = \"0s\"", "interval = \"1s\"");
    service.signal("HUP");
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    shop.commit("more");
    until("the merge is deployed unasked", || shop.on_host("/etc/more").exists());
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_changed_remote_is_fetched_from() {
    let shop = settled("");
    let service = shop.serve();
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    shop.run("git", &["clone", "-q", "--bare", "repo", "other"]);
    settings(&shop, "url = \"repo\"", "url = \"other\"");
    shop.commit("more");
    shop.git(&["push", "-q", "../other", "main"]);
    fs::rename(shop.repo(), shop.folder().join("away")).unwrap();
    service.signal("HUP");
    service.sync();
    until("the merge is deployed", || shop.on_host("/etc/more").exists());
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_broken_file_keeps_the_settings_before_and_is_told_until_it_is_mended() {
    let shop = settled("");
    let service = shop.serve();
    let good = fs::read(shop.folder().join("agent.toml")).unwrap();
    for (broken, word) in
        [("intervall = \"5s\"", "intervall"), ("interval = \"soon\"", "source.interval")]
    {
        settings(&shop, "interval = \"0s\"", broken);
        service.signal("HUP");
        until("the mistake is told", || warned(&service, word));
        assert!(warned(&service, "those before stay in force"));
        fs::write(shop.folder().join("agent.toml"), &good).unwrap();
        service.signal("HUP");
        until("it is mended", || !warned(&service, "stay in force"));
    }
    let trust = fs::read(shop.folder().join("trust.yaml")).unwrap();
    fs::write(shop.folder().join("trust.yaml"), "version: 1\n").unwrap();
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    shop.commit("more");
    // Without a signal: it is seen when the next cycle begins, which goes on as before.
    service.sync();
    until("the merge is deployed", || shop.on_host("/etc/more").exists());
    assert!(warned(&service, "the one before stays in force"));
    fs::write(shop.folder().join("trust.yaml"), trust).unwrap();
    service.sync();
    until("it is mended", || !warned(&service, "stays in force"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_trust_file_that_vouches_for_nobody_else_binds_from_the_next_cycle_on() {
    let shop = settled("");
    let service = shop.serve();
    // The same repository from a later anchor: verified anew, without a start.
    shop.trust(&shop.tip(), "limits: {commitsPerWalk: 7}\n");
    shop.write("apps/more.yaml", file("more", "/etc/more", "more\n"));
    shop.commit("more");
    service.sync();
    until("the merge is deployed", || shop.on_host("/etc/more").exists());
    let marks = fs::read_to_string(shop.state().join("verify.json")).unwrap();
    let digest =
        bowline_model::digest::Sha256::of(&fs::read(shop.folder().join("trust.yaml")).unwrap());
    assert!(marks.contains(&digest.to_string()), "{marks}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn what_needs_a_restart_is_said_and_kept() {
    let shop = settled("");
    let service = shop.serve();
    settings(&shop, "dir = \"state\"", "dir = \"elsewhere\"");
    service.signal("HUP");
    until("it is told", || warned(&service, "state.dir was changed: restart the agent"));
    service.sync();
    until("a cycle is over", || {
        let status: Status = service.tell("/v1/status");
        status.phase == "rest"
    });
    assert!(!shop.folder().join("elsewhere").exists());
    assert_eq!(service.stop(), Some(0));
    let again = shop.serve();
    // That state is empty: the witness says how far this host had come.
    until("the new state is made", || shop.folder().join("elsewhere").exists());
    drop(again);
}

#[test]
fn a_signal_while_the_agent_starts_is_no_end() {
    let shop = settled("");
    for name in ["agent.toml", "trust.yaml"] {
        let held = shop.hold_up(name);
        let service = shop.launch(&[]);
        held.meanwhile(|| service.signal("HUP"));
        until("the agent answers", || service.answers());
        assert_eq!(service.stop(), Some(0), "{name}");
    }
}

#[test]
fn a_single_cycle_goes_on_when_it_is_told_to_read_its_settings_again() {
    let shop = settled("");
    for name in ["agent.toml", "trust.yaml"] {
        let held = shop.hold_up(name);
        let running = shop.begin();
        held.meanwhile(|| running.signal("HUP"));
        running.wait().ended(Outcome::Unchanged);
    }
}

#[test]
fn what_is_written_while_the_files_are_read_is_seen_by_the_next_cycle() {
    let shop = settled("");
    let service = shop.serve();
    let held = shop.hold_up("trust.yaml");
    settings(&shop, "interval = \"0s\"", "interval = \"1h\"");
    service.sync();
    // The settings were read, and the trust file is not yet.
    held.meanwhile(|| settings(&shop, "interval = \"1h\"", "intervall = \"1h\""));
    until("it is read", || {
        service.sync();
        warned(&service, "intervall")
    });
    assert_eq!(service.stop(), Some(0));
    // The same while the agent starts.
    settings(&shop, "intervall = \"1h\"", "interval = \"1h\"");
    let held = shop.hold_up("trust.yaml");
    let service = shop.launch(&[]);
    held.meanwhile(|| settings(&shop, "interval = \"1h\"", "intervall = \"1h\""));
    until("the agent answers", || service.answers());
    until("it is read", || {
        service.sync();
        warned(&service, "intervall")
    });
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_trust_file_that_comes_after_the_settings_that_name_it_is_taken_up_unasked() {
    let shop = settled("");
    let service = shop.serve();
    settings(&shop, "trust.yaml", "later.yaml");
    settings(&shop, "interval = \"0s\"", "interval = \"1s\"");
    service.sync();
    until("it is missed", || warned(&service, "the one before stays in force"));
    fs::copy(shop.folder().join("trust.yaml"), shop.folder().join("later.yaml")).unwrap();
    service.sync();
    until("it is taken up", || !warned(&service, "stays in force"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_check_that_waits_for_its_settings_ends_on_a_signal() {
    let shop = settled("");
    shop.run("mkfifo", &["held.toml"]);
    let words = ["--config", "held.toml", "--root", "root", "--check-config"];
    let mut command = shop.command(tests::binaries::agent());
    let mut child = command.args(words).spawn().unwrap();
    let mut pipe = None;
    until("it reads", || {
        let mut open = fs::OpenOptions::new();
        let open = open.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        pipe = open.open(shop.folder().join("held.toml")).ok();
        pipe.is_some()
    });
    // Not SIGINT: a shell lets what it runs in the background ignore that one, and this test may be such.
    shop.run("kill", &["-s", "TERM", &child.id().to_string()]);
    let mut ended = None;
    until("it ends", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().signal(), Some(15));
}
