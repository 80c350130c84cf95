//! One host: its disk, its name and its address; what is done on it, and to it.
//!
//! **Invariant:** a host's disk is its own: the image below it is never written to.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::mount::{MsFlags, mount};

use crate::machine::Machine;

/// A whole boot takes a third of a second; nine at once on a busy machine take longer.
pub(crate) const BOOT: Duration = Duration::from_secs(60);

/// A command of a suite is about files, units and journals.
const COMMAND: Duration = Duration::from_mins(1);

/// Gives the host its address at every boot, as its provider would.
const NETWORK: &str = "[Unit]\nDescription=The lab's network\nDefaultDependencies=no\nBefore=network.target\n\
     Wants=network.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
     ExecStart=ip addr add ADDRESS/24 dev host0\nExecStart=ip link set host0 up\n\
     [Install]\nWantedBy=multi-user.target\n";

/// What lies below a host's own disk.
#[derive(Debug)]
pub(crate) struct Ground<'g> {
    /// The lab's folder.
    pub(crate) folder: &'g Path,
    /// Below the host's own disk, uppermost first.
    pub(crate) layers: &'g [PathBuf],
    /// The lab's control group.
    pub(crate) groups: &'g Path,
    /// Folders of the lab that it sees, as nspawn is told of them.
    pub(crate) binds: &'g [String],
}

/// A host.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its name.
    pub(crate) name: String,
    /// Its address on the bridge.
    pub(crate) address: String,
    disk: PathBuf,
    machine: Machine,
}

impl Host {
    /// Makes its disk; it does not run yet.
    pub(crate) fn make(ground: &Ground<'_>, name: &str, number: u8) -> Result<Self> {
        let address = format!("10.77.0.{number}");
        let folder = ground.folder.join(name);
        let (own, work, disk) = (folder.join("own"), folder.join("work"), folder.join("disk"));
        for folder in [&folder, &own, &work, &disk] {
            fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
            // Its root folder is the host's own `/`.
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        let layers: Vec<_> = ground.layers.iter().map(|it| it.display().to_string()).collect();
        let (layers, own, work) = (layers.join(":"), own.display(), work.display());
        let options = format!("lowerdir={layers},upperdir={own},workdir={work}");
        mount(Some("overlay"), &disk, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .with_context(|| format!("mount the disk of {name}"))?;
        let machine = Machine::new(name, &folder, &disk, ground.groups, ground.binds)?;
        let host = Self { name: name.to_owned(), address, disk, machine };
        host.settle().with_context(|| format!("furnish the disk of {name}"))?;
        Ok(host)
    }

    fn settle(&self) -> Result<()> {
        fs::write(self.on_disk("/etc/hostname"), format!("{}\n", self.name))?;
        let hosts =
            format!("127.0.0.1 localhost\n127.0.1.1 {}\n10.77.0.2 hub hub.lab\n", self.name);
        fs::write(self.on_disk("/etc/hosts"), hosts)?;
        let units = self.on_disk("/etc/systemd/system");
        let unit = NETWORK.replace("ADDRESS", &self.address);
        fs::write(units.join("lab-network.service"), unit)?;
        let wanted = units.join("multi-user.target.wants/lab-network.service");
        symlink("../lab-network.service", wanted)?;
        Ok(())
    }

    /// Switches it on.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.machine.start().with_context(|| format!("start {}", self.name))
    }

    /// Waits until all its units have been started.
    pub(crate) fn await_boot(&mut self) -> Result<()> {
        let state = self.machine.await_boot(BOOT).with_context(|| format!("boot {}", self.name))?;
        if state != "running" {
            let (_, failed) =
                self.machine.run("systemctl --failed --plain --no-legend", COMMAND)?;
            bail!("{} is {state} after its boot: {}", self.name, failed.trim());
        }
        Ok(())
    }

    /// Has it start anew, in order; what is open on it is cut short.
    pub(crate) fn reboot(&mut self) -> Result<()> {
        // The answer may be lost with the one who gives it.
        drop(self.machine.run("systemctl reboot", COMMAND));
        self.machine.await_reboot(BOOT).with_context(|| format!("reboot {}", self.name))?;
        self.start()?;
        self.await_boot()
    }

    /// Runs a shell's words that must succeed; gives what they wrote.
    pub(crate) fn run(&self, script: &str) -> Result<String> {
        let (code, said) = self.try_run(script)?;
        if code != Some(0) {
            bail!("{}: `{}` ended with {code:?}: {}", self.name, first_line(script), said.trim());
        }
        Ok(said)
    }

    /// Runs a shell's words; gives how they ended and what they wrote.
    pub(crate) fn try_run(&self, script: &str) -> Result<(Option<i32>, String)> {
        self.machine.run(script, COMMAND).with_context(|| format!("run something on {}", self.name))
    }

    /// A file on its disk. What the host mounts over it, such as /run, is not seen here.
    pub(crate) fn on_disk(&self, path: &str) -> PathBuf {
        self.disk.join(path.trim_start_matches('/'))
    }

    /// A file as its own processes see it, /run included.
    pub(crate) fn seen(&self, path: &str) -> Result<PathBuf> {
        let leader = self.machine.leader()?;
        Ok(PathBuf::from(format!("/proc/{leader}/root")).join(path.trim_start_matches('/')))
    }

    /// The end of the journal of a unit.
    pub(crate) fn last_words(&self, unit: &str) -> String {
        let ask = format!("journalctl --no-pager --quiet --lines 15 --output cat --unit {unit}");
        self.try_run(&ask).map_or_else(|error| format!("{error:#}"), |it| it.1)
    }
}

fn first_line(script: &str) -> &str {
    script.trim().lines().next().unwrap_or_default()
}
