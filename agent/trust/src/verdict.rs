//! What a host may conclude from a bundle, and the stable names of every reason against it.
//!
//! **Invariant:** a code, once given a name, keeps it: people and programs match on names.
//! **Invariant:** `Accepted` is the only verdict that says "deploy this".

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bowline_api::hint;
use bowline_model::adopted::Adopted;
use bowline_model::counted::Counted;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use serde::{Serialize, Serializer};

use crate::approval::ApprovalSeen;
use crate::gates::GateVerdict;
use crate::root_statement::CheckpointSeen;

/// What a host may conclude from a bundle.
///
/// In every case the last good revision goes on being reconciled.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The whole range passed and its newest commit may be deployed.
    Accepted {
        /// How far the walk came; make its marks durable before anything is deployed.
        walked: Walked,
        /// What to deploy.
        deployable: Deployable,
    },
    /// Nothing is wrong, something is missing: keep the last good revision and try again.
    Pending {
        /// How far the walk came without needing what is missing; its marks may be made durable.
        walked: Walked,
        /// The newest commit that needs nothing further, if any does.
        deployable: Option<Deployable>,
        /// The commit that it is missing for.
        commit: ObjectId,
        /// What kind of thing is missing.
        code: Code,
        /// What is missing, for people.
        detail: String,
    },
    /// Nothing is wrong, and nobody vouches that nothing newer is withheld: raise an alarm.
    Stale {
        /// How far the walk came; its marks may be made durable.
        walked: Walked,
        /// What may be deployed nevertheless, where the trust file says that an alarm is enough.
        deployable: Option<Deployable>,
        /// Since when, for people.
        detail: String,
    },
    /// Something is wrong with what the repository offers: raise an alarm.
    Refused(Refusal),
    /// State or anchor disagree with what is there: change nothing at all.
    Tampered(Refusal),
}

impl Verdict {
    /// The verdict's stable word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Pending { .. } => "pending",
            Self::Stale { .. } => "stale",
            Self::Refused(_) => "refused",
            Self::Tampered(_) => "tampered",
        }
    }

    /// Why it is not `Accepted`.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Accepted { .. } => None,
            Self::Pending { code, .. } => Some(*code),
            Self::Stale { .. } => Some(Code::Stale),
            Self::Refused(refusal) | Self::Tampered(refusal) => Some(refusal.code),
        }
    }
}

/// How far a walk came.
#[derive(Debug, Clone)]
pub struct Walked {
    /// The marks to keep from now on.
    pub high_water: HighWater,
    /// The policy in force at the marks' head.
    pub policy: Arc<Policy>,
    /// How many commits were newly verified.
    pub commits: usize,
    /// What people should hear of although it stopped nothing.
    pub warnings: Vec<String>,
    /// Approvals that were looked at: of the commit that waits for some, else of the newest.
    pub approvals: Vec<ApprovalSeen>,
    /// What each gate says of the newest commit.
    pub gates: Vec<GateVerdict>,
    /// What each gate said of the one to deploy; nothing where it met them at an earlier judgement.
    pub opened: Vec<GateVerdict>,
    /// Commits that are on the branch by adoption, above the newest that met its gates before.
    pub adopted: Vec<Adopted>,
    /// Those among them that the one to deploy came by.
    pub came_by: Vec<Adopted>,
    /// The checkpoint at which the walk began, if at one.
    pub checkpoint: Option<CheckpointSeen>,
    /// What counted in this judgement, with its envelopes, to be kept.
    pub counted: Vec<Counted>,
}

/// A commit that may be deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployable {
    /// The commit.
    pub commit: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable name of the reason.
    pub code: Code,
    /// The commit it was found at, if at one.
    pub commit: Option<ObjectId>,
    /// What was found, for people.
    pub detail: String,
}

impl Refusal {
    /// A refusal that concerns no single commit.
    pub(crate) fn of(code: Code, detail: impl Into<String>) -> Self {
        Self { code, commit: None, detail: detail.into() }
    }

    /// A refusal for what an error and its causes say.
    pub(crate) fn because(code: Code, what: &str, error: &dyn Error) -> Self {
        let mut detail = format!("{what}: {error}");
        let mut cause = error.source();
        // Our own errors are at most three deep; the limit is for the ones that are not.
        for _ in 0..8 {
            let Some(deeper) = cause else { break };
            detail = format!("{detail}: {deeper}");
            cause = deeper.source();
        }
        Self::of(code, detail)
    }

    /// Names the commit, unless a closer one is named already.
    pub(crate) fn at(mut self, commit: ObjectId) -> Self {
        self.commit.get_or_insert(commit);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.commit {
            Some(commit) => write!(f, "{} at {}: {}", self.code, commit.short(), self.detail),
            None => write!(f, "{}: {}", self.code, self.detail),
        }
    }
}

/// Writes the codes once: variant, name, meaning. What to do about each stands in `bowline_api::hint`,
/// with that of every other code.
macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal;)+) => {
        /// Why a revision is not accepted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What the code means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What a person can do about it, in one line.
            pub fn hint(self) -> &'static str {
                hint::of(self.as_str()).unwrap_or_default()
            }
        }
    };
}

codes! {
    Unsigned "unsigned" "The commit carries no signature of the repository's object format.";
    BadSignature "bad-signature" "The signature does not fit the commit.";
    MalformedCommit "malformed-commit" "The commit object is not of the one strict form.";
    UnsupportedSignature "unsupported-signature" "The signature is of a kind this version cannot verify.";
    UnknownKey "unknown-key" "The signing key belongs to no principal of the parent's policy.";
    KeyExpired "key-expired" "The key is not valid now, or was not at the commit's date.";
    KeyRevoked "key-revoked" "The key is revoked by the parent's policy or by the newest one.";
    NotAMerger "not-a-merger" "The signer is known but may not move the branch.";
    NotFastForward "not-fast-forward" "The last verified commit is not on the tip's first-parent chain.";
    WrongRepository "wrong-repository" "The policy is meant for another repository.";
    WrongRef "wrong-ref" "The policy is meant for another branch.";
    PolicyMissing "policy-missing" "The tree lacks the policy or the signatures over it.";
    PolicyNotAFile "policy-not-a-file" "The policy, or the signatures over it, is no regular file.";
    PolicyVersion "policy-version" "The policy's version does not rise, or lies below the host's floor.";
    PolicyBelowThreshold "policy-below-threshold" "Too few root keys signed these bytes of the policy.";
    PolicyExpired "policy-expired" "The policy is past its date and admits nothing but its own renewal.";
    PolicyMalformed "policy-malformed" "The policy, or the envelope of its signatures, cannot be read.";
    RootMalformed "root-malformed" "The file of root keys cannot be read, or does not follow on the trust file's root.";
    RootBelowThreshold "root-below-threshold" "Too few keys of the former root, or of the new one, signed the new root.";
    RootVersion "root-version" "The root went back, or another took the place of one that was in force.";
    FutureDated "future-dated" "The commit's date lies in the future.";
    BeforeParent "before-parent" "The commit is dated more than a day before its parent.";
    BelowFloor "below-floor" "The newest commit is older than the trust file allows.";
    AnchorMismatch "anchor-mismatch" "The repository's anchor is not the commit that the trust file pins.";
    StateMismatch "state-mismatch" "What the repository holds at the last verified head is not what was verified.";
    StateOlder "state-older" "The host's marks are older than this host can be.";
    ObjectMismatch "object-mismatch" "An object's content does not have the name it is kept under.";
    GateUnsupported "gate-unsupported" "The policy asks for evidence that this version cannot judge.";
    ManifestsUnreadable "manifests-unreadable" "A gate asks what the manifests name, and they cannot be read whole.";
    EvidenceMissing "evidence-missing" "No statement that a gate takes came with the revision.";
    EvidenceMalformed "evidence-malformed" "A statement for a gate is not of the form that its predicate demands.";
    EvidenceFailed "evidence-failed" "A statement for a gate says that the revision failed.";
    EvidenceBelow "evidence-below" "A statement for a gate says less than the policy asks for.";
    EvidenceStale "evidence-stale" "A statement for a gate is too old, does not say when, or lies in the future.";
    ApprovalMissing "approval-missing" "Too few people approved the merge in a way that counts.";
    Stale "stale" "Nobody vouches, lately enough, that nothing newer is withheld.";
    RevisionRevoked "revision-revoked" "The policy revokes the tip or its tree.";
    WalkTooLong "walk-too-long" "More commits lie above the last verified one than the limit allows.";
    ClockBehind "clock-behind" "The host's clock is behind a time that was verified already.";
    TestingOnly "testing-only" "A commit that was signed for the tests of one host stands on the branch.";
    TestingUnbound "testing-unbound" "A commit of a host's own branch was not signed for the tests of that host.";
    TrustFileMalformed "trust-file-malformed" "The trust file holds a root key that cannot be used.";
    TrustFileChanged "trust-file-changed" "The trust file changed and the walk did not begin at its anchor.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_kebab_case() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            let plain = |it: char| it.is_ascii_lowercase() || it == '-';
            assert!(name.chars().all(plain) && !name.starts_with('-'), "{name}");
        }
    }

    #[test]
    fn every_code_says_what_it_means_and_what_to_do() {
        for code in Code::ALL {
            assert!(code.meaning().ends_with('.'), "{code}");
            assert!(!code.hint().ends_with('.') && code.hint().len() > 20, "{code}");
        }
    }
}
