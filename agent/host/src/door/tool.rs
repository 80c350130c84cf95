//! Runs a person's own tools, as that person would: `ssh-keygen`, `git`.
//!
//! **Invariant:** the caller's environment is kept: the SSH agent's socket, the terminal and the home folder
//! are in it.
//! **Invariant:** what comes back is bounded in size and time.
#![allow(clippy::disallowed_methods, reason = "this is a door to programs")]

use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;

use super::clock;

/// Between two looks at whether it ended: most take some milliseconds.
const PAUSE: Duration = Duration::from_millis(5);

/// How much is taken, and for how long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) patience: Duration,
    pub(super) output_bytes: u64,
}

/// What a tool said.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its exit code; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) output: Vec<u8>,
    /// What it complained of, on one line.
    pub(super) said: String,
}

/// Runs a tool on some input; `None` when its time was over.
pub(super) fn ask(
    mut command: Command,
    input: &[u8],
    bounds: Bounds,
) -> io::Result<Option<Answer>> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let most = bounds.output_bytes;
    let said = child.stderr.take().map(|it| thread::spawn(move || all_of(it, most)));
    let output = child.stdout.take().map(|it| thread::spawn(move || all_of(it, most)));
    let input = input.to_owned();
    // Who does not read what it is given has a reason, and says it.
    let given =
        child.stdin.take().map(|mut it| thread::spawn(move || it.write_all(&input).is_ok()));
    let Some(status) = wait(&mut child, bounds.patience)? else { return Ok(None) };
    let bytes =
        |it: Option<JoinHandle<Vec<u8>>>| it.and_then(|it| it.join().ok()).unwrap_or_default();
    let (output, said) = (bytes(output), bytes(said));
    drop(given);
    let said = String::from_utf8_lossy(&said);
    let said: Vec<_> = said.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    Ok(Some(Answer { code: status.code(), output, said: said.join("; ") }))
}

/// How it ended; nothing when its time was over.
fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = clock::since_boot() + patience;
    while clock::since_boot() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
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

/// The beginning of what it wrote; the rest is read and let go, so that it can end.
fn all_of(mut from: impl Read, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = (&mut from).take(most).read_to_end(&mut bytes);
    match read.and_then(|_| io::copy(&mut from, &mut io::sink())) {
        Ok(_) => bytes,
        Err(_) => Vec::new(),
    }
}
