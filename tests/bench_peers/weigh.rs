//! Runs a program and weighs it: CPU time and peak memory of its whole process tree.
//!
//! A supervisor process stands between: it has no other children, so what the kernel adds up for its
//! children is exactly the program's tree.
//!
//! **Invariant:** figures are the kernel's own (`getrusage`), not samples.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

/// The supervisor's subcommand.
pub(crate) const NAME: &str = "--weigh";

/// What a program took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Weight {
    /// User and system CPU time, in microseconds.
    pub(crate) cpu_us: i64,
    /// The largest process' peak memory, in KiB. Not less than the supervisor's own, some 3 MiB.
    pub(crate) peak_kib: i64,
    /// Elapsed time, in milliseconds.
    pub(crate) wall_ms: u128,
    /// How it ended.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained of.
    pub(crate) stderr: String,
}

impl Weight {
    /// CPU seconds.
    pub(crate) fn cpu(&self) -> f64 {
        seconds(self.cpu_us)
    }
}

/// Microseconds as seconds.
pub(crate) fn seconds(microseconds: i64) -> f64 {
    // A benchmark's figures have far fewer digits than a double holds.
    #[allow(clippy::cast_precision_loss, reason = "years of microseconds fit")]
    let exact = microseconds as f64;
    exact / 1e6
}

/// User and system time of a process or its children, in microseconds.
pub(crate) fn cpu_us(usage: &Usage) -> i64 {
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

/// The CPU time that this process has used so far, in microseconds.
pub(crate) fn own_cpu_us() -> Result<i64> {
    Ok(cpu_us(&getrusage(UsageWho::RUSAGE_SELF).context("read this process' usage")?))
}

/// Weighs a program. It must end with one of these codes.
pub(crate) fn weigh(program: &Path, words: &[&OsStr], codes: &[i32]) -> Result<Weight> {
    let own = env::current_exe().context("find this program")?;
    let output = Command::new(own)
        .arg(NAME)
        .arg(program)
        .args(words)
        .output()
        .with_context(|| format!("start {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let weight: Weight = serde_json::from_str(&text)
        .with_context(|| format!("weigh {}: {text}", program.display()))?;
    ensure!(
        weight.code.is_some_and(|it| codes.contains(&it)),
        "{} {words:?} ended with {:?}: {}{}",
        program.display(),
        weight.code,
        weight.stdout,
        weight.stderr
    );
    Ok(weight)
}

/// The supervisor: starts the program, waits, and prints what it took.
pub(crate) fn supervise(words: &[OsString]) -> Result<()> {
    let (program, rest) = words.split_first().context("nothing to weigh")?;
    let start = Instant::now();
    let output = Command::new(program).args(rest).output().context("start the program")?;
    let wall_ms = start.elapsed().as_millis();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("read the children's usage")?;
    let weight = Weight {
        cpu_us: cpu_us(&usage),
        peak_kib: usage.max_rss(),
        wall_ms,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    println!("{}", serde_json::to_string(&weight)?);
    Ok(())
}
