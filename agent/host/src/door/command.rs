//! Starts programs, and ends them when their time is over.
//!
//! **Invariant:** a program runs in its own process group, with a clean environment, without input,
//! and never longer than it was given.
//! **Invariant:** its output is bounded: the tail is kept.
#![allow(clippy::disallowed_methods, reason = "this is the door to programs")]

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use super::{clock, guardian};
use crate::failure::OsFailure;

/// Where programs find others: what a login shell of root has, the account's own folders left out.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Between asking a program to end and ending it.
const GRACE: Duration = Duration::from_secs(2);

/// Output that is kept.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// Output that is read after a program ended; it may have left children that go on writing.
const DRAIN_BYTES_MAX: usize = 1 << 20;

/// Read at once: a pipe's usual write.
const BUFFER: usize = 16 << 10;

/// A program to run.
#[derive(Debug)]
pub struct Order<'a> {
    /// The program and its arguments.
    pub argv: &'a [String],
    /// How long it may take.
    pub timeout: Duration,
    /// User and group to run it as; `None`: the agent's own. Other groups are dropped.
    pub account: Option<(u32, u32)>,
    /// Whether it ends when the agent is killed.
    pub bond: Bond,
    /// The root, when it is not the machine's own: told to the program as `BOWLINE_ROOT`.
    pub root: Option<&'a Path>,
}

/// Whether a program ends when the agent is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bond {
    /// It does: a command must not work on while recovery takes its deployment back.
    Tied,
    /// It does not: what a service manager starts is not the agent's.
    Free,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The tail of what it wrote.
    pub output: String,
    /// Whether its time was over.
    pub timed_out: bool,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// Whether it ended by itself with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0) && !self.timed_out
    }

    /// How it ended and the last line it wrote, on one line.
    pub fn summary(&self) -> String {
        let ending = match (self.timed_out, self.code, self.signal) {
            (true, _, _) => format!("did not end within {} ms", self.took.as_millis()),
            (false, Some(code), _) => format!("ended with exit code {code}"),
            (false, None, signal) => format!("was ended by signal {}", signal.unwrap_or(0)),
        };
        match self.output.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("{ending}: {}", short(line)),
            None => ending,
        }
    }
}

/// A line as it is shown: no control characters, at most 200 letters.
fn short(line: &str) -> String {
    line.trim().chars().filter(|it| !it.is_control()).take(200).collect()
}

/// Runs a program to its end, or to the end of its time.
pub fn run(order: &Order<'_>) -> Result<Ran, OsFailure> {
    let program = order.argv.first().map(String::as_str).unwrap_or_default();
    let fail = |doing, source: io::Error| OsFailure::new(doing, program, source);
    let began = clock::since_boot();
    let (reader, mut child) = start(order).map_err(|it| fail("start", it))?;
    let watched = watch(order, began, &reader, &child);
    if !matches!(watched, Ok((_, false))) {
        // Whoever is left in the group has had its time, or cannot be watched.
        let _ = killpg(group(&child), Signal::SIGKILL);
    }
    let status = child.wait().map_err(|it| fail("wait for", it))?;
    let (output, timed_out) = watched.map_err(|it| fail("watch", it))?;
    Ok(ran(status, &output, timed_out, clock::since_boot().saturating_sub(began)))
}

fn ran(status: ExitStatus, output: &Tail, timed_out: bool, took: Duration) -> Ran {
    let output = output.text();
    Ran { code: status.code(), signal: status.signal(), output, timed_out, took }
}

fn start(order: &Order<'_>) -> io::Result<(PipeReader, Child)> {
    let (reader, writer) = io::pipe()?;
    let mut command = prepared(order.argv, order.bond);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    if let Some(root) = order.root {
        command.env("BOWLINE_ROOT", root);
    }
    if let Some((uid, gid)) = order.account {
        command.uid(uid).gid(gid);
    }
    let child = spawn(&mut command);
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    child.map(|child| (reader, child))
}

/// A program in a group of its own with a clean environment, tied to the agent's life or not.
pub(super) fn prepared(argv: &[String], bond: Bond) -> Command {
    let program = argv.first().map(String::as_str).unwrap_or_default();
    let mut command = match guardian::program().filter(|_| bond == Bond::Tied) {
        Some(guardian) => {
            let mut command = Command::new(guardian);
            command.arg(guardian::WORD).arg(std::process::id().to_string()).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args(argv.iter().skip(1))
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", "/")
        .current_dir("/")
        .process_group(0);
    command
}

/// The agent's own binary in a folder, in a group of its own, without any environment.
pub(super) fn own(arguments: &[String], folder: &Path) -> Result<Command, OsFailure> {
    let able = guardian::program()
        .ok_or_else(|| OsFailure::new("start", "the agent's own binary", Errno::ENOEXEC))?;
    let mut command = Command::new(able);
    command.args(arguments).env_clear().current_dir(folder).process_group(0);
    Ok(command)
}

/// Starts it with the usual mask for the modes of new files.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    // The mask is the whole process's, and a child inherits it: one start at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = umask(Mode::from_bits_truncate(0o022));
    let child = command.spawn();
    umask(before);
    child
}

pub(super) fn group(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// Reads output until the program ends. Says whether its time was over.
fn watch(
    order: &Order<'_>,
    began: Duration,
    reader: &PipeReader,
    child: &Child,
) -> io::Result<(Tail, bool)> {
    let pid = rustix::process::Pid::from_child(child);
    let ends = pidfd_open(pid, PidfdFlags::empty())?;
    let mut tail = Tail::default();
    let deadline = began.saturating_add(order.timeout);
    if wait(&ends, reader, deadline, &mut tail)? {
        return Ok((tail, false));
    }
    let _ = killpg(group(child), Signal::SIGTERM);
    wait(&ends, reader, clock::since_boot() + GRACE, &mut tail)?;
    Ok((tail, true))
}

/// Waits until the program ends (true) or the deadline is there (false).
fn wait(
    ends: &OwnedFd,
    reader: &PipeReader,
    deadline: Duration,
    tail: &mut Tail,
) -> io::Result<bool> {
    let mut is_open = true;
    // Each turn waits for something to happen, and the deadline is one of these.
    loop {
        let left = deadline.saturating_sub(clock::since_boot());
        if left.is_zero() {
            return Ok(false);
        }
        let (ended, readable) = poll_once(ends, is_open.then_some(reader), left)?;
        if readable {
            is_open = tail.read(reader, BUFFER)?;
        }
        if ended {
            tail.read(reader, DRAIN_BYTES_MAX)?;
            return Ok(true);
        }
    }
}

/// Waits once. Says whether the program ended, and whether there is output or its end.
fn poll_once(
    ends: &OwnedFd,
    reader: Option<&PipeReader>,
    left: Duration,
) -> io::Result<(bool, bool)> {
    let mut fds = vec![PollFd::new(ends.as_fd(), PollFlags::POLLIN)];
    fds.extend(reader.map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN)));
    // A part of a millisecond is waited out as a whole one, not in a busy loop.
    let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, left) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok((false, false)),
        Err(errno) => return Err(errno.into()),
    }
    let mut happened = fds.iter().map(|it| it.any() == Some(true));
    Ok((happened.next() == Some(true), happened.next() == Some(true)))
}

/// The end of what a program wrote.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    /// Reads what is there, at most `limit` bytes. Says whether more may come.
    fn read(&mut self, mut reader: &PipeReader, limit: usize) -> io::Result<bool> {
        let mut buffer = [0; BUFFER];
        let mut total = 0;
        while total < limit {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    total += count;
                    self.add(buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Twice the size, so that not every piece moves what is kept.
        if self.bytes.len() > 2 * OUTPUT_BYTES_MAX {
            self.bytes.drain(..self.bytes.len() - OUTPUT_BYTES_MAX);
            self.is_cut = true;
        }
    }

    fn text(&self) -> String {
        let from = self.bytes.len().saturating_sub(OUTPUT_BYTES_MAX);
        let text = String::from_utf8_lossy(self.bytes.get(from..).unwrap_or_default());
        if self.is_cut || from > 0 { format!("…{text}") } else { text.into_owned() }
    }
}

#[cfg(test)]
mod tests;
