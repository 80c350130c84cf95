//! A wall clock that is off, put under a program.
//!
//! **Invariant:** every other clock is the machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Builds the clock in a folder; `None` where there is no compiler.
pub fn build(folder: &Path) -> Option<PathBuf> {
    if !Command::new("cc").arg("--version").output().is_ok_and(|it| it.status.success()) {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "cc is not installed");
        println!("left out: cc is not installed");
        return None;
    }
    fs::write(folder.join("clock.c"), CLOCK).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o", "clock.so", "clock.c"]).current_dir(folder);
    assert!(cc.status().unwrap().success());
    Some(folder.join("clock.so"))
}

/// The words that put a clock under a program; how far it is off stands in a file `off` of the folder.
pub fn off_by(folder: &Path, clock: &Path, seconds: i64) -> [String; 3] {
    let file = folder.join("off");
    fs::write(&file, seconds.to_string()).unwrap();
    let preload = format!("LD_PRELOAD={}", clock.display());
    ["env".to_owned(), preload, format!("OFF_FILE={}", file.display())]
}
