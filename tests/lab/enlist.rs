//! Hosts join the fleet: settings, trust, a token for the control service, and a merge that names them.
//!
//! **Invariant:** a host is given what its administrator would carry to it, and nothing more.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};

use crate::desired;
use crate::host::Host;
use crate::hub;
use crate::world::World;

/// What all hosts' labels say.
const ROLE: &str = "shop";

/// Where a host's settings lie.
const SETTINGS: &str = "/etc/bowline/agent.toml";

/// How a host reports.
const CONTROL: &str =
    "[control]\nurl = \"https://hub.lab\"\ntokenFile = \"control.token\"\ncaFile = \"ca.pem\"\n";

/// A way to the hub's repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remote {
    /// Over TLS, with the hub's private authority.
    Https,
    /// By the `ssh` program, with the host's own key.
    Ssh,
    /// In the clear: commits are signed, so that nothing but secrecy is lost.
    Http,
}

impl Remote {
    /// Its address.
    pub(crate) fn url(self) -> &'static str {
        match self {
            Self::Https => "https://hub.lab/git/fleet.git",
            Self::Ssh => "ssh://git@hub.lab/srv/git/fleet.git",
            Self::Http => "http://hub.lab/git/fleet.git",
        }
    }

    fn settings(self) -> String {
        let more = match self {
            Self::Https => "caFile = \"ca.pem\"\n",
            Self::Ssh => "sshKeyFile = \"ssh.key\"\nknownHostsFile = \"known_hosts\"\n",
            Self::Http => "",
        };
        format!("[source]\nurl = \"{}\"\ninterval = \"1s\"\n{more}", self.url())
    }
}

/// Carries the hub's certificate and host key to a host, and the host's key to the hub.
pub(crate) fn carry(hub: &Host, host: &Host) -> Result<()> {
    fs::create_dir_all(host.on_disk("/etc/bowline"))?;
    fs::write(host.on_disk("/etc/bowline/ca.pem"), hub::authority(hub)?)?;
    let key = fs::read_to_string(hub.on_disk("/etc/ssh/ssh_host_ed25519_key.pub"))?;
    fs::write(host.on_disk("/etc/bowline/known_hosts"), format!("hub.lab {key}"))?;
    let make = "test -f /etc/bowline/ssh.key || ssh-keygen -q -t ed25519 -N '' -f /etc/bowline/ssh.key; cat /etc/bowline/ssh.key.pub";
    let key = host.run(make)?;
    let keys = hub.on_disk("/home/git/.ssh/authorized_keys");
    let mut keys = OpenOptions::new().create(true).append(true).open(keys)?;
    write!(keys, "restrict {key}").context("let a host fetch")
}

/// Has a host follow the hub's repository.
pub(crate) fn follow(host: &Host, remote: Remote) -> Result<()> {
    fs::write(host.on_disk(SETTINGS), remote.settings())?;
    host.run("systemctl enable --quiet bowline-agent && systemctl restart bowline-agent").map(drop)
}

/// Has a host follow the hub's repository and report to it.
pub(crate) fn enlist(world: &World, host: &Host) -> Result<()> {
    let hub = world.hub.as_ref().context("there is no hub to enlist at")?;
    carry(hub, host)?;
    let token = hub.run(&format!(
        "runuser -u bowline-control -- bowline-control token new --host {}",
        host.name
    ))?;
    let file = host.on_disk("/etc/bowline/control.token");
    fs::write(&file, token)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    let trust = host.on_disk("/etc/bowline/trust.yaml");
    fs::copy(world.office.join("fleet.trust.yaml"), trust)?;
    fs::write(host.on_disk(SETTINGS), Remote::Https.settings() + CONTROL)?;
    host.run("systemctl enable --quiet bowline-agent && systemctl restart bowline-agent").map(drop)
}

/// The files by which a merge names hosts, each by the key that its agent has made.
pub(crate) fn named(hosts: &[Host]) -> Result<Vec<(String, String)>> {
    let name = |host: &Host| {
        let key = host.run("ssh-keygen -lf /etc/bowline/host.key.pub | cut -d' ' -f2")?;
        Ok(desired::host(&host.name, key.trim(), ROLE))
    };
    hosts.iter().map(name).collect()
}
