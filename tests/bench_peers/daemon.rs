//! The agent as a service: CPU time of a cycle, memory and CPU time at rest.
//!
//! **Invariant:** CPU time is the scheduler's own count of the process (`schedstat`, nanoseconds).

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bowline_api::outcome::Outcome;
use bowline_api::route;
use bowline_api::status::Status;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::arguments::Arguments;
use crate::bowline::Bowline;
use crate::contender::Contender as _;
use crate::figures::Figures;

/// A cycle is over when the process has not run for this long: it waits for nobody meanwhile.
const QUIET: Duration = Duration::from_millis(400);

/// No cycle takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running agent; it ends with this value.
pub(crate) struct Daemon {
    /// Its process.
    pub(crate) child: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself, which the measurement has told then.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        drop(self.child.wait());
    }
}

/// Measures cycles that were asked for, and the rest between them.
pub(crate) fn measure(
    bowline: &Bowline,
    arguments: &Arguments,
    figures: &mut Figures,
) -> Result<()> {
    let child = Command::new(bowline.agent())
        .args(bowline.words())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start the agent")?;
    let daemon = Daemon { child };
    let (pid, socket) = (daemon.child.id(), bowline.socket());
    wait_quiet(pid, 0)?;
    figures.note("idle PSS after one cycle, MiB", pss_mib(pid)?);
    for _ in 0..arguments.runs {
        let before = cpu_ns(pid)?;
        ask(&socket, "POST", route::SYNC)?;
        let after = wait_quiet(pid, before)?;
        figures.add_us(bowline.name(), "daemon sync", (after - before) / 1000);
        let status: Status = serde_json::from_str(&ask(&socket, "GET", route::STATUS)?)?;
        let last = status.last.context("the agent tells of no cycle")?;
        ensure!(last.outcome == Outcome::Unchanged, "a cycle ended {}", last.outcome);
    }
    wait_quiet(pid, 0)?;
    figures.note("idle PSS after all cycles, MiB", pss_mib(pid)?);
    Ok(())
}

/// Waits until the process has run since `before` and rests now. Gives the CPU time it has used.
pub(crate) fn wait_quiet(pid: u32, before: i64) -> Result<i64> {
    let start = Instant::now();
    let (mut last, mut since) = (cpu_ns(pid)?, Instant::now());
    while start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(20));
        let now = cpu_ns(pid)?;
        if now != last {
            (last, since) = (now, Instant::now());
        } else if now > before && since.elapsed() > QUIET {
            return Ok(now);
        }
    }
    bail!("the agent did not come to rest in {PATIENCE:?}")
}

/// The CPU time of all threads so far.
pub(crate) fn cpu_ns(pid: u32) -> Result<i64> {
    let mut total = 0;
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("the agent has ended")?;
    for task in tasks {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        total += text.split(' ').next().and_then(|it| it.parse::<i64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

/// The memory of a process, what it shares with others counted in parts.
pub(crate) fn pss_mib(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("read PSS")?;
    let line = text.lines().find_map(|it| it.strip_prefix("Pss:")).context("no PSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// One request to the local API. Gives the answer's body.
pub(crate) fn ask(socket: &Path, method: &str, path: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket).context("reach the agent")?;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the agent's answer is cut off")?;
    ensure!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {head}");
    Ok(body.to_owned())
}
