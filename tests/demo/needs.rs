//! The programs that the demo needs besides its own: git and ssh-keygen.
//!
//! **Invariant:** what is missing is said before anything is made.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// What is needed, how it answers quickly, and where it comes from.
const NEEDED: [(&str, &[&str], &str); 2] = [
    ("git", &["--version"], "install git 2.34 or newer, the first that signs with SSH keys"),
    ("ssh-keygen", &["-?"], "install it: the package is called openssh-client, or openssh"),
];

/// Says which program is missing.
pub(crate) fn find() -> Result<()> {
    for (program, argv, hint) in NEEDED {
        let mut quick = Command::new(program);
        quick.args(argv).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if quick.status().is_err() {
            bail!("the demo needs {program}, and it cannot be run\nhint: {hint}");
        }
    }
    Ok(())
}
