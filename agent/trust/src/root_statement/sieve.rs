//! What is worth carrying to the judgement of what root keys say.
//!
//! **Invariant:** nothing is granted here; what is let through is judged again in full.

use std::collections::BTreeSet;

use bowline_model::bundle::CommitEvidence;
use bowline_model::byte_size::ByteSize;
use bowline_model::trust_root::TrustRoot;

use super::{ADOPTION_TYPE, CHECKPOINT_TYPE, Named, RootStatement};
use crate::roots::Roots;

/// How an SSH signature's armour begins in base64. A line without it is signed by no root key.
const ARMOR: &[u8] = b"LS0tLS1CRUdJTiBTU0gg";

/// No envelope is read that has more.
const MOST_SIGNATURES: usize = 64;

/// Lets through what a root of a branch signed.
#[derive(Debug)]
pub struct RootSieve {
    roots: Roots,
    largest: ByteSize,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootWord {
    /// It adopts these commits.
    Adopts(BTreeSet<String>),
    /// It vouches for the commit that was named, and all below it.
    Vouches,
}

impl RootSieve {
    /// The sieve of a branch's newest commit; `None` where its roots cannot be read, so that the walk is refused.
    pub fn of(trust: &TrustRoot, tip: &CommitEvidence) -> Option<Self> {
        Some(Self { roots: Roots::of(trust, tip).ok()?, largest: trust.limits.envelope_bytes })
    }

    /// How many signatures are checked for a line at most, as a measure of work.
    pub fn cost(&self, line: &[u8]) -> usize {
        // It stands once for each signature; a sound line writes it plainly.
        let armored = line.windows(ARMOR.len()).filter(|it| *it == ARMOR).take(MOST_SIGNATURES);
        // A signature is checked for each root that its key belongs to.
        armored.count() * self.roots.all().len()
    }

    /// What a line of a note on a commit says, if a threshold of a root signed it.
    pub fn keeps(&self, line: &[u8], on: &CommitEvidence) -> Option<RootWord> {
        (self.cost(line) > 0).then_some(())?;
        let found = RootStatement::read(line, &self.roots, self.largest)?;
        match found.statement.predicate_type.as_str() {
            CHECKPOINT_TYPE => found.names(&Named::of(on.id, &on.raw)).then_some(RootWord::Vouches),
            ADOPTION_TYPE => {
                let subjects = found.statement.subjects.iter();
                let commits = subjects.filter_map(|it| it.digest.get("gitCommit").cloned());
                Some(RootWord::Adopts(commits.collect()))
            }
            _ => None,
        }
    }
}
