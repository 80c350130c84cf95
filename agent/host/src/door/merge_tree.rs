//! Asks `git` what merging one commit into another would come to.
//!
//! **Invariant:** no branch, index or work tree is touched; new objects are all that is written.

use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use super::git::{self, NoGit, Order};

/// A merge of a hundred thousand files takes seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a merge would come to is not known.
#[derive(Debug, Error)]
pub enum NoMerge {
    /// `git` did not come to an end.
    #[error("try the merge")]
    Git(#[from] NoGit),
    /// Both sides changed the same lines.
    #[error("{head} cannot be merged into {onto} without conflicts: {said}")]
    Conflicts {
        /// What would be merged.
        head: String,
        /// Into what.
        onto: String,
        /// Where they are.
        said: String,
    },
    /// It was not tried.
    #[error("git did not try the merge: {0}")]
    NotTried(String),
}

/// The id of the tree that results.
pub fn merged_tree(repo: &Path, onto: &str, head: &str) -> Result<String, NoMerge> {
    let arguments = ["merge-tree", "--write-tree", "--name-only", "--no-messages", onto, head];
    let ended = git::run(&order("try the merge", repo, &arguments, b""))?;
    let mut lines = ended.answer.lines().map(str::trim).filter(|it| !it.is_empty());
    match (lines.next(), ended.succeeded) {
        (Some(tree), true) => Ok(tree.to_owned()),
        // The tree comes first, with the marks of the conflicts in its files; then their names.
        (Some(_), false) => {
            let (head, onto) = (head.to_owned(), onto.to_owned());
            Err(NoMerge::Conflicts { head, onto, said: lines.collect::<Vec<_>>().join(", ") })
        }
        (None, _) => Err(NoMerge::NotTried(ended.said)),
    }
}

/// Keeps bytes as a blob, so that notes can hang on it; gives its id.
pub fn keep_blob(repo: &Path, bytes: &[u8]) -> Result<String, NoMerge> {
    let ended = git::run(&order("keep a blob", repo, &["hash-object", "-w", "--stdin"], bytes))?;
    if ended.succeeded {
        Ok(ended.answer.trim().to_owned())
    } else {
        Err(NoMerge::NotTried(ended.said))
    }
}

fn order<'a>(
    doing: &'static str,
    repo: &'a Path,
    arguments: &'a [&'a str],
    input: &'a [u8],
) -> Order<'a> {
    Order { doing, repo, arguments, variables: &[], input, patience: PATIENCE }
}
