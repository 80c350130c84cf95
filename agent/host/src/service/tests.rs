//! A program that stands for a service manager, told and asked.

use std::os::unix::fs::PermissionsExt as _;

use bowline_model::unit::{Enablement, UnitState};

use super::*;
use crate::failure::chain;
use crate::scratch::Scratch;

fn handler() -> Handler {
    Handler { unit: "shop.service".to_owned(), action: "restart".to_owned() }
}

fn program(scratch: &Scratch, script: &str) -> ServiceManager {
    let path = scratch.path().join("manager");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    ServiceManager::named(path.to_str().unwrap())
}

fn telling(there: Option<Verb>, back: &[Verb]) -> Telling {
    let unit = Some("shop.service".to_owned());
    Telling { unit, there, back: back.to_vec(), pre: UnitState::default() }
}

#[test]
fn a_program_is_told_action_and_unit() {
    let scratch = Scratch::new();
    let root = Root::open(scratch.path()).unwrap();
    let manager = program(&scratch, "echo \"$*\" >> \"$BOWLINE_ROOT/told\"");
    assert_eq!(manager.notify(&root, &handler()).unwrap(), Told::Done);
    manager.carry_out(&root, &telling(Some(Verb::Start), &[Verb::Stop])).unwrap();
    let all = Telling { unit: None, ..telling(Some(Verb::DaemonReload), &[]) };
    manager.carry_out(&root, &all).unwrap();
    let told = std::fs::read_to_string(scratch.path().join("told")).unwrap();
    assert_eq!(told, "restart shop.service\nstart shop.service\ndaemon-reload\n");
}

#[test]
fn a_failure_names_unit_and_output() {
    let scratch = Scratch::new();
    let root = Root::open(scratch.path()).unwrap();
    let manager = program(&scratch, "echo one; echo no such unit; exit 5");
    let failure = manager.notify(&root, &handler()).unwrap_err();
    let text = chain(&failure);
    assert!(text.starts_with("restart shop.service (one; no such unit): "), "{text}");
    assert!(text.ends_with("ended with exit code 5: no such unit"), "{text}");
    assert_eq!(failure.code(), "unit-failed");
}

#[test]
fn a_programs_answers_are_taken_or_refused() {
    let scratch = Scratch::new();
    let root = Root::open(scratch.path()).unwrap();
    let units = ["a.service".to_owned()];
    for (active, enabled, expected) in [
        ("exit 0", "echo enabled", Some((Some(Enablement::Enabled), true))),
        ("exit 3", "echo disabled; exit 1", Some((Some(Enablement::Disabled), false))),
        ("exit 3", "echo 'what is that?'; exit 64", Some((None, false))),
        ("exit 64", "echo enabled", None),
        ("kill -9 $$", "echo enabled", None),
    ] {
        let script = format!("case $1 in is-active) {active};; is-enabled) {enabled};; esac");
        let said = program(&scratch, &script).ask(&root, &units);
        let said = said.ok().flatten().map(|it| (it[0].enabled, it[0].up == Some(true)));
        assert_eq!(said, expected, "{script}");
    }
}

#[test]
fn what_is_already_back_is_not_told_again() {
    let scratch = Scratch::new();
    let root = Root::open(scratch.path()).unwrap();
    let script = "case $1 in is-active) exit 3;; is-enabled) echo not-found;; \
                  *) echo \"$1\" >> \"$BOWLINE_ROOT/told\"; exit 1;; esac";
    let manager = program(&scratch, script);
    let back = [Verb::Stop, Verb::Disable, Verb::Unmask];
    manager.take_back(&root, &telling(None, &back)).unwrap();
    assert!(!scratch.path().join("told").exists());
    assert!(manager.take_back(&root, &telling(None, &[Verb::Start])).is_err());
    assert!(scratch.path().join("told").exists());
}

#[test]
fn another_root_never_reaches_the_machines_systemd() {
    let scratch = Scratch::new();
    let root = Root::open(scratch.path()).unwrap();
    for manager in [ServiceManager::Systemctl, ServiceManager::None] {
        let told = manager.notify(&root, &handler()).unwrap();
        assert!(matches!(told, Told::Skipped(_)), "{manager:?}");
        assert_eq!(manager.ask(&root, &["a.service".to_owned()]).unwrap(), None);
        let all = Telling { unit: None, ..telling(Some(Verb::DaemonReload), &[]) };
        assert!(matches!(manager.carry_out(&root, &all).unwrap(), Told::Skipped(_)));
    }
}
