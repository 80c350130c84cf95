//! The namespaces in which a lab runs: mounts, network and processes of its own.
//!
//! **Invariant:** nothing in it outlives this process, whatever kills it: the kernel ends a process
//! namespace with its first process, and that one is tied to this.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tests::programs::run;
use tests::{binaries, patience};

use crate::arguments::{Course, Exhibition};
use crate::image;
use crate::place::{Afterwards, Place};
use crate::relay;

/// How a lab ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Every check held.
    Held,
    /// One did not.
    Failed,
    /// Somebody wanted it to end.
    Interrupted,
}

/// Nine hosts through all suites take some minutes on two busy cores; beyond this, something hangs.
const TIME: Duration = Duration::from_mins(20);

/// Plays the suites to their end.
pub(crate) fn run_suites(course: &Course) -> Result<Ended> {
    let place = Place::make(course.afterwards())?;
    let inside = enter(&place, course.hosts, None)?;
    wait(inside, TIME)
}

/// Keeps a board up until somebody wants it to end.
pub(crate) fn show_board(exhibition: &Exhibition) -> Result<Ended> {
    let place = Place::make(Afterwards::Removed)?;
    let address = relay::outside(exhibition.listen, &place.folder.join(relay::SOCKET))?;
    let inside = enter(&place, exhibition.hosts, Some(address))?;
    match wait(inside, Duration::MAX)? {
        // That is how a board ends.
        Ended::Interrupted => Ok(Ended::Held),
        _ => Ok(Ended::Failed),
    }
}

/// Waits for the inner process's end, and ends it when that does not come.
fn wait(mut inside: Child, time: Duration) -> Result<Ended> {
    let ended = patience::until("the lab to end", time, || Ok(inside.try_wait()?));
    // Killed in any case: what the first process left behind ends with it.
    drop(inside.kill());
    inside.wait().context("wait for the lab's end")?;
    match ended {
        Ok(status) if status.success() => Ok(Ended::Held),
        Ok(_) => Ok(Ended::Failed),
        Err(_) if patience::is_interrupted() => Ok(Ended::Interrupted),
        Err(error) => Err(error),
    }
}

/// Lays out what a new user would have: the clone with its programs built. Beside it a layer for hosts on
/// which Bowline is installed already.
fn furnish(folder: &Path) -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (clone, layer) = (folder.join("clone"), folder.join("layer"));
    for program in [binaries::bowline(), binaries::agent(), binaries::control()] {
        let name = program.file_name().context("a program has a name")?;
        let built = clone.join("target/release").join(name);
        install("755", &program, &built)?;
        // A development build is mostly notes for debuggers, and nine hosts read it from this disk.
        run(Command::new("strip").arg(&built), "strip a program")?;
        install("755", &built, &layer.join("usr/bin").join(name))?;
    }
    let defaults = "control/server/default.toml";
    install("644", &repository.join(defaults), &clone.join(defaults))?;
    for entry in fs::read_dir(repository.join("systemd")).context("read systemd/")? {
        let unit = entry.context("read systemd/")?.path();
        let name = unit.file_name().context("a unit has a name")?;
        install("644", &unit, &clone.join("systemd").join(name))?;
        if unit.extension().is_some_and(|it| it == "service") {
            install("644", &unit, &layer.join("etc/systemd/system").join(name))?;
        }
    }
    Ok(())
}

fn install(mode: &str, from: &Path, to: &Path) -> Result<()> {
    run(Command::new("install").args(["-D", "-m", mode]).arg(from).arg(to), "install").map(drop)
}

/// Makes what hosts are made of, and starts this program again as the first process of its own namespaces.
fn enter(place: &Place, hosts: u8, board: Option<SocketAddr>) -> Result<Child> {
    let image = image::ready(&place.folder)?;
    println!(
        "Building bowline, bowline-agent and bowline-control, unless they are built: minutes, the first time …"
    );
    furnish(&place.folder)?;
    let own = env::current_exe().context("find the lab's own program")?;
    // The kernel kills `unshare` with this process, and `unshare` what it started.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]);
    command.args(["--net", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
    command.arg(own).arg("inside").arg("--folder").arg(&place.folder).arg("--image").arg(image);
    command.arg("--group").arg(&place.group).arg("--hosts").arg(hosts.to_string());
    if let Some(address) = board {
        command.arg("--board").arg(address.to_string());
    }
    command.stdin(Stdio::null()).spawn().context("run setpriv and unshare")
}
