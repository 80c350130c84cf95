//! Strikes the agent at a chosen system call, and records what it calls.
//!
//! **Invariant:** calls are counted on the main thread, which carries out the transaction of a single
//! cycle: its calls come in one order.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::agent::Told;
use crate::workshop::Workshop;

/// Calls that change what outlives the process, or make it durable.
pub const CHANGING: [&str; 25] = [
    "write",
    "pwrite64",
    "pwritev",
    "writev",
    "fdatasync",
    "fsync",
    "syncfs",
    "renameat2",
    "rename",
    "renameat",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "fchmod",
    "fchmodat",
    "chmod",
    "fchown",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "fallocate",
    "ftruncate",
    "openat",
];

/// What is done to a call instead of carrying it out.
#[derive(Debug, Clone, Copy)]
pub enum Strike {
    /// The process is killed.
    Kill,
    /// It fails with this error.
    Fail(&'static str),
    /// It and all of its kind after it fail with this error.
    FailOnwards(&'static str),
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// How many of its name came before it on this thread, and itself.
    pub nth: usize,
    /// What it was given.
    pub arguments: String,
}

impl Call {
    /// Whether it changes something: opening does only when it makes or empties a file.
    pub fn changes(&self) -> bool {
        self.name != "openat"
            || self.arguments.contains("O_CREAT")
            || self.arguments.contains("O_TRUNC")
    }
}

/// What came of a strike.
#[derive(Debug)]
pub struct Struck {
    /// What the agent told.
    pub told: Told,
    /// Whether the call was reached.
    pub hit: bool,
    /// What was called, one line each.
    pub log: String,
}

/// Whether tests can use it. Left out quietly only where nobody insists.
pub fn is_here() -> bool {
    let here = Command::new("strace").arg("-V").output().is_ok_and(|it| it.status.success());
    if !here {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "strace is not installed");
        println!("left out: strace is not installed");
    }
    here
}

/// The calls that change something in one cycle, in their order.
pub fn record(shop: &Workshop) -> (Told, Vec<Call>) {
    let (told, log) = run(shop, &["-e", &all()]);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for (name, arguments) in log.lines().filter_map(|line| line.split_once('(')) {
        let nth = counts.entry(name).or_default();
        *nth += 1;
        calls.push(Call { name: name.to_owned(), nth: *nth, arguments: arguments.to_owned() });
    }
    calls.retain(Call::changes);
    (told, calls)
}

/// Strikes the n-th call of a name.
pub fn strike(shop: &Workshop, name: &str, nth: usize, strike: Strike) -> Struck {
    let what = match strike {
        Strike::Kill => format!("signal=SIGKILL:when={nth}"),
        Strike::Fail(error) => format!("error={error}:when={nth}"),
        Strike::FailOnwards(error) => format!("error={error}:when={nth}+"),
    };
    let (told, log) =
        run(shop, &["-e", &format!("trace={name}"), "-e", &format!("inject={name}:{what}")]);
    let hit = match strike {
        Strike::Kill => told.exit.is_none(),
        Strike::Fail(_) | Strike::FailOnwards(_) => log.contains("(INJECTED)"),
    };
    Struck { told, hit, log }
}

/// Fails the n-th call of a name on every thread, and records every changing call of all of them.
pub fn fail_and_watch(shop: &Workshop, name: &str, nth: usize, error: &str) -> Struck {
    let inject = format!("inject={name}:error={error}:when={nth}");
    let (told, log) = run(shop, &["-f", "-e", &all(), "-e", &inject]);
    Struck { told, hit: log.contains("(INJECTED)"), log }
}

/// A question mark lets a call be one that this machine does not have.
fn all() -> String {
    format!("trace={}", CHANGING.map(|name| format!("?{name}")).join(","))
}

fn run(shop: &Workshop, options: &[&str]) -> (Told, String) {
    let file = shop.folder().join("strace.log");
    let file = file.to_str().unwrap();
    let before =
        [&["strace", "-qqq", "-s", "200", "-e", "signal=none", "-o", file], options].concat();
    let told = shop.once_under(&before);
    let log = fs::read_to_string(file).unwrap_or_default();
    (told, log)
}
