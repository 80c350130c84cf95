//! The roots of trust, one after the other: that of the trust file, and those that took its place.
//!
//! **Invariant:** a root counts when a threshold of the one before it and a threshold of its own keys
//! signed it.
//! **Invariant:** a branch never goes back to an earlier root, nor to another one of the same version.

use std::sync::Arc;

use bowline_model::bundle::{CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::policy::ROOTS_PATH;
use bowline_model::trust_root::TrustRoot;

use crate::commit::object_id;
use crate::dsse;
use crate::new_root::{NewRoot, ROOT_TYPE};
use crate::root_keys::{ROOT_NAMESPACE, RootRing};
use crate::verdict::{Code, Refusal};

/// More roots than a branch has in its life; beyond it the trust files begin at a later one.
const MOST_LINES: usize = 64;

/// The roots at a commit.
#[derive(Debug)]
pub(crate) struct Roots {
    /// Version of the trust file's root.
    first_version: u64,
    first: RootRing,
    /// Those after it, each one more.
    later: Vec<Later>,
    file: Option<Arc<[u8]>>,
}

/// A root that took another's place.
#[derive(Debug)]
struct Later {
    ring: RootRing,
    /// Of what was signed.
    sha256: Sha256,
}

impl Roots {
    /// Reads the roots at a commit, whatever came before it.
    pub(crate) fn of(trust: &TrustRoot, evidence: &CommitEvidence) -> Result<Self, Refusal> {
        Self::read(trust, file(&evidence.roots)?)
    }

    /// Reads the roots of a file, where there is one.
    pub(crate) fn read(trust: &TrustRoot, file: Option<Arc<[u8]>>) -> Result<Self, Refusal> {
        let first = RootRing::of(&trust.root.keys, trust.root.threshold)
            .map_err(|what| Refusal::of(Code::TrustFileMalformed, what))?;
        let first_version = trust.root.version;
        let mut roots = Self { first_version, first, later: Vec::new(), file: None };
        let Some(bytes) = file else { return Ok(roots) };
        let lines: Vec<_> =
            bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|it| *it == b'\n').collect();
        if lines.len() > MOST_LINES {
            return Err(malformed(format!("has more than {MOST_LINES} lines")));
        }
        let mut before = None;
        for (place, line) in lines.iter().enumerate() {
            let version = roots
                .take(trust, line, before)
                .map_err(|it| Refusal {
                    detail: format!("line {}: {}", place + 1, it.detail),
                    ..it
                })
                .map_err(|it| Refusal { detail: format!("{ROOTS_PATH}: {}", it.detail), ..it })?;
            before = Some(version);
        }
        roots.file = Some(bytes);
        Ok(roots)
    }

    /// Reads the roots at a commit after those at its parent.
    pub(crate) fn after(
        parent: &Arc<Self>,
        trust: &TrustRoot,
        evidence: &CommitEvidence,
    ) -> Result<Arc<Self>, Refusal> {
        if parent.are_in(evidence) {
            return Ok(Arc::clone(parent));
        }
        let next = Self::of(trust, evidence)?;
        if next.follows(parent) {
            return Ok(Arc::new(next));
        }
        let (old, new) = (parent.version(), next.version());
        let detail = if new < old {
            format!("{ROOTS_PATH}: root version {old} was in force, and the file ends with {new}")
        } else {
            format!("{ROOTS_PATH}: another root than the one in force has version {old} or less")
        };
        Err(Refusal::of(Code::RootVersion, detail))
    }

    /// Whether a commit holds the very same file.
    pub(crate) fn are_in(&self, evidence: &CommitEvidence) -> bool {
        match (&evidence.roots, &self.file) {
            (PathEvidence::Missing, None) => true,
            (PathEvidence::Blob { bytes, .. }, Some(known)) => bytes == known,
            _ => false,
        }
    }

    /// Whether these begin with others.
    pub(crate) fn follows(&self, others: &Self) -> bool {
        let digests = |it: &Self| it.later.iter().map(|later| later.sha256).collect::<Vec<_>>();
        digests(self).starts_with(&digests(others))
    }

    /// The version in force.
    pub(crate) fn version(&self) -> u64 {
        self.first_version.saturating_add(self.later.len() as u64)
    }

    /// The keys in force: only they admit anything new.
    pub(crate) fn in_force(&self) -> &RootRing {
        self.later.last().map_or(&self.first, |it| &it.ring)
    }

    /// The keys in force, alone.
    pub(crate) fn into_force(mut self) -> RootRing {
        self.later.pop().map_or(self.first, |it| it.ring)
    }

    /// Those that were ever in force here, the newest first: an unchanged policy stays as it was admitted.
    pub(crate) fn all(&self) -> Vec<&RootRing> {
        let later = self.later.iter().rev().map(|it| &it.ring);
        later.chain([&self.first]).collect()
    }

    /// Takes a line of the file; gives its version.
    fn take(
        &mut self,
        trust: &TrustRoot,
        line: &[u8],
        before: Option<u64>,
    ) -> Result<u64, Refusal> {
        let envelope = dsse::read(line, trust.limits.envelope_bytes)
            .map_err(|bad| Refusal::because(Code::RootMalformed, "the envelope", &bad))?;
        if envelope.payload_type != ROOT_TYPE {
            let found: String = envelope.payload_type.chars().take(80).collect();
            return Err(malformed(format!("payload type is {found:?}, not {ROOT_TYPE:?}")));
        }
        let new = NewRoot::read(&envelope.payload).map_err(malformed)?;
        let version = new.version;
        if version < 2 || before.is_some_and(|it| version != it.saturating_add(1)) {
            return Err(malformed(format!("version {version} does not follow on the one before")));
        }
        if new.repo_uri != trust.repo.uri {
            let detail = format!("the root is meant for {}", new.repo_uri);
            return Err(Refusal::of(Code::WrongRepository, detail));
        }
        if new.ref_name != trust.repo.ref_name {
            let detail = format!("the root is meant for {}", new.ref_name);
            return Err(Refusal::of(Code::WrongRef, detail));
        }
        let ring = RootRing::of(&new.keys, new.threshold).map_err(malformed)?;
        // What came before the trust file's root is nobody's to judge here.
        if version < self.first_version {
            return Ok(version);
        }
        if version == self.first_version {
            if ring.is_like(&self.first) {
                return Ok(version);
            }
            let detail = format!("version {version} has other keys than in the trust file");
            return Err(Refusal::of(Code::RootVersion, detail));
        }
        if version != self.version().saturating_add(1) {
            let had = self.version();
            return Err(malformed(format!("version {version} does not follow on root {had}")));
        }
        let demand = |ring: &RootRing, which: &str| {
            let what = format!("root {version}, of {which}");
            let named = (Code::RootBelowThreshold, what.as_str());
            ring.demand_threshold(&envelope, ROOT_NAMESPACE, named)
        };
        demand(self.in_force(), "the one before it")?;
        demand(&ring, "its own")?;
        self.later.push(Later { ring, sha256: Sha256::of(&envelope.payload) });
        Ok(version)
    }
}

/// The bytes of the file; `None` where there is none.
fn file(found: &PathEvidence) -> Result<Option<Arc<[u8]>>, Refusal> {
    match found {
        PathEvidence::Missing => Ok(None),
        PathEvidence::Other { what } => {
            Err(malformed(format!("{ROOTS_PATH} is not a regular file: {what}")))
        }
        PathEvidence::Blob { id, bytes } => {
            if object_id(id.format(), "blob", bytes) != *id {
                let detail = format!("{ROOTS_PATH}: content is not that of blob {}", id.short());
                return Err(Refusal::of(Code::ObjectMismatch, detail));
            }
            Ok(Some(Arc::clone(bytes)))
        }
    }
}

fn malformed(detail: String) -> Refusal {
    Refusal::of(Code::RootMalformed, detail)
}
