//! What is approved: a change, found from what was named.
//!
//! **Invariant:** a commit that was merged is approved as it was merged, any other as Git would merge it now.

use std::path::Path;

use anyhow::anyhow;
use bowline_host::door::merge_tree::{NoMerge, merged_tree};
use bowline_host::repository::{Repository, view};
use bowline_model::change_set::ChangeSet;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{POLICY_PATH, Policy};
use bowline_trust::commit::Commit;

use crate::arguments::Approve;
use crate::failure::Failure;
use crate::revision;
use crate::verify::unreachable;

/// Merges that are looked through for the one that is named.
const MERGES_MAX: usize = 20_000;

/// What is approved.
#[derive(Debug)]
pub(super) struct Target {
    /// The policy of the branch.
    pub(super) policy: Policy,
    /// The commit that it goes onto, or went onto.
    pub(super) base: ObjectId,
    /// The tree that results.
    pub(super) tree: ObjectId,
    /// What was named.
    pub(super) head: ObjectId,
    /// What it changes.
    pub(super) change: ChangeSet,
    /// It was merged already.
    pub(super) is_merged: bool,
}

impl Target {
    /// Finds out what is approved.
    pub(super) fn find(given: &Approve) -> Result<Self, Failure> {
        let repo = given.repo.as_str();
        let repository = Repository::view(repo).map_err(unreachable)?;
        let head = revision::find(repo, &given.rev)?;
        let policy = policy_of(&repository, &head)?;
        let tip = onto(given, &policy)?;
        let is_merged = repository.is_first_parent(&head, &tip, MERGES_MAX);
        let (base, tree) = if is_merged {
            let raw = repository.raw_commit(&head).map_err(Failure::usage)?;
            let commit = Commit::parse(&raw, head.format()).map_err(Failure::failed)?;
            let base = commit.parents.first().copied();
            let first = || anyhow!("{} is the first commit of all: hosts pin it", head.short());
            (base.ok_or_else(|| Failure::usage(first()))?, commit.tree)
        } else {
            (tip, merge(repo, &tip, &head)?)
        };
        let change = repository.change(&base, &tree).ok_or_else(|| {
            let what = anyhow!("what {} changes cannot be listed", head.short());
            Failure::failed(what)
                .hint("git fetch --unshallow, where history is missing; a change of more than 50,000 files is merged in parts")
        })?;
        // What was merged is approved also when it changes nothing: a host asks of every merge.
        if change.is_empty() && !is_merged {
            let what = anyhow!("{} changes nothing on {}", head.short(), base.short());
            return Err(Failure::usage(what).hint(
                "it may be merged already: name the merge commit, or --onto what it goes onto",
            ));
        }
        Ok(Self { policy, base, tree, head, change, is_merged })
    }
}

fn merge(repo: &str, onto: &ObjectId, head: &ObjectId) -> Result<ObjectId, Failure> {
    let merged = merged_tree(Path::new(repo), &onto.to_string(), &head.to_string());
    let hint = "bring the branch up to date, and approve what it is then";
    let tree = merged.map_err(|failure| match failure {
        NoMerge::Conflicts { .. } => Failure::failed(failure).hint(hint),
        other => Failure::failed(other).hint("it takes git 2.38 or newer"),
    })?;
    tree.parse().map_err(|_bad| Failure::failed(anyhow!("git names {tree:?} as the merged tree")))
}

/// The commit that it goes onto. What origin has is newer than a branch that nobody checks out.
fn onto(given: &Approve, policy: &Policy) -> Result<ObjectId, Failure> {
    if let Some(name) = &given.onto {
        return revision::find(&given.repo, name);
    }
    let full = policy.ref_name.as_str();
    let short = full.strip_prefix("refs/heads/").unwrap_or(full);
    let names = [format!("refs/remotes/origin/{short}"), full.to_owned()];
    let found = names.iter().find_map(|it| view::tip_of(&given.repo, it).ok());
    found.ok_or_else(|| {
        let what = anyhow!("neither {} is in {}", names.join(" nor "), given.repo);
        Failure::usage(what).hint("git fetch, or name it with --onto")
    })
}

/// The policy of a commit: it names the repository and the branch that hosts follow.
pub(crate) fn policy_of(repository: &Repository, commit: &ObjectId) -> Result<Policy, Failure> {
    let found = repository.contents(commit, &[POLICY_PATH.to_owned()]).map_err(Failure::failed)?;
    let bytes = found.get(POLICY_PATH).ok_or_else(|| {
        let what = anyhow!("{} has no {POLICY_PATH}", commit.short());
        Failure::usage(what).hint("statements are about repositories that bowline init made")
    })?;
    Policy::parse(POLICY_PATH, bytes)
        .map_err(|faults| Failure::usage(faults).of("the policy cannot be used"))
}
