//! What is worth carrying to the judgement: envelopes that somebody known signed, about one commit.
//!
//! **Invariant:** nothing is granted here; what is let through is judged again in full.
//! **Invariant:** what is held back could not have counted under this policy.

use std::collections::BTreeSet;

use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::policy::predicate::PROVENANCE;
use bowline_model::tree::Contents;
use bowline_model::trust_root::RepoIdentity;
use jiff::Timestamp;

use crate::attested::{self, Bench};
use crate::commit::Commit;
use crate::freshness;
use crate::receipt::Revision;
use crate::receipt_sieve::{ReceiptSieve, asks_for_receipts};
use crate::roll::Roll;
use crate::signature::verify_commit;

/// Lets through what could count under a policy.
#[derive(Debug)]
pub struct Sieve {
    policy: Policy,
    roll: Roll,
    largest: ByteSize,
}

/// What an envelope has to be about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// A commit,
    pub commit: ObjectId,
    /// its tree,
    pub tree: ObjectId,
    /// what it changes,
    pub change: Option<Sha256>,
    /// or a commit that it merged: an approval of that says at least why it does not count.
    pub merged: &'a [ObjectId],
    /// Digests that its manifests may name: of them its provenance speaks.
    pub artifacts: &'a BTreeSet<Sha256>,
}

/// How a signature begins that is an SSH signature's armour in base64.
const ARMORED: &[u8] = b"\"sig\":\"LS0tLS1CRUdJTiBTU0gg";

/// What was said, and by whose keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Of the signed bytes.
    pub sha256: Sha256,
    /// Fingerprints of the keys.
    pub signers: BTreeSet<String>,
}

/// Every SHA-256 digest that is written in files, as manifests write it: 64 digits in lower case.
///
/// What an artifact asks for is among them; the rest is digests of other things.
pub fn digests_in(files: &Contents) -> BTreeSet<Sha256> {
    let mut found = BTreeSet::new();
    for bytes in files.values() {
        for word in bytes.split(|it| !it.is_ascii_alphanumeric()) {
            let text = (word.len() == 64).then(|| str::from_utf8(word).ok()).flatten();
            found.extend(text.and_then(|it| it.parse::<Sha256>().ok()));
        }
    }
    found
}

impl Sieve {
    /// The sieve of a policy; `None` when the policy's keys cannot be read.
    pub fn of(policy: &Policy, largest: ByteSize) -> Option<Self> {
        let roll = Roll::of(policy).ok()?;
        Some(Self { policy: policy.clone(), roll, largest })
    }

    /// What a line of a note holds, if somebody known signed it about this: the same for every line that says
    /// the same, however it is written.
    pub fn keeps(&self, line: &[u8], about: &About<'_>) -> Option<Kept> {
        let Self { policy, roll, largest } = self;
        // When a key has to count is asked where it matters.
        let bench = Bench { policy, roll, at: None, largest: *largest };
        let found = attested::read(line, &bench).filter(|it| {
            it.statement.subjects.iter().any(|subject| {
                subject.is_commit(&about.commit)
                    || subject.is_tree(&about.tree)
                    || about.merged.iter().any(|it| subject.is_commit(it))
                    || about.change.is_some_and(|change| subject.is_content(change))
                    || it.statement.predicate_type == PROVENANCE
                        && subject.content().is_some_and(|it| about.artifacts.contains(&it))
            })
        })?;
        let signers = found.signers.into_values().map(|it| it.fingerprint).collect();
        Some(Kept { sha256: found.sha256, signers })
    }

    /// Whether some gate cannot be judged without the revision's manifests.
    pub fn reads_manifests(&self) -> bool {
        self.policy.reads_manifests()
    }

    /// Whether some gate asks hosts for receipts.
    pub fn asks_for_receipts(&self) -> bool {
        asks_for_receipts(&self.policy)
    }

    /// What lets receipts of a revision through, by hosts with these keys.
    pub fn receipts<'a>(
        &'a self,
        revision: Revision,
        keys: &'a BTreeSet<String>,
    ) -> ReceiptSieve<'a> {
        ReceiptSieve::of(&self.policy, revision, keys, self.largest)
    }

    /// Whether what people on call say of a change may count.
    pub fn hears_emergencies(&self) -> bool {
        self.policy.emergency.is_some() && !self.policy.gates.is_empty()
    }

    /// Whether the policy asks for a signed word that the newest commit is the newest.
    pub fn asks_for_freshness(&self) -> bool {
        self.policy.freshness.is_some()
    }

    /// When a line claims that its commit was the head, before anybody looked at its signatures.
    pub fn claims_head(&self, line: &[u8]) -> Option<Timestamp> {
        freshness::claimed(line, self.largest)
    }

    /// Whether whoever this policy lets prove freshness signed a line about a commit, for this branch.
    pub fn vouches(&self, line: &[u8], commit: ObjectId, repo: &RepoIdentity) -> bool {
        let Self { policy, roll, largest } = self;
        let Some(asked) = &policy.freshness else { return false };
        // When the key has to count, and whether the time lies in the future, is asked where it matters.
        let bench = Bench { policy, roll, at: None, largest: *largest };
        freshness::proved(line, commit, (repo, &asked.signer), (&bench, Timestamp::MAX)).is_some()
    }

    /// Whether a merger of this policy signed a commit. What lies above one that nobody let in is not looked at.
    pub fn lets_in(&self, commit: &Commit) -> bool {
        let Ok(key) = verify_commit(commit, self.roll.certificates()) else { return false };
        let holder = self.roll.holder_of(&key);
        holder.is_some_and(|it| self.policy.merge.mergers.contains(&it.principal))
    }

    /// How many people the policy asks to approve a merge.
    pub fn approvals(&self) -> usize {
        let asked = self.policy.merge.approvals.principals;
        usize::try_from(asked.max(1)).unwrap_or(usize::MAX)
    }

    /// How many signatures are checked for a line at most, as a measure of work.
    pub fn cost(&self, line: &[u8]) -> usize {
        // A name may be written in other ways as well; then there may be as many as are read.
        let is_plain = !line.contains(&b'\\');
        let count = |what: &[u8]| line.windows(what.len()).filter(|it| *it == what).count();
        let most = attested::MOST_SIGNATURES;
        let signatures = if is_plain { count(b"\"sig\"") } else { most };
        // An SSH signature names its key; for another each bare key is tried.
        let named = if is_plain { count(ARMORED) } else { 0 };
        let bare = signatures.saturating_sub(named).min(most);
        named.min(most) + bare * self.roll.bare_keys().count()
    }
}
