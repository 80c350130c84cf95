//! The wall clock is a year off, or jumps a year while a deployment is open.
//!
//! **Invariant:** what was begun ends as with a good clock: decisions use the time since boot.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{Hidden, goes_on, is_settled};
use crate::story::{Story, command, file, settled};

/// A wall clock that is off by as many seconds as a file says; every other clock is the machine's.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    int r = syscall(SYS_clock_gettime, id, t);
    if (r != 0 || id != CLOCK_REALTIME) return r;
    long off = 0;
    FILE *f = fopen(getenv("OFF_FILE"), "r");
    if (f) { if (fscanf(f, "%ld", &off) != 1) off = 0; fclose(f); }
    t->tv_sec += off;
    return 0;
}
"#;

const YEAR: i64 = 365 * 24 * 60 * 60;

/// Builds the clock; `None` where there is no compiler.
fn clock(shop: &Workshop) -> Option<PathBuf> {
    if !Command::new("cc").arg("--version").output().is_ok_and(|it| it.status.success()) {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "cc is not installed");
        println!("left out: cc is not installed");
        return None;
    }
    let source = shop.folder().join("clock.c");
    fs::write(&source, CLOCK).unwrap();
    shop.run("cc", &["-shared", "-fPIC", "-o", "clock.so", "clock.c"]);
    Some(shop.folder().join("clock.so"))
}

/// The words that put a clock under a program.
fn off_by(shop: &Workshop, clock: &std::path::Path, seconds: i64) -> [String; 3] {
    let file = shop.folder().join("off");
    fs::write(&file, seconds.to_string()).unwrap();
    let preload = format!("LD_PRELOAD={}", clock.display());
    ["env".to_owned(), preload, format!("OFF_FILE={}", file.display())]
}

#[test]
fn fault_15_a_clock_that_is_a_year_off_changes_nothing_about_a_recovery() {
    if !strace::is_here() {
        return;
    }
    for story in [Story::kept(), Story::taken_back()] {
        let Some(clock) = clock(&story.shop) else { return };
        for seconds in [YEAR, -YEAR] {
            for call in ["renameat2", "syncfs", "rename"] {
                let label = format!("killed at {call} 4, and recovered {seconds} s off");
                let shop = story.shop.copy();
                assert!(strace::strike(&shop, call, 4, Strike::Kill).hit, "{label}");
                let words = off_by(&shop, &clock, seconds);
                let hidden = Hidden::hide(&shop);
                shop.once_under(&words.each_ref().map(String::as_str));
                drop(hidden);
                is_settled(&story, &shop, &label);
                goes_on(&story, &shop, &shop.once(), &label);
            }
        }
    }
}

#[test]
fn fault_15_a_clock_that_jumps_a_year_in_the_middle_of_a_deployment() {
    for seconds in [YEAR, -YEAR] {
        let shop = settled("");
        let Some(clock) = clock(&shop) else { return };
        let jump = format!("echo {seconds} > {}", shop.folder().join("off").display());
        let jumps = command("jump", &jump, "true", "/never")
            .replace("spec:", "dependsOn: [File/app]\nspec:");
        let soaks = "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {name: p}\nspec: {exec: {argv: [/bin/true]}, \
                     interval: 100ms, successThreshold: 2, deadline: 20s, soak: 500ms}\n";
        shop.write(
            "apps/app.yaml",
            format!("{}{jumps}{soaks}", file("app", "/etc/app.conf", "app two\n")),
        );
        shop.commit("two");
        let words = off_by(&shop, &clock, 0);
        let told = shop.once_under(&words.each_ref().map(String::as_str));
        told.ended(Outcome::Committed);
        assert!(Picture::whole(&shop.root()).at("/etc/app.conf").unwrap().contains("app two"));
    }
}
