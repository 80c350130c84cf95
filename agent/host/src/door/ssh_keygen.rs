//! Asks `ssh-keygen` for what only a person's keys can give: signatures, and public halves.
//!
//! **Invariant:** a private key is never read here; it stays with `ssh-keygen` or its agent.
#![allow(clippy::disallowed_methods, reason = "this is a door to programs")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

use super::tool::{self, Bounds};

/// Somebody may have to type a passphrase, or find the security key first.
const PATIENCE: Duration = Duration::from_mins(3);

/// The largest signature, by an RSA key of 16384 bits, has 6 KiB.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// `ssh-keygen` gave nothing.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// It could not be started, or not be spoken with.
    #[error("run ssh-keygen")]
    NotRun(#[source] io::Error),
    /// It refused.
    #[error("ssh-keygen did not {doing} {}: {said}", key.display())]
    Refused {
        /// What it was asked for.
        doing: &'static str,
        /// The key's file.
        key: PathBuf,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("ssh-keygen did not {doing} {} within {} s", key.display(), PATIENCE.as_secs())]
    TimedOut {
        /// What it was asked for.
        doing: &'static str,
        /// The key's file.
        key: PathBuf,
    },
}

/// Has a message signed for a namespace; gives the armoured signature.
///
/// `key` is a private key, or a public one whose private half the SSH agent holds.
pub fn sign(key: &Path, namespace: &str, message: &[u8]) -> Result<String, NoAnswer> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(key);
    ask(command, "sign with", key, message)
}

/// The public half of a private key, as the line of a `.pub` file.
pub fn public_half(key: &Path) -> Result<String, NoAnswer> {
    let mut command = Command::new("ssh-keygen");
    command.arg("-y").arg("-f").arg(key);
    ask(command, "give the public half of", key, b"")
}

fn ask(
    command: Command,
    doing: &'static str,
    key: &Path,
    input: &[u8],
) -> Result<String, NoAnswer> {
    let bounds = Bounds { patience: PATIENCE, output_bytes: OUTPUT_BYTES_MAX };
    let key = || key.to_owned();
    match tool::ask(command, input, bounds).map_err(NoAnswer::NotRun)? {
        None => Err(NoAnswer::TimedOut { doing, key: key() }),
        Some(answer) if answer.code == Some(0) => {
            Ok(String::from_utf8_lossy(&answer.output).into_owned())
        }
        Some(answer) => Err(NoAnswer::Refused { doing, key: key(), said: answer.said }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_there_is_refused_by_name() {
        let key = Path::new("/nonexistent/key");
        for failure in [sign(key, "git", b"x").unwrap_err(), public_half(key).unwrap_err()] {
            assert!(failure.to_string().contains("/nonexistent/key"), "{failure}");
        }
    }
}
