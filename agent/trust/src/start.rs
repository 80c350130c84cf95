//! Checks 0 and 1: the state, and the commit where the walk begins.
//!
//! **Invariant:** a walk is tied to the last verified head or to the anchor, each pinned by SHA-256.
//! **Invariant:** it begins there, or at a checkpoint above the anchor, and never below what was verified.

use std::sync::Arc;

use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::digest::Sha256;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::commit::{Commit, object_id};
use crate::policy_change::{Governing, admit};
use crate::root_statement::CheckpointSeen;
use crate::roots::Roots;
use crate::rulings::Rulings;
use crate::verdict::{Code, Refusal, Verdict};
use crate::walk::Link;

/// Why a judgement ended early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The repository offers something wrong.
    Refused(Refusal),
    /// State or anchor disagree with what is there.
    Tampered(Refusal),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Halt> for Verdict {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Refused(refusal) => Self::Refused(refusal),
            Halt::Tampered(refusal) => Self::Tampered(refusal),
        }
    }
}

/// A commit that was judged, and the policy in its tree.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) id: ObjectId,
    /// Of its raw bytes, for the marks.
    pub(crate) raw_sha256: Sha256,
    pub(crate) tree: ObjectId,
    /// The committer's time, in seconds since 1970.
    pub(crate) time: i64,
    /// The policy in its tree: the law for its children.
    pub(crate) governing: Arc<Governing>,
    /// The roots at it, of which the newest is in force.
    pub(crate) roots: Arc<Roots>,
}

/// Whether marks were made under this trust file. If not, fetch from the anchor on: keys or floors
/// may have changed, so everything above the anchor is verified again.
pub fn marks_apply(marks: &HighWater, root_sha256: Sha256) -> bool {
    marks.trust_sha256 == root_sha256
}

/// What the commit must be that the walk begins at.
struct Pin {
    id: ObjectId,
    raw_sha256: Sha256,
    code: Code,
    name: &'static str,
}

/// The commit that a walk is tied to, as it was pinned.
pub(crate) struct Pinned<'a> {
    pub(crate) id: ObjectId,
    pub(crate) commit: Commit,
    pub(crate) raw_sha256: Sha256,
    pub(crate) evidence: &'a CommitEvidence,
}

/// Finds the commit that the walk is tied to. `marks` are those that apply.
pub(crate) fn pinned<'a>(
    root: &TrustRoot,
    marks: Option<&HighWater>,
    bundle: &'a Bundle,
) -> Result<Pinned<'a>, Halt> {
    let pin = pin_of(root, marks);
    let evidence = bundle.start.as_ref().ok_or_else(|| absent(&pin, marks, bundle.tip))?;
    let tampered = |what: &str| {
        let detail = format!("{} {}: {what}", pin.name, pin.id.short());
        Halt::Tampered(Refusal::of(pin.code, detail).at(pin.id))
    };
    if evidence.id != pin.id {
        let found = format!("the walk begins at {} instead", evidence.id.short());
        return Err(tampered(&found));
    }
    // The digest first: it proves more than an object id that may be SHA-1.
    let raw_sha256 = Sha256::of(&evidence.raw);
    if raw_sha256 != pin.raw_sha256 {
        return Err(tampered("its content is not what was pinned"));
    }
    if object_id(bundle.format, "commit", &evidence.raw) != pin.id {
        return Err(tampered("its content has another object id"));
    }
    let commit = Commit::parse(&evidence.raw, bundle.format)
        .map_err(|bad| Refusal::of(Code::MalformedCommit, bad.to_string()).at(pin.id))?;
    Ok(Pinned { id: pin.id, commit, raw_sha256, evidence })
}

impl Pinned<'_> {
    /// Judges the pinned commit, where the walk begins at it. `marks` are those that apply.
    pub(crate) fn judge(
        &self,
        root: &TrustRoot,
        marks: Option<&HighWater>,
    ) -> Result<Judged, Halt> {
        let refused = |refusal: Refusal| refusal.at(self.id);
        let roots = Roots::of(root, self.evidence).map_err(refused)?;
        let governing = match marks {
            Some(marks) => {
                admit_known(root, &roots, marks, self.evidence).map_err(|it| it.at(self.id))?
            }
            None => admit(root, &roots.all(), self.evidence).map_err(refused)?,
        };
        Ok(Judged {
            id: self.id,
            raw_sha256: self.raw_sha256,
            tree: self.commit.tree,
            time: self.commit.time,
            governing: Arc::new(governing),
            roots: Arc::new(roots),
        })
    }
}

/// The newest commit of a walk that a checkpoint vouches for: its place, and what follows from it. Above it the
/// walk is judged; below it there is the chain and nothing more.
pub(crate) fn vouched(
    root: &TrustRoot,
    rulings: &Rulings,
    links: &[Link<'_>],
    now: Timestamp,
) -> Option<(usize, Judged, CheckpointSeen)> {
    if rulings.is_empty() {
        return None;
    }
    links.iter().enumerate().rev().find_map(|(place, link)| {
        let (said, signers) = rulings.checkpoint(root, link, now)?;
        let roots = Roots::of(root, link.evidence).ok().filter(|it| rulings.follow(it))?;
        let governing = admit(root, &roots.all(), link.evidence).ok()?;
        let is_meant = governing.policy.version == said.policy_version
            && governing.sha256 == said.policy_sha256;
        let floor = root.floors.not_before.map_or(i64::MIN, Timestamp::as_second);
        (is_meant && link.time >= floor).then_some(())?;
        let seen = CheckpointSeen {
            commit: link.evidence.id.to_string(),
            policy_version: said.policy_version,
            signers,
            issued: said.issued,
        };
        let judged = Judged {
            id: link.evidence.id,
            raw_sha256: Sha256::of(&link.evidence.raw),
            tree: link.tree,
            // Its date is nobody's word here but that of whoever vouched for it.
            time: link.time.min(said.issued.as_second()),
            governing: Arc::new(governing),
            roots: Arc::new(roots),
        };
        Some((place, judged, seen))
    })
}

/// The policy at a head that was verified before must be the one that was found there.
fn admit_known(
    root: &TrustRoot,
    roots: &Roots,
    marks: &HighWater,
    evidence: &CommitEvidence,
) -> Result<Governing, Halt> {
    // The marks say it passed the floor; if it does not now, the marks are not this host's own.
    if marks.policy_version < root.floors.policy_version {
        let detail = format!(
            "the state's policy version {} is below the floor {}",
            marks.policy_version, root.floors.policy_version
        );
        return Err(Halt::Tampered(Refusal::of(Code::StateOlder, detail)));
    }
    // The root's signatures are asked for again: the marks are a file, and files can be written.
    let governing = admit(root, &roots.all(), evidence)?;
    let version = governing.policy.version;
    if governing.sha256 != marks.policy_sha256 || version != marks.policy_version {
        let detail = "the policy at the last verified head is not the one that was verified";
        return Err(Halt::Tampered(Refusal::of(Code::StateMismatch, detail)));
    }
    if marks.root_version.is_some_and(|it| it != roots.version()) {
        let detail = "the root at the last verified head is not the one that was in force there";
        return Err(Halt::Tampered(Refusal::of(Code::StateMismatch, detail)));
    }
    Ok(governing)
}

impl Halt {
    fn at(self, commit: ObjectId) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.at(commit)),
            Self::Tampered(refusal) => Self::Tampered(refusal.at(commit)),
        }
    }
}

fn pin_of(root: &TrustRoot, marks: Option<&HighWater>) -> Pin {
    match marks {
        Some(marks) => Pin {
            id: marks.head,
            raw_sha256: marks.head_sha256,
            code: Code::StateMismatch,
            name: "last verified head",
        },
        None => Pin {
            id: root.anchor.commit,
            raw_sha256: root.anchor.commit_sha256,
            code: Code::AnchorMismatch,
            name: "anchor",
        },
    }
}

/// A repository without the commit is another one, or was rewound: its fault, not the state's.
fn absent(pin: &Pin, marks: Option<&HighWater>, tip: ObjectId) -> Halt {
    let code = match marks {
        Some(_) => Code::NotFastForward,
        None => Code::AnchorMismatch,
    };
    let detail = format!("the repository does not hold the {} {}", pin.name, pin.id.short());
    Halt::Refused(Refusal::of(code, detail).at(tip))
}
