//! Ties a program to the agent's life: when the agent is killed, the program is.
//!
//! The agent's own binary, called as `PROGRAM --guard ARGV…`, asks the kernel for that and then becomes
//! the program. So recovery never meets a command of the process before.
//!
//! **Invariant:** only commands, checks and probes are tied; what a service manager starts lives on.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// The word that makes the agent's binary a guardian.
pub const WORD: &str = "--guard";

/// The agent's own binary, also when it was replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// Whether this process's binary understands the word.
static ABLE: OnceLock<()> = OnceLock::new();

/// Says that this process's binary can be called as a guardian.
pub fn enable() {
    ABLE.get_or_init(|| ());
}

/// The guardian to start programs with; `None` where there is none, as in tests of this crate.
pub(super) fn program() -> Option<&'static Path> {
    ABLE.get().map(|()| Path::new(SELF))
}

/// Becomes the program, tied to `parent`'s life. Gives the exit code when that cannot be done.
#[allow(clippy::disallowed_methods, reason = "this is a door to programs")]
#[allow(clippy::print_stderr, reason = "the agent reads the program's stderr")]
pub fn become_program(parent: i32, argv: &[OsString]) -> u8 {
    let Some((program, rest)) = argv.split_first() else { return 126 };
    if let Err(error) = set_pdeathsig(Signal::SIGKILL) {
        eprintln!("tie {} to the agent: {error}", program.display());
        return 126;
    }
    // The agent may have been killed before the kernel was asked.
    if getppid() != Pid::from_raw(parent) {
        return 137;
    }
    let error = Command::new(program).args(rest).exec();
    eprintln!("start {}: {error}", program.display());
    127
}
