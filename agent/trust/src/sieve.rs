//! What is worth carrying to the judgement: envelopes that somebody known signed, about one commit.
//!
//! **Invariant:** nothing is granted here; what is let through is judged again in full.
//! **Invariant:** what is held back could not have counted under this policy.

use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;

use crate::attested::{self, Bench};
use crate::roll::Roll;

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
}

impl Sieve {
    /// The sieve of a policy; `None` when the policy's keys cannot be read.
    pub fn of(policy: &Policy, largest: ByteSize) -> Option<Self> {
        let roll = Roll::of(policy).ok()?;
        Some(Self { policy: policy.clone(), roll, largest })
    }

    /// Whether a line of a note holds what somebody known signed about this.
    pub fn keeps(&self, line: &[u8], about: &About<'_>) -> bool {
        let Self { policy, roll, largest } = self;
        // When a key has to count is asked where it matters.
        let bench = Bench { policy, roll, at: None, largest: *largest };
        attested::read(line, &bench).is_some_and(|it| {
            it.statement.subjects.iter().any(|subject| {
                subject.is_commit(&about.commit)
                    || subject.is_tree(&about.tree)
                    || about.merged.iter().any(|it| subject.is_commit(it))
                    || about.change.is_some_and(|change| subject.is_content(change))
            })
        })
    }
}
