//! A program that is talked with: requests go to its input, answers come from its output.
//!
//! **Invariant:** it ends with this value at the latest, and everything in its process group with it.
//! **Invariant:** nobody waits for it without asking, every moment, whether to go on.

use std::io::{self, ErrorKind, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};

use super::clock;
use super::command::{Bond, group, own, prepared, spawn};
use crate::failure::OsFailure;

/// Between two looks at whether to go on: a person who stops the agent does not notice it.
const MOMENT_MS: u16 = 100;

/// Read at once: a pipe's usual size.
const BUFFER: usize = 64 << 10;

/// The end of what it complains about is kept: the cause stands in the last lines.
const WORDS_BYTES_MAX: usize = 4 << 10;

/// Complaints that are read while its end is waited for.
const DRAIN_BYTES_MAX: usize = 64 << 10;

/// A running program with its three pipes.
#[derive(Debug)]
pub struct Dialogue {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    complaints: Option<ChildStderr>,
    words: Vec<u8>,
}

/// What came of waiting for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It said something, or took what it was told.
    Something,
    /// It will say nothing more.
    End,
    /// It was not waited for any longer.
    Stopped,
}

impl Dialogue {
    /// Starts a program, tied to the agent's life, with further variables in its clean environment.
    pub fn start(argv: &[String], variables: &[(&str, &str)]) -> Result<Self, OsFailure> {
        let program = argv.first().map(String::as_str).unwrap_or_default();
        let mut command = prepared(argv, Bond::Tied);
        command.envs(variables.iter().copied());
        Self::with(command, program)
    }

    /// Starts the agent's own binary in a folder, with no environment at all. It ties and confines itself.
    pub fn confined(arguments: &[String], folder: &Path) -> Result<Self, OsFailure> {
        Self::with(own(arguments, folder)?, "a process of the agent's own")
    }

    fn with(mut command: Command, program: &str) -> Result<Self, OsFailure> {
        let fail = |source| OsFailure::new("start", program, source);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command).map_err(fail)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(complaints)) = pipes else {
            return Err(fail(Errno::EPIPE.into()));
        };
        let words = Vec::new();
        let dialogue =
            Self { child, input: Some(input), output, complaints: Some(complaints), words };
        dialogue.never_block().map_err(fail)?;
        Ok(dialogue)
    }

    fn never_block(&self) -> io::Result<()> {
        let pipes = [
            self.input.as_ref().map(AsFd::as_fd),
            Some(self.output.as_fd()),
            self.complaints.as_ref().map(AsFd::as_fd),
        ];
        for pipe in pipes.into_iter().flatten() {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(())
    }

    /// Tells it something. A program that is gone has nothing to hear: its answer ends as well.
    pub fn tell(&mut self, words: &[u8], go_on: impl Fn() -> bool) -> io::Result<Heard> {
        let mut rest = words;
        while !rest.is_empty() {
            let Some(input) = &mut self.input else { return Ok(Heard::End) };
            match input.write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Heard::End),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !go_on() {
                        return Ok(Heard::Stopped);
                    }
                    let input = self.input.as_ref().map(AsFd::as_fd);
                    wait(input, PollFlags::POLLOUT, self.complaints.as_ref())?;
                    self.listen()?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Heard::Something)
    }

    /// Tells it that nothing more will come.
    pub fn no_more(&mut self) {
        self.input = None;
    }

    /// Adds what it says next.
    pub fn hear(&mut self, into: &mut Vec<u8>, go_on: impl Fn() -> bool) -> io::Result<Heard> {
        loop {
            self.listen()?;
            match read_some(&mut self.output, into)? {
                Some(0) => return Ok(Heard::End),
                Some(_) => return Ok(Heard::Something),
                None if !go_on() => return Ok(Heard::Stopped),
                None => {
                    wait(Some(self.output.as_fd()), PollFlags::POLLIN, self.complaints.as_ref())?;
                }
            }
        }
    }

    /// Reads its complaints, so that it is never stuck with them; the last ones are kept.
    fn listen(&mut self) -> io::Result<()> {
        let mut total = 0;
        while let Some(pipe) = &mut self.complaints {
            match read_some(pipe, &mut self.words)? {
                Some(0) => self.complaints = None,
                Some(count) => total += count,
                None => return Ok(()),
            }
            let more = self.words.len().saturating_sub(WORDS_BYTES_MAX);
            self.words.drain(..more);
            if total > DRAIN_BYTES_MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Closes its input and waits a little for its end. Gives how it ended, and its last complaints.
    pub fn end(mut self, patience: Duration) -> (Option<ExitStatus>, String) {
        self.input = None;
        let until = clock::since_boot() + patience;
        let mut ended = None;
        while clock::since_boot() < until {
            // What fails here only costs words: the program is ended in any case.
            if self.listen().is_err() {
                break;
            }
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    ended = Some(status);
                    break;
                }
                Ok(None) => {
                    // Not its output: one that is closed would end each wait at once.
                    let nothing = PollFlags::empty();
                    if wait(None, nothing, self.complaints.as_ref()).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        drop(self.listen());
        (ended, String::from_utf8_lossy(&self.words).into_owned())
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        // Whoever is left in the group has nobody to talk with.
        let _ = killpg(group(&self.child), Signal::SIGKILL);
        drop(self.child.wait());
    }
}

/// Reads what is there, at most one buffer; `None` when nothing is there yet.
fn read_some(pipe: &mut impl Read, into: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let before = into.len();
    into.resize(before + BUFFER, 0);
    let read = pipe.read(into.get_mut(before..).unwrap_or_default());
    into.truncate(before + *read.as_ref().unwrap_or(&0));
    match read {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits a moment, or until one of the pipes has something.
fn wait(
    pipe: Option<BorrowedFd<'_>>,
    what: PollFlags,
    complaints: Option<&ChildStderr>,
) -> io::Result<()> {
    let mut fds: Vec<_> = pipe.map(|it| PollFd::new(it, what)).into_iter().collect();
    fds.extend(complaints.map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN)));
    match poll(&mut fds, PollTimeout::from(MOMENT_MS)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Dialogue {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned);
        Dialogue::start(&argv, &[("NAME", "value")]).unwrap()
    }

    fn ended(dialogue: Dialogue) -> (Option<i32>, String) {
        let (status, words) = dialogue.end(Duration::from_secs(20));
        (status.and_then(|it| it.code()), words)
    }

    fn all(dialogue: &mut Dialogue) -> String {
        let mut heard = Vec::new();
        while dialogue.hear(&mut heard, || true).unwrap() == Heard::Something {}
        String::from_utf8(heard).unwrap()
    }

    #[test]
    fn a_program_hears_and_answers() {
        let mut dialogue = shell("read line; echo $NAME $line; echo sorry >&2; exit 3");
        assert_eq!(dialogue.tell(b"hello\n", || true).unwrap(), Heard::Something);
        assert_eq!(all(&mut dialogue), "value hello\n");
        assert_eq!(ended(dialogue), (Some(3), "sorry\n".to_owned()));
    }

    #[test]
    fn a_program_that_complains_without_end_is_still_heard() {
        let mut dialogue = shell("head -c 1000000 /dev/zero >&2; echo done; echo last >&2");
        assert_eq!(all(&mut dialogue), "done\n");
        let (code, words) = ended(dialogue);
        assert_eq!(code, Some(0));
        assert!(words.len() <= WORDS_BYTES_MAX && words.ends_with("last\n"), "{}", words.len());
    }

    #[test]
    fn a_program_that_is_silent_is_left_and_killed_with_its_children() {
        let mut dialogue = shell("sleep 1000 & echo $!; wait");
        let mut heard = Vec::new();
        assert_eq!(dialogue.hear(&mut heard, || true).unwrap(), Heard::Something);
        assert_eq!(dialogue.hear(&mut Vec::new(), || false).unwrap(), Heard::Stopped);
        let sleeper = String::from_utf8(heard).unwrap();
        drop(dialogue);
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
        let end = clock::since_boot() + Duration::from_secs(20);
        // Whoever adopts it takes a while to bury it.
        while state().is_ok_and(|it| !it.contains(") Z ")) {
            assert!(clock::since_boot() < end, "the sleeper lives on");
        }
    }

    #[test]
    fn a_program_that_is_gone_hears_nothing() {
        let mut dialogue = shell("exit 0");
        let much = vec![b'x'; 1 << 20];
        assert_eq!(dialogue.tell(&much, || true).unwrap(), Heard::End);
        assert_eq!(ended(dialogue).0, Some(0));
    }
}
