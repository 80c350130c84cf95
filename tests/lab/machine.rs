//! A host as a process: systemd-nspawn, and commands by way of its namespaces.
//!
//! **Invariant:** a machine's own systemd is process 1 of its own namespace; ending nspawn ends all of it.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tests::patience;
use tests::programs::run_to_its_end;

use crate::bridge;

/// How nspawn ends when the machine wants to boot again and nspawn may not make units for it.
const REBOOT: i32 = 133;

/// Puts itself into a control group, and becomes nspawn.
const IN_ITS_GROUP: &str = "echo $$ > \"$0\"/cgroup.procs && exec \"$@\"";

/// Where a shell on a host finds programs.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A machine that runs, or could.
#[derive(Debug)]
pub(crate) struct Machine {
    name: String,
    disk: PathBuf,
    group: PathBuf,
    /// What it wrote on its console.
    console: PathBuf,
    /// Folders of the lab that it sees, as nspawn is told of them.
    binds: Vec<String>,
    nspawn: Option<Child>,
    leader: Option<u32>,
}

impl Machine {
    /// A machine that does not run yet.
    pub(crate) fn new(
        name: &str,
        folder: &Path,
        disk: &Path,
        groups: &Path,
        binds: &[String],
    ) -> Result<Self> {
        let group = groups.join(name);
        fs::create_dir(&group).with_context(|| format!("make {}", group.display()))?;
        Ok(Self {
            name: name.to_owned(),
            disk: disk.to_owned(),
            group,
            console: folder.join("console"),
            binds: binds.to_owned(),
            nspawn: None,
            leader: None,
        })
    }

    /// Switches it on.
    pub(crate) fn start(&mut self) -> Result<()> {
        let console = OpenOptions::new().create(true).append(true).open(&self.console)?;
        let mut command = Command::new("sh");
        command.args(["-c", IN_ITS_GROUP]).arg(&self.group).args(["systemd-nspawn", "--quiet"]);
        command.args(["--boot", "--register=no", "--keep-unit", "--console=pipe"]);
        // Like a machine of its own: nothing of this one's settings, all capabilities, its own journal.
        command.args(["--resolv-conf=off", "--timezone=off", "--link-journal=no"]);
        command.args(["--capability=all", &format!("--network-bridge={}", bridge::NAME)]);
        command.arg("--machine").arg(&self.name).arg("--directory").arg(&self.disk);
        command.args(&self.binds);
        command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console);
        // A group of its own: Ctrl-C ends the lab, and the lab ends its machines.
        self.nspawn = Some(command.process_group(0).spawn().context("run systemd-nspawn")?);
        self.leader = None;
        Ok(())
    }

    /// Waits until the machine is up; gives what its systemd says of itself.
    pub(crate) fn await_boot(&mut self, limit: Duration) -> Result<String> {
        let leader = patience::until("process 1", limit, || self.look_for_leader())?;
        self.leader = Some(leader);
        patience::until("the boot to end", limit, || {
            self.check()?;
            let (_, state) = self.run("systemctl is-system-running 2>&1", limit)?;
            let state = state.trim().to_owned();
            // Before the bus is there, it says so in a sentence.
            let ended = ["running", "degraded", "maintenance"].contains(&state.as_str());
            Ok(ended.then_some(state))
        })
    }

    /// nspawn's only child, once it has become systemd.
    fn look_for_leader(&mut self) -> Result<Option<u32>> {
        self.check()?;
        let Some(nspawn) = self.nspawn.as_ref().map(Child::id) else { bail!("it is switched off") };
        let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children"));
        let leader = children.unwrap_or_default().split(' ').find_map(|it| it.parse().ok());
        let is_systemd = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "systemd\n")
        };
        Ok(leader.filter(is_systemd))
    }

    /// Fails when the machine has switched itself off.
    fn check(&mut self) -> Result<()> {
        let ended = self.nspawn.as_mut().map(Child::try_wait).transpose()?.flatten();
        match ended {
            Some(status) => bail!("it switched itself off, {status}: {}", self.last_words()),
            None => Ok(()),
        }
    }

    /// Waits until the machine has shut down to boot again.
    pub(crate) fn await_reboot(&mut self, limit: Duration) -> Result<()> {
        let Some(nspawn) = self.nspawn.as_mut() else { bail!("it is switched off") };
        let ended: ExitStatus =
            patience::until("the machine to shut down", limit, || Ok(nspawn.try_wait()?))?;
        if ended.code() != Some(REBOOT) {
            bail!("it shut down without wanting to boot again, {ended}: {}", self.last_words());
        }
        Ok(())
    }

    /// The machine's process 1, as it is numbered here.
    pub(crate) fn leader(&self) -> Result<u32> {
        self.leader.with_context(|| format!("{} is switched off", self.name))
    }

    /// Runs a shell's words inside; gives how they ended and what they wrote.
    pub(crate) fn run(&self, script: &str, limit: Duration) -> Result<(Option<i32>, String)> {
        let mut command = enter(self.leader()?);
        command.args(["sh", "-euc", script]);
        run_to_its_end(&mut command, "nsenter", limit)
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.console).unwrap_or_default();
        text.lines().rev().take(3).collect::<Vec<_>>().join(" / ")
    }
}

/// The beginning of a command inside a machine, whose process 1 this is.
pub(crate) fn enter(leader: u32) -> Command {
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(leader.to_string());
    command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]);
    command.args(["env", "-i", PATH, "HOME=/root", "LC_ALL=C.UTF-8"]);
    command
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut nspawn) = self.nspawn.take() {
            // It may have ended by itself; the enclosure ends whatever is left.
            drop(nspawn.kill());
            drop(nspawn.wait());
        }
    }
}
