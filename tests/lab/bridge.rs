//! The network and the control groups inside the lab's namespaces.
//!
//! **Invariant:** nothing here reaches the machine's own network: the namespace has no way out.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tests::programs::run;

/// The bridge that all hosts are plugged into.
pub(crate) const NAME: &str = "bowline0";

/// The lab's own address on it.
pub(crate) const ADDRESS: &str = "10.77.0.1/24";

/// Where control groups lie for systemd.
const GROUPS: &str = "/sys/fs/cgroup";

/// Makes the bridge, and the second form of control groups where systemd looks for it. Gives the folder of the
/// lab's own group.
pub(crate) fn raise(group: &str) -> Result<PathBuf> {
    for words in [
        "link set lo up",
        &format!("link add {NAME} type bridge"),
        &format!("addr add {ADDRESS} dev {NAME}"),
        &format!("link set {NAME} up"),
    ] {
        run(Command::new("ip").args(words.split(' ')), &format!("ip {words}"))?;
    }
    // A machine may have the first form there. It is only seen no more in this mount namespace.
    umount2(GROUPS, MntFlags::MNT_DETACH).context("unmount the machine's control groups")?;
    mount(Some("cgroup2"), GROUPS, Some("cgroup2"), MsFlags::empty(), None::<&str>)
        .context("mount cgroup2")?;
    let folder = PathBuf::from(GROUPS).join(group);
    fs::create_dir_all(&folder).context("make the lab's control group")?;
    Ok(folder)
}
