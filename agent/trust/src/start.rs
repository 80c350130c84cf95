//! Checks 0 and 1: the state, and the commit where the walk begins.
//!
//! **Invariant:** a walk begins at the last verified head or at the anchor, each pinned by SHA-256.

use std::sync::Arc;

use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::digest::Sha256;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::trust_root::TrustRoot;

use crate::commit::{Commit, object_id};
use crate::policy_change::{Governing, admit};
use crate::root_keys::RootRing;
use crate::verdict::{Code, Refusal, Verdict};

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

/// Judges the commit where the walk begins. `marks` are those that apply.
pub(crate) fn begin(
    root: &TrustRoot,
    ring: &RootRing,
    marks: Option<&HighWater>,
    bundle: &Bundle,
) -> Result<Judged, Halt> {
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
    let refused = |refusal: Refusal| refusal.at(pin.id);
    let commit = Commit::parse(&evidence.raw, bundle.format)
        .map_err(|bad| refused(Refusal::of(Code::MalformedCommit, bad.to_string())))?;
    let governing = match marks {
        Some(marks) => admit_known(root, ring, marks, evidence).map_err(|it| it.at(pin.id))?,
        None => admit(root, ring, evidence).map_err(refused)?,
    };
    Ok(Judged {
        id: pin.id,
        raw_sha256,
        tree: commit.tree,
        time: commit.time,
        governing: Arc::new(governing),
    })
}

/// The policy at a head that was verified before must be the one that was found there.
fn admit_known(
    root: &TrustRoot,
    ring: &RootRing,
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
    let governing = admit(root, ring, evidence)?;
    let version = governing.policy.version;
    if governing.sha256 != marks.policy_sha256 || version != marks.policy_version {
        let detail = "the policy at the last verified head is not the one that was verified";
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
