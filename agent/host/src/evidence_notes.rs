//! Evidence as notes: added to the objects it speaks of, and pushed beside others who do the same.
//!
//! **Invariant:** what another writer noted is never lost: here one at a time writes, and what a remote
//! has is merged, line by line, before it is replaced.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bowline_model::object_id::ObjectId;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

use crate::door::git::{self, NoGit, Order};
use crate::door::{clock, files};
use crate::failure::OsFailure;
use crate::repository::address::shown;
use crate::repository::{NOTES, Repository, view};

/// What a remote has, until it is merged; below `refs/notes/`, or `git` would not merge it.
const INCOMING: &str = "refs/notes/bowline-incoming";

/// A note in a repository with a hundred thousand of them takes some seconds.
const LOCAL_PATIENCE: Duration = Duration::from_mins(1);

/// A remote far away, with everything that others noted since.
const REMOTE_PATIENCE: Duration = Duration::from_mins(3);

/// Each time at least one of those who push at once succeeds: as many jobs as a pipeline runs at once.
const ATTEMPTS_MAX: u32 = 16;

/// After the first attempt; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longer pauses help nobody: another push takes some seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Between two looks at whether another writer here is done.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The name under which notes are committed where nobody is named.
const NAME: [(&str, &str); 4] = [
    ("GIT_COMMITTER_NAME", "bowline"),
    ("GIT_COMMITTER_EMAIL", "bowline@localhost"),
    ("GIT_AUTHOR_NAME", "bowline"),
    ("GIT_AUTHOR_EMAIL", "bowline@localhost"),
];

/// Notes that could not be made or pushed.
#[derive(Debug, Error)]
pub enum NotesFailure {
    /// `git` did not come to an end.
    #[error(transparent)]
    Git(#[from] NoGit),
    /// `git` refused.
    #[error("git did not {doing}: {said}")]
    Refused {
        /// What it was asked for.
        doing: &'static str,
        /// What it said.
        said: String,
    },
    /// Others were faster every time.
    #[error("{remote} took notes of others each of the {ATTEMPTS_MAX} times these were pushed")]
    Outrun {
        /// The remote.
        remote: String,
    },
    /// Another process writes notes here.
    #[error("another process works with the notes in {}", path.display())]
    Busy {
        /// The repository's Git folder.
        path: PathBuf,
    },
    /// The system said no.
    #[error(transparent)]
    Os(#[from] OsFailure),
}

/// Notes that a remote took.
#[derive(Debug)]
pub struct Pushed {
    /// The remote, without a password that stood in its address.
    pub remote: String,
    /// How many attempts it took.
    pub attempts: u32,
}

/// Adds a line to the notes of each object.
pub fn add(repo: &Path, objects: &[ObjectId], line: &[u8]) -> Result<(), NotesFailure> {
    let _alone = lock(repo)?;
    let variables = name(repo)?;
    let doing = "add a note";
    for object in objects {
        let id = object.to_string();
        let arguments = &["notes", "--ref", NOTES, "append", "-F", "-", &id];
        let order = Order { variables, input: line, ..near(repo, doing, arguments) };
        succeed(&order)?;
    }
    Ok(())
}

/// Puts a line into the note of an object, in place of those that are no longer wanted.
pub fn put(
    repo: &Path,
    object: &ObjectId,
    line: &[u8],
    is_wanted: &dyn Fn(&[u8]) -> bool,
) -> Result<(), NotesFailure> {
    let _alone = lock(repo)?;
    let mut note = kept(repo, object, is_wanted);
    note.extend_from_slice(line);
    let variables = name(repo)?;
    let id = object.to_string();
    let arguments = &["notes", "--ref", NOTES, "add", "-f", "-F", "-", &id];
    succeed(&Order { variables, input: &note, ..near(repo, "write a note", arguments) })?;
    Ok(())
}

/// The lines of a note that are still wanted. Where it cannot be read there are none to keep.
fn kept(repo: &Path, object: &ObjectId, is_wanted: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let place = repo.display().to_string();
    let read = || {
        let notes = view::tip_of(&place, NOTES).ok()?;
        Repository::view(&place).ok()?.note_on(&notes, object)
    };
    let note = read().unwrap_or_default();
    let lines = note.split(|it| *it == b'\n').filter(|it| !it.trim_ascii().is_empty());
    let kept: Vec<_> = lines.filter(|it| is_wanted(it)).map(|it| [it, b"\n"].concat()).collect();
    kept.concat()
}

/// Pushes the notes; what the remote has beside them is merged first.
pub fn push(repo: &Path, remote: &str) -> Result<Pushed, NotesFailure> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=ATTEMPTS_MAX {
        let alone = lock(repo)?;
        if attempt > 1 {
            merge_theirs(repo, remote)?;
        }
        if push_once(repo, remote)? {
            return Ok(Pushed { remote: shown(remote), attempts: attempt });
        }
        drop(alone);
        // The first time there is nobody to wait for: the remote was merely ahead.
        if attempt > 1 {
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    Err(NotesFailure::Outrun { remote: shown(remote) })
}

/// Whether the remote took them; no: it has what these do not follow on.
fn push_once(repo: &Path, remote: &str) -> Result<bool, NotesFailure> {
    let both = format!("{NOTES}:{NOTES}");
    let arguments = &[
        "push",
        "--porcelain",
        "--no-follow-tags",
        "--recurse-submodules=no",
        "--",
        remote,
        &both,
    ];
    let doing = "push the notes";
    let ended = git::run(&far(repo, doing, arguments))?;
    if ended.succeeded {
        return Ok(true);
    }
    match ended.answer.lines().find(|it| it.starts_with('!')) {
        Some(verdict) if is_race(verdict) => Ok(false),
        Some(verdict) => {
            let verdict = verdict.trim_start_matches('!').trim();
            Err(NotesFailure::Refused { doing, said: format!("{verdict}; {}", ended.said) })
        }
        None => Err(NotesFailure::Refused { doing, said: ended.said }),
    }
}

/// Whether somebody else was faster, rather than that nobody may.
fn is_race(verdict: &str) -> bool {
    let races = ["[rejected]", "cannot lock ref", "failed to update ref", "incorrect old value"];
    races.iter().any(|it| verdict.contains(it))
}

fn merge_theirs(repo: &Path, remote: &str) -> Result<(), NotesFailure> {
    let theirs = format!("+{NOTES}:{INCOMING}");
    // Without the remote's own map: one of all notes would put theirs in the place of ours.
    let fetch = &[
        "fetch",
        "--quiet",
        "--refmap=",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--recurse-submodules=no",
        "--",
        remote,
        &theirs,
    ];
    succeed(&far(repo, "fetch the notes of others", fetch))?;
    let merge = &["notes", "--ref", NOTES, "merge", "-q", "-s", "cat_sort_uniq", INCOMING];
    let variables = name(repo)?;
    succeed(&Order { variables, ..near(repo, "merge the notes of others", merge) })?;
    succeed(&near(repo, "forget what was merged", &["update-ref", "-d", INCOMING]))?;
    Ok(())
}

/// Keeps other writers in this repository waiting: `git` itself does not notice that it overwrites them.
fn lock(repo: &Path) -> Result<Flock<OwnedFd>, NotesFailure> {
    let arguments = &["rev-parse", "--path-format=absolute", "--git-common-dir"];
    let answer = succeed(&near(repo, "find its folder", arguments))?;
    let path = PathBuf::from(answer.trim_end_matches('\n'));
    let deadline = clock::since_boot() + REMOTE_PATIENCE;
    let mut fd = files::open_folder(&path)?;
    while clock::since_boot() < deadline {
        fd = match Flock::lock(fd, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(held),
            Err((fd, Errno::EWOULDBLOCK)) => fd,
            Err((_, source)) => return Err(OsFailure::new("lock", &path, source).into()),
        };
        thread::sleep(LOCK_PAUSE);
    }
    Err(NotesFailure::Busy { path })
}

/// Who commits the notes, where nobody is named: CI often has no name. Who signed stands in the evidence.
fn name(repo: &Path) -> Result<&'static [(&'static str, &'static str)], NotesFailure> {
    for role in ["GIT_COMMITTER_IDENT", "GIT_AUTHOR_IDENT"] {
        if !git::run(&near(repo, "say who commits", &["var", role]))?.succeeded {
            return Ok(&NAME);
        }
    }
    Ok(&[])
}

/// Something that needs no network.
fn near<'a>(repo: &'a Path, doing: &'static str, arguments: &'a [&'a str]) -> Order<'a> {
    Order { doing, repo, arguments, variables: &[], input: b"", patience: LOCAL_PATIENCE }
}

/// Something that a remote has a part in.
fn far<'a>(repo: &'a Path, doing: &'static str, arguments: &'a [&'a str]) -> Order<'a> {
    Order { patience: REMOTE_PATIENCE, ..near(repo, doing, arguments) }
}

/// Has it done, and gives the answer.
fn succeed(order: &Order<'_>) -> Result<String, NotesFailure> {
    let ended = git::run(order)?;
    if ended.succeeded {
        return Ok(ended.answer);
    }
    Err(NotesFailure::Refused { doing: order.doing, said: ended.said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_faster_is_told_from_who_may_not() {
        let both = "!\trefs/notes/attestations:refs/notes/attestations\t";
        for (why, race) in [
            ("[rejected] (fetch first)", true),
            ("[rejected] (non-fast-forward)", true),
            (
                "[remote rejected] (cannot lock ref 'refs/notes/attestations': is at 1 but expected 2)",
                true,
            ),
            ("[remote rejected] (failed to update ref)", true),
            ("[remote rejected] (incorrect old value provided)", true),
            ("[remote rejected] (pre-receive hook declined)", false),
            ("[remote rejected] (shallow update not allowed)", false),
        ] {
            assert_eq!(is_race(&format!("{both}{why}")), race, "{why}");
        }
    }
}
