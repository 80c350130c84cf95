//! `bowline trust adopt`: commits that nobody let in may stay on the branch.
//!
//! **Invariant:** an adoption that would not count is not made.

use anyhow::anyhow;
use bowline_model::object_id::ObjectId;
use bowline_trust::commit::Commit;
use bowline_trust::root_statement::{ADOPTION_TYPE, Adoption, COMMITS_MAX, LONGEST_LIFE, Named};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::arguments::Adopt;
use super::{Earlier, Place, deliver, demand_one_output, earlier, is_quiet, now};
use crate::failure::Failure;
use crate::revision;
use crate::screen::Screen;

/// Adopts commits.
pub(crate) fn adopt(given: &Adopt, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    demand_one_output(&given.word)?;
    let repo = given.word.repo.as_str();
    let (from, to) = match given.range.split_once("..") {
        Some((from, to)) => (Some(revision::find(repo, or_head(from))?), or_head(to)),
        None => (None, given.range.as_str()),
    };
    let place = Place::find(repo, to)?;
    let commits = commits(&place, from)?;
    let now = now();
    let before = earlier(&given.word, ADOPTION_TYPE)?;
    let adoption = match &before {
        Some(it) => theirs(it, &place)?,
        None => own(given, &place, now)?,
    };
    if let Some(why) = adoption.mistake() {
        return Err(Failure::usage(anyhow!("an adoption that {why} counts for nothing")));
    }
    if adoption.expires <= now {
        return Err(Failure::usage(anyhow!("it expired {}", adoption.expires)).hint("begin anew"));
    }
    let statement = adoption.statement(&commits);
    if before.as_ref().is_some_and(|it| it.payload != statement) {
        let what = anyhow!("what others signed adopts other commits than {}", given.range);
        return Err(Failure::usage(what).hint("name the same range, or begin anew"));
    }
    let is_shown = !is_quiet(&given.word) && !given.word.json;
    let count = commits.len();
    if is_shown {
        let and = if count == 1 { String::new() } else { format!(" and {} before it", count - 1) };
        screen.table(&[
            ("adopts", format!("{}{and}", place.commit)),
            ("on", format!("{} of {}", adoption.ref_name, adoption.repo_uri)),
            ("reason", adoption.reason.clone()),
            ("until", adoption.expires.to_string()),
        ])?;
    }
    let delivered = deliver(&given.word, (&statement, before.as_ref()), &place, screen)?;
    if is_shown {
        delivered.show(screen)?;
    } else if given.word.json {
        screen.json(&json!({
            "commit": place.commit.to_string(),
            "commits": count,
            "ref": adoption.ref_name,
            "repoUri": adoption.repo_uri,
            "reason": adoption.reason,
            "issued": adoption.issued,
            "expires": adoption.expires,
            "signatures": delivered.signatures,
            "root": delivered.root,
            "written": delivered.written,
            "pushed": delivered.pushed,
        }))?;
    }
    Ok(0)
}

/// An end that is left out is HEAD, as for Git.
fn or_head(name: &str) -> &str {
    if name.is_empty() { "HEAD" } else { name }
}

fn own(given: &Adopt, place: &Place, now: Timestamp) -> Result<Adoption, Failure> {
    let lasting = SignedDuration::try_from(given.lasting.as_duration()).ok();
    let lasting = lasting.filter(|it| *it <= LONGEST_LIFE && !it.is_zero());
    let end = lasting.and_then(|it| now.checked_add(it).ok());
    let bad = || Failure::usage(anyhow!("--for {} is not between 1s and 90d", given.lasting));
    Ok(Adoption {
        repo_uri: place.policy.repo_uri.to_string(),
        ref_name: place.policy.ref_name.to_string(),
        reason: given.reason.clone().unwrap_or_default(),
        issued: now,
        expires: end.ok_or_else(bad)?,
    })
}

/// What others signed, where it is for this repository and branch.
fn theirs(it: &Earlier, place: &Place) -> Result<Adoption, Failure> {
    let adoption: Adoption = serde_json::from_value(it.predicate.clone()).map_err(|bad| {
        Failure::usage(bad).of("what others signed holds no adoption of this version")
    })?;
    let policy = &place.policy;
    if adoption.repo_uri == policy.repo_uri.as_str()
        && adoption.ref_name == policy.ref_name.as_str()
    {
        return Ok(adoption);
    }
    let what = anyhow!("it is for {} of {}", adoption.ref_name, adoption.repo_uri);
    Err(Failure::usage(what).of("what others signed is not for this branch"))
}

/// The commits of the range by first parents, oldest first.
fn commits(place: &Place, from: Option<ObjectId>) -> Result<Vec<Named>, Failure> {
    let mut commits = Vec::new();
    let mut next = Some(place.commit);
    while let Some(id) = next.filter(|id| Some(*id) != from) {
        if commits.len() >= COMMITS_MAX {
            let what = anyhow!("more than {COMMITS_MAX} commits lie in the range by first parents");
            return Err(Failure::usage(what).hint("FROM must be a first parent of TO's"));
        }
        let raw = place.repository.raw_commit(&id).map_err(Failure::usage)?;
        commits.push(Named::of(id, &raw));
        // One that cannot be read is refused whatever anybody says of it.
        let commit = Commit::parse(&raw, id.format()).map_err(Failure::failed)?;
        next = commit.parents.first().copied().filter(|_| from.is_some());
        if next.is_none() && from.is_some() {
            let what = anyhow!("FROM is not among the first parents of {}", place.commit.short());
            return Err(Failure::usage(what));
        }
    }
    if commits.is_empty() {
        return Err(Failure::usage(anyhow!("there is no commit in the range")));
    }
    commits.reverse();
    Ok(commits)
}
