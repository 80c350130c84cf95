//! What the lab needs of the machine: root, and some programs.
//!
//! **Invariant:** what is missing is said before anything is made, with what to install.

use std::env;
use std::path::Path;

use nix::unistd::Uid;

/// What is needed, and the Debian package that has it.
const NEEDED: [(&str, &str); 10] = [
    ("mmdebstrap", "mmdebstrap"),
    ("apt-get", "apt"),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("strip", "binutils"),
    ("git", "git"),
    ("ssh-keygen", "openssh-client"),
];

/// What is missing, in words.
pub(crate) fn missing() -> Option<String> {
    if !Uid::effective().is_root() {
        return Some(
            "the lab boots machines and needs root\nhint: sudo -E cargo lab -- fleet".into(),
        );
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let is_there = |program: &str| folders.iter().any(|it| it.join(program).is_file());
    let mut packages: Vec<&str> =
        NEEDED.iter().filter(|it| !is_there(it.0)).map(|it| it.1).collect();
    packages.dedup();
    if !packages.is_empty() {
        let packages = packages.join(" ");
        return Some(format!(
            "the lab needs programs that are not here\n\
             hint: apt-get install --no-install-recommends {packages}"
        ));
    }
    // Debian's image is built for this machine's own suite; without apt there is no mirror to ask.
    (!Path::new("/etc/os-release").is_file()).then(|| "the lab needs a Debian machine".to_owned())
}
