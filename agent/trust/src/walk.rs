//! Check 2: the first-parent chain from the start to the tip, every object under its true name.
//!
//! **Invariant:** each commit's *first* parent is the one before it; nothing that is reachable only by
//! another parent is ever walked.

use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::object_id::ObjectId;

use crate::commit::{Commit, object_id};
use crate::verdict::{Code, Refusal};

/// A commit on the chain. Of a long one no more is held than where each stands: what it says is read again from its
/// bytes.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) evidence: &'a CommitEvidence,
    pub(crate) tree: ObjectId,
    /// The committer's time, in seconds since 1970.
    pub(crate) time: i64,
    first_parent: Option<ObjectId>,
}

impl<'a> Link<'a> {
    fn of(evidence: &'a CommitEvidence, commit: &Commit) -> Self {
        let first_parent = commit.parents.first().copied();
        Self { evidence, tree: commit.tree, time: commit.time, first_parent }
    }

    /// What it says.
    pub(crate) fn commit(&self) -> Result<Commit, Refusal> {
        parse(self.evidence)
    }
}

/// Reads the chain above the start, oldest first.
pub(crate) fn chain(
    bundle: &Bundle,
    start: ObjectId,
    most: usize,
) -> Result<Vec<Link<'_>>, Refusal> {
    if bundle.cut_short || bundle.commits.len() > most {
        let detail = format!("the tip is more than {most} commits above {}", start.short());
        return Err(Refusal::of(Code::WalkTooLong, detail).at(bundle.tip));
    }
    // All objects are read before any link is judged, so that the message can name a side parent.
    let mut links = Vec::with_capacity(bundle.commits.len());
    for evidence in &bundle.commits {
        let commit = read(bundle, evidence).map_err(|refusal| refusal.at(evidence.id))?;
        links.push(Link::of(evidence, &commit));
    }
    let mut before = start;
    for link in &links {
        if link.first_parent != Some(before) {
            return Err(astray(&links, bundle.tip, start));
        }
        before = link.evidence.id;
    }
    if before != bundle.tip {
        let detail = format!("the chain ends at {} and not at the tip", before.short());
        return Err(Refusal::of(Code::NotFastForward, detail).at(bundle.tip));
    }
    Ok(links)
}

fn read(bundle: &Bundle, evidence: &CommitEvidence) -> Result<Commit, Refusal> {
    let found = object_id(bundle.format, "commit", &evidence.raw);
    if found != evidence.id {
        let detail = format!("content has the id {}", found.short());
        return Err(Refusal::of(Code::ObjectMismatch, detail));
    }
    parse(evidence)
}

fn parse(evidence: &CommitEvidence) -> Result<Commit, Refusal> {
    Commit::parse(&evidence.raw, evidence.id.format())
        .map_err(|bad| Refusal::of(Code::MalformedCommit, bad.to_string()))
}

/// Says how the chain leaves the verified head. What is refused is the tip that is offered: no commit
/// below it is to blame for where the branch was moved.
fn astray(links: &[Link<'_>], tip: ObjectId, start: ObjectId) -> Refusal {
    let is_side = |link: &&Link<'_>| {
        link.commit().is_ok_and(|it| it.parents.iter().skip(1).any(|it| *it == start))
    };
    let detail = match links.iter().find(is_side) {
        Some(side) => format!(
            "{} is only a side parent of {}: parents were swapped, or another branch was \
             fast-forwarded over this one",
            start.short(),
            side.evidence.id.short()
        ),
        None => format!(
            "{} was verified before, and is not among the first parents of {}",
            start.short(),
            tip.short()
        ),
    };
    Refusal::of(Code::NotFastForward, detail).at(tip)
}
