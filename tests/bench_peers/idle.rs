//! Daemons at rest side by side: the agent that waits, the agent that polls every minute, and `cf-execd`.
//!
//! **Invariant:** all rest through the same minutes; each agent has a program file of its own, for memory
//! that two processes share is counted by halves.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result};

use crate::arguments::Arguments;
use crate::bowline::Bowline;
use crate::cfengine;
use crate::contender::Contender as _;
use crate::daemon::{Daemon, cpu_ns, pss_mib, wait_quiet};
use crate::desired::Desired;
use crate::repository::{self, Form};
use crate::table::{self, Rest};

/// A small desired state: what a daemon costs by itself.
const FILES: usize = 10;

/// Measures daemons at rest and prints what they took.
pub(crate) fn measure(agent: &Path, place: &Path, arguments: &Arguments) -> Result<()> {
    if arguments.idle.is_zero() {
        return Ok(());
    }
    let place = place.join("idle");
    fs::create_dir_all(&place)?;
    let desired = Desired { files: FILES };
    let repository = repository::write(&place.join("tree"), desired, Form::Tree, "")?;
    let mut resting = Vec::new();
    for (name, folder, interval) in [
        ("bowline-agent, no poll", "still", "0s"),
        ("bowline-agent, polls every 60 s", "polls", "60s"),
    ] {
        let home = place.join(folder);
        fs::create_dir_all(&home)?;
        let program = home.join("bowline-agent");
        fs::copy(agent, &program).context("copy the agent")?;
        let bowline = Bowline::new(name, &program, &home, &repository)?;
        bowline.ask_every(interval)?;
        bowline.reset()?;
        bowline.run_to("committed", 0)?;
        resting.push((name, start(&program, &bowline.words(), &[])?));
    }
    if let Some(program) = cfengine::find() {
        let (home, policy) = cfengine::at_rest(&program, &place.join("cfengine"))?;
        let words: Vec<PathBuf> = ["-F".into(), "-K".into(), "-f".into(), policy].into();
        let scheduler = program.with_file_name("cf-execd");
        let child = start(&scheduler, &words, &[(cfengine::WORKDIR, home.as_os_str())])?;
        resting.push(("cf-execd, nothing scheduled", child));
    }
    table::rests(arguments.idle.as_secs(), &rest(arguments, &resting)?);
    Ok(())
}

fn start(program: &Path, words: &[PathBuf], environment: &[(&str, &OsStr)]) -> Result<Daemon> {
    let mut command = Command::new(program);
    command.args(words).envs(environment.iter().copied());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Daemon { child: child.with_context(|| format!("start {}", program.display()))? })
}

/// Lets all of them rest, and weighs what they took meanwhile.
fn rest(arguments: &Arguments, resting: &[(&'static str, Daemon)]) -> Result<Vec<Rest>> {
    for (_, daemon) in resting {
        wait_quiet(daemon.child.id(), 0)?;
    }
    let spent = || -> Result<Vec<i64>> {
        resting.iter().map(|(_, daemon)| cpu_ns(daemon.child.id())).collect()
    };
    let before = spent()?;
    thread::sleep(arguments.idle);
    let minutes = arguments.idle.as_secs_f64() / 60.0;
    resting
        .iter()
        .zip(before.iter().zip(spent()?))
        .map(|((name, daemon), (before, after))| {
            let cpu_ms = crate::weigh::seconds(after - before) / minutes;
            Ok(Rest { name, cpu_ms, pss_mib: pss_mib(daemon.child.id())? })
        })
        .collect()
}
