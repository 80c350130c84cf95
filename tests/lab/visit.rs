//! A command on a host of a lab that runs in another terminal.
//!
//! **Invariant:** only hosts of running labs are found: the control group of one that has ended is gone or empty.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::enclosure::Ended;
use crate::machine;
use crate::place;

/// The group in which a machine's systemd keeps itself, below the machine's own.
const SYSTEMD: &str = "payload/init.scope/cgroup.procs";

/// Runs a command on a host, with this terminal; gives how it ended.
pub(crate) fn run(host: &str, command: &[String]) -> Result<Ended> {
    let leader = leader(&place::control_groups()?, host)?;
    let mut there = machine::enter(leader);
    let ended = there.args(command).status().context("run nsenter")?;
    Ok(if ended.success() { Ended::Held } else { Ended::Failed })
}

/// Process 1 of a host, as it is numbered here.
fn leader(groups: &Path, host: &str) -> Result<u32> {
    for lab in fs::read_dir(groups).context("look for labs")?.flatten() {
        if !lab.file_name().to_string_lossy().starts_with(place::PREFIX) {
            continue;
        }
        // A host without processes is one that has just ended.
        let found = fs::read_to_string(lab.path().join(host).join(SYSTEMD)).unwrap_or_default();
        if let Some(pid) = found.lines().find_map(|it| it.parse().ok()) {
            return Ok(pid);
        }
    }
    bail!("no lab is up that has a host {host}\nhint: cargo lab -- board")
}
