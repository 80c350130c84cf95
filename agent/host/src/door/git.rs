//! Asks `git` for what a person at a work tree would: what a merge would come to, objects, notes, pushes.
//!
//! **Invariant:** the agent never comes here: on a host no program and no configuration of Git's is used.
#![allow(clippy::disallowed_methods, reason = "this is a door to programs")]

use std::io;
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

use super::tool::{self, Answer, Bounds};

/// A push over a slow line, with somebody typing a passphrase.
const PATIENCE: Duration = Duration::from_mins(5);

/// The note on one object, and some more.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;

/// `git` gave nothing.
#[derive(Debug, Error)]
pub enum NoGit {
    /// It could not be started, or not be spoken with.
    #[error("run git")]
    NotRun(#[source] io::Error),
    /// It refused.
    #[error("git {verb} in {repo}: {said}")]
    Refused {
        /// What it was asked for.
        verb: String,
        /// The repository.
        repo: String,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("git {verb} in {repo} did not end within {} s", PATIENCE.as_secs())]
    TimedOut {
        /// What it was asked for.
        verb: String,
        /// The repository.
        repo: String,
    },
}

/// Runs `git` in a repository; gives what it wrote.
pub fn git(repo: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, NoGit> {
    let answer = run(repo, arguments, input)?;
    match answer.code {
        Some(0) => Ok(answer.output),
        _ => Err(refused(repo, arguments, answer.said)),
    }
}

/// The tree that merging a commit into another would come to; `Err` inside names paths in conflict.
pub fn merged_tree(repo: &str, onto: &str, head: &str) -> Result<Result<String, String>, NoGit> {
    let arguments = ["merge-tree", "--write-tree", "--name-only", "--no-messages", onto, head];
    let answer = run(repo, &arguments, b"")?;
    let text = String::from_utf8_lossy(&answer.output).into_owned();
    let mut lines = text.lines();
    let tree = lines.next().unwrap_or_default().to_owned();
    match answer.code {
        Some(0) => Ok(Ok(tree)),
        // 1 says that there are conflicts, anything else that it was not tried.
        Some(1) => Ok(Err(lines.collect::<Vec<_>>().join(", "))),
        _ => Err(refused(repo, &arguments, answer.said)),
    }
}

fn run(repo: &str, arguments: &[&str], input: &[u8]) -> Result<Answer, NoGit> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repo).args(arguments).env("LC_ALL", "C");
    let bounds = Bounds { patience: PATIENCE, output_bytes: OUTPUT_BYTES_MAX };
    let answer = tool::ask(command, input, bounds).map_err(NoGit::NotRun)?;
    answer.ok_or_else(|| NoGit::TimedOut { verb: verb(arguments), repo: repo.to_owned() })
}

fn refused(repo: &str, arguments: &[&str], said: String) -> NoGit {
    NoGit::Refused { verb: verb(arguments), repo: repo.to_owned(), said }
}

fn verb(arguments: &[&str]) -> String {
    arguments.iter().copied().find(|it| !it.starts_with('-')).unwrap_or_default().to_owned()
}
