//! `bowline bundle create`: has `git bundle` write a branch and its evidence to a file.
//!
//! **Invariant:** only the branch and the notes with evidence are in it.

use std::path::{Path, absolute};
use std::time::Duration;

use anyhow::anyhow;
use bowline_host::door::files;
use bowline_host::door::git::{self, Order};
use bowline_host::repository::NOTES;

use super::arguments::Create;
use super::{head, show};
use crate::failure::Failure;
use crate::screen::Screen;

/// A repository that a host fetches is packed in seconds.
const PATIENCE: Duration = Duration::from_mins(10);

/// Writes a bundle.
pub(super) fn create(given: &Create, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let reference = given.ref_name.as_str();
    if !reference.starts_with("refs/") {
        let what = anyhow!("{reference:?} is no whole name of a branch, such as refs/heads/main");
        return Err(Failure::usage(what));
    }
    let listed = ask(
        &given.repo,
        "list references",
        &["for-each-ref", "--format=%(refname)", reference, NOTES],
    )?;
    let has = |name: &str| listed.lines().any(|it| it == name);
    if !has(reference) {
        let what = anyhow!("there is no {reference} in {}", given.repo.display());
        return Err(Failure::failed(what));
    }
    let out = absolute(&given.out).map_err(Failure::usage)?;
    let place = out.to_str().ok_or_else(|| Failure::usage(anyhow!("the path is not UTF-8")))?;
    let mut arguments = vec!["bundle", "create", "-q", place, reference];
    if has(NOTES) {
        arguments.push(NOTES);
    }
    let left_out = given.since.as_deref().map(|it| since(&given.repo, it)).transpose()?;
    arguments.extend(left_out.as_deref());
    ask(&given.repo, "write the bundle", &arguments)?;
    let head = head(&out).inspect_err(|_| {
        // Nobody is to carry what no host reads; a file that stays says so there once more.
        drop(files::remove(&out));
    })?;
    if !has(NOTES) && !given.json {
        screen.note("note: the repository has no refs/notes/attestations; fetch them first if there are any")?;
    }
    if head.names(reference).is_none() {
        screen.note(format_args!(
            "warning: {reference} brings nothing beyond --since, so it is not in the bundle"
        ))?;
    }
    show((&given.out, reference), &head, given.json, screen)?;
    Ok(0)
}

/// The commit below which all is left out, as Git is told.
fn since(repo: &Path, rev: &str) -> Result<String, Failure> {
    let commit = format!("{rev}^{{commit}}");
    let asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
    let id = ask(repo, "find a commit", &asked)
        .map_err(|_| Failure::usage(anyhow!("there is no commit {rev:?} in {}", repo.display())))?;
    Ok(format!("^{}", id.trim()))
}

fn ask(repo: &Path, doing: &'static str, arguments: &[&str]) -> Result<String, Failure> {
    let order = Order { doing, repo, arguments, variables: &[], input: b"", patience: PATIENCE };
    let ended = git::run(&order).map_err(Failure::failed)?;
    if ended.succeeded {
        return Ok(ended.answer);
    }
    Err(Failure::failed(anyhow!("git says: {}", ended.said))
        .of(format!("{doing} of {}", repo.display())))
}
