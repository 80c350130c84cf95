//! Runs `git` for what only it knows: a person's remotes, their credentials, and how notes are merged.
//!
//! **Invariant:** it works on the named repository, whatever repository the environment names.
//! **Invariant:** nobody is asked on a terminal, and what comes back is bounded in size and time.
#![allow(clippy::disallowed_methods, reason = "this is a door to programs")]

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

use super::tool::{self, Bounds};

/// What it says is some lines; a server may repeat itself.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// Variables that lead to another repository than the named one: hooks have them.
const ASTRAY: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
];

/// `git` did not come to an end.
#[derive(Debug, Error)]
pub enum NoGit {
    /// It could not be started, or not be spoken with.
    #[error("run git")]
    NotRun(#[source] io::Error),
    /// It took too long.
    #[error("git did not {doing} within {seconds} s")]
    TimedOut {
        /// What it was asked for.
        doing: &'static str,
        /// Its time.
        seconds: u64,
    },
}

/// How `git` ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether with exit code 0.
    pub succeeded: bool,
    /// What it answered.
    pub answer: String,
    /// What it said beside that, on one line.
    pub said: String,
}

/// What `git` is asked for.
#[derive(Debug)]
pub struct Order<'a> {
    /// For people: what it does.
    pub doing: &'static str,
    /// The repository.
    pub repo: &'a Path,
    /// Its arguments.
    pub arguments: &'a [&'a str],
    /// Variables beside those of the caller.
    pub variables: &'a [(&'a str, &'a str)],
    /// What it reads.
    pub input: &'a [u8],
    /// How long it may take.
    pub patience: Duration,
}

/// Has `git` do something.
pub fn run(order: &Order<'_>) -> Result<Ended, NoGit> {
    let mut command = Command::new("git");
    command.arg("-C").arg(order.repo).args(order.arguments);
    for name in ASTRAY {
        command.env_remove(name);
    }
    // Its words are looked at: they must be the same everywhere.
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    command.envs(order.variables.iter().copied());
    let bounds = Bounds { patience: order.patience, output_bytes: OUTPUT_BYTES_MAX };
    let Some(answer) = tool::ask(command, order.input, bounds).map_err(NoGit::NotRun)? else {
        let seconds = order.patience.as_secs();
        return Err(NoGit::TimedOut { doing: order.doing, seconds });
    };
    let text = String::from_utf8_lossy(&answer.output).into_owned();
    Ok(Ended { succeeded: answer.code == Some(0), answer: text, said: answer.said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order<'a>(arguments: &'a [&'a str], patience: Duration) -> Order<'a> {
        let repo = Path::new("/");
        Order { doing: "wait", repo, arguments, variables: &[], input: b"", patience }
    }

    #[test]
    fn what_it_says_comes_back_and_it_is_not_waited_for_without_end() {
        let minute = Duration::from_mins(1);
        let ended = run(&order(&["--version"], minute)).unwrap();
        assert!(ended.succeeded && ended.answer.starts_with("git version"), "{ended:?}");
        let ended = run(&order(&["no-such-verb"], minute)).unwrap();
        assert!(!ended.succeeded && ended.said.contains("no-such-verb"), "{ended:?}");
        let long = ["-c", "alias.long=!sleep 60", "long"];
        let failure = run(&order(&long, Duration::from_millis(50))).unwrap_err();
        assert!(matches!(failure, NoGit::TimedOut { doing: "wait", .. }), "{failure}");
    }
}
