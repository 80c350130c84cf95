//! `bowline bundle create`: has `git bundle` write a branch and its evidence to a file.
//!
//! **Invariant:** only the branch and the notes with evidence are in it.

use std::path::{Path, absolute};
use std::time::Duration;

use anyhow::anyhow;
use bowline_host::door::files;
use bowline_host::door::git::{self, Order};
use bowline_host::repository::{NOTES, Repository};
use bowline_model::policy::Policy;

use super::arguments::Create;
use super::{head, show};
use crate::approve::policy_of;
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
    let origins = reference.replacen("refs/heads/", "refs/remotes/origin/", 1);
    let listed = ask(
        &given.repo,
        "list references",
        &["for-each-ref", "--format=%(refname) %(objectname)", reference, &origins, NOTES],
    )
    .map_err(|failure| failure.hint("--repo names the repository, where it is not this folder"))?;
    let tip = |name: &str| listed.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    let has = |name: &str| tip(name).is_some();
    let Some(here) = tip(reference) else {
        let what = anyhow!("there is no {reference} in {}", given.repo.display());
        let hint = if has(&origins) {
            format!("git branch {} {origins}", short(reference))
        } else {
            String::new()
        };
        return Err(Failure::failed(what).hint(hint));
    };
    let ahead = tip(&origins).filter(|it| *it != here && !is_below(&given.repo, it, here));
    if let Some(origin) = ahead {
        return Err(behind(given, (reference, here), (&origins, origin)));
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
    if !has(NOTES) {
        without_notes(given, here, has(&origins), screen)?;
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

/// Whether a commit is below another, or the same.
fn is_below(repo: &Path, below: &str, above: &str) -> bool {
    ask(repo, "compare commits", &["merge-base", "--is-ancestor", below, above]).is_ok()
}

/// A branch that origin has moved on: nobody means to carry the older one.
fn behind(
    given: &Create,
    (reference, here): (&str, &str),
    (origins, origin): (&str, &str),
) -> Failure {
    let (short, id) = (short(reference), |it: &str| it.chars().take(12).collect::<String>());
    let repo = given.repo.display();
    let what = anyhow!("{reference} is {} here, and {origins} is {}", id(here), id(origin));
    Failure::failed(what).of("no bundle is written: the branch here is not the one that origin has").hint(format!(
        "bring it up to date (git -C {repo} switch {short} && git -C {repo} merge --ff-only {origins})"
    ))
}

/// What to do where a bundle has no evidence: it matters where the policy asks for some.
fn without_notes(
    given: &Create,
    commit: &str,
    is_clone: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let repo = given.repo.display().to_string();
    let asks = policy_at(&repo, commit).map(|it| it.asks());
    let fetch = format!("git -C {repo} fetch origin {NOTES}:{NOTES}");
    let by_hand = "; fetch them first if there are any".to_owned();
    let how = if is_clone { format!(": {fetch}") } else { by_hand };
    match asks {
        Some(it) if it.approvals || it.gates => screen.note(format_args!(
            "warning: the bundle brings no evidence, and the policy asks for some: hosts will wait for it. The \
             repository has no {NOTES}{how}"
        )),
        // Nothing waits for evidence, and whoever reads JSON has `notes: null`.
        _ if given.json => Ok(()),
        _ => screen.note(format_args!("note: the repository has no {NOTES}{how}")),
    }
}

/// The policy of a commit, where it can be read: here it only tells what to warn of.
fn policy_at(repo: &str, commit: &str) -> Option<Policy> {
    let repository = Repository::view(repo).ok()?;
    policy_of(&repository, &commit.parse().ok()?).ok()
}

fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
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
