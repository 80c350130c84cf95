//! Asks `ssh-keygen` for what only a person's keys can give: signatures, and public halves.
//!
//! **Invariant:** a private key is never read here; it stays with `ssh-keygen` or its agent.
//! **Invariant:** what comes back is bounded in size and time.
#![allow(clippy::disallowed_methods, reason = "this is a door to programs")]

use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use thiserror::Error;

use super::clock;

/// Somebody may have to type a passphrase, or find the security key first.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks at whether it ended: a signature takes some milliseconds.
const PAUSE: Duration = Duration::from_millis(5);

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

/// The caller's environment is kept: the agent's socket, the terminal and the home folder are in it.
fn ask(
    mut command: Command,
    doing: &'static str,
    key: &Path,
    input: &[u8],
) -> Result<String, NoAnswer> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(NoAnswer::NotRun)?;
    // A program that fails at once does not read its input; how it ended says why.
    let given = child.stdin.take().map_or(Ok(()), |mut it| it.write_all(input));
    let said = child.stderr.take().map(|it| thread::spawn(move || text_of(it)));
    let answer = child.stdout.take().map(|it| thread::spawn(move || text_of(it)));
    let ended = wait(&mut child).map_err(NoAnswer::NotRun)?;
    let Some(succeeded) = ended else {
        return Err(NoAnswer::TimedOut { doing, key: key.to_owned() });
    };
    let text = |it: Option<thread::JoinHandle<String>>| {
        it.and_then(|it| it.join().ok()).unwrap_or_default()
    };
    let (answer, said) = (text(answer), text(said));
    if !succeeded {
        let said = said.lines().map(str::trim).filter(|it| !it.is_empty());
        let said = said.collect::<Vec<_>>().join("; ");
        return Err(NoAnswer::Refused { doing, key: key.to_owned(), said });
    }
    given.map_err(NoAnswer::NotRun)?;
    Ok(answer)
}

/// Whether it succeeded; `None` when its time was over.
fn wait(child: &mut Child) -> io::Result<Option<bool>> {
    let deadline = clock::since_boot() + PATIENCE;
    while clock::since_boot() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        thread::sleep(PAUSE);
    }
    match child.kill() {
        // It ended by itself meanwhile.
        Err(error) if error.raw_os_error() != Some(Errno::ESRCH as i32) => return Err(error),
        _ => {}
    }
    child.wait().map(|_| None)
}

fn text_of(from: impl Read) -> String {
    let mut bytes = Vec::new();
    match from.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
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
