//! May this policy be in force? Signed by the root's threshold, meant for here, and rising.
//!
//! **Invariant:** a policy that governs anything was signed, byte for byte, by a threshold of root keys
//! that the host knows; the commit that brings it cannot vouch for it.

use std::sync::Arc;

use bowline_model::bundle::{CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::envelope::Envelope;
use bowline_model::policy::{POLICY_ENVELOPE_PATH, POLICY_PATH, Policy};
use bowline_model::trust_root::TrustRoot;

use crate::commit::object_id;
use crate::dsse;
use crate::roll::Roll;
use crate::root_keys::{POLICY_NAMESPACE, RootRing};
use crate::roots::Roots;
use crate::verdict::{Code, Refusal};

/// The payload type of a policy's envelope.
pub const POLICY_TYPE: &str = "application/vnd.bowline.policy+yaml";

/// A larger policy is no longer read by anybody.
const LARGEST_POLICY: usize = 1 << 20;

/// A policy that may govern, with everything drawn from it once.
#[derive(Debug)]
pub(crate) struct Governing {
    pub(crate) policy: Arc<Policy>,
    pub(crate) roll: Roll,
    /// Of the policy's bytes.
    pub(crate) sha256: Sha256,
    bytes: Arc<[u8]>,
    envelope: Arc<[u8]>,
}

impl Governing {
    /// Whether a commit holds the very same policy under the very same signatures.
    pub(crate) fn is_unchanged(&self, evidence: &CommitEvidence) -> bool {
        let same = |found: &PathEvidence, known: &[u8]| match found {
            PathEvidence::Blob { bytes, .. } => **bytes == *known,
            PathEvidence::Missing | PathEvidence::Other { .. } => false,
        };
        same(&evidence.policy, &self.bytes) && same(&evidence.policy_envelope, &self.envelope)
    }
}

/// Admits the policy in a commit, whatever came before, on the keys of one of these roots alone.
pub(crate) fn admit(
    root: &TrustRoot,
    rings: &[&RootRing],
    evidence: &CommitEvidence,
) -> Result<Governing, Refusal> {
    let bytes = file(&evidence.policy, POLICY_PATH)?;
    let envelope_bytes = file(&evidence.policy_envelope, POLICY_ENVELOPE_PATH)?;
    let malformed = |detail: String| Refusal::of(Code::PolicyMalformed, detail);
    if bytes.len() > LARGEST_POLICY {
        return Err(malformed(format!("{POLICY_PATH} is larger than 1 MiB")));
    }
    let envelope = dsse::read(&envelope_bytes, root.limits.envelope_bytes)
        .map_err(|bad| Refusal::because(Code::PolicyMalformed, POLICY_ENVELOPE_PATH, &bad))?;
    if envelope.payload_type != POLICY_TYPE {
        let found: String = envelope.payload_type.chars().take(80).collect();
        return Err(malformed(format!(
            "{POLICY_ENVELOPE_PATH}: payload type is {found:?}, not {POLICY_TYPE:?}"
        )));
    }
    if envelope.payload != *bytes {
        let detail = format!("{POLICY_ENVELOPE_PATH} signs other bytes than {POLICY_PATH} holds");
        return Err(Refusal::of(Code::PolicyBelowThreshold, detail));
    }
    // Only what the root signed is parsed.
    demand_root(rings, &envelope)?;
    let policy = Policy::parse(POLICY_PATH, &bytes).map_err(|bad| malformed(bad.to_string()))?;
    demand_home(root, &policy)?;
    let roll = Roll::of(&policy).map_err(|bad| malformed(format!("{POLICY_PATH}: {bad}")))?;
    Ok(Governing {
        policy: Arc::new(policy),
        roll,
        sha256: Sha256::of(&bytes),
        bytes,
        envelope: envelope_bytes,
    })
}

/// The policy in a commit, if the root signed it: evidence is looked for as no other asks.
pub fn signed_policy(root: &TrustRoot, evidence: &CommitEvidence) -> Option<Arc<Policy>> {
    let roots = Roots::of(root, evidence).ok()?;
    admit(root, &roots.all(), evidence).ok().map(|it| it.policy)
}

/// Demands that the threshold of one of these roots signed a policy; the first one is named if none did.
fn demand_root(rings: &[&RootRing], envelope: &Envelope) -> Result<(), Refusal> {
    let named = (Code::PolicyBelowThreshold, "the policy");
    let mut first = None;
    for ring in rings {
        match ring.demand_threshold(envelope, POLICY_NAMESPACE, named) {
            Ok(()) => return Ok(()),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    let none = || Refusal::of(Code::PolicyBelowThreshold, "no root is in force");
    Err(first.unwrap_or_else(none))
}

/// Admits the policy in a commit after the one in its parent. A change takes the root in force in the commit that
/// brings it; what is unchanged stays as it was admitted.
pub(crate) fn admit_after(
    parent: &Arc<Governing>,
    root: &TrustRoot,
    roots: &Roots,
    evidence: &CommitEvidence,
) -> Result<Arc<Governing>, Refusal> {
    if parent.is_unchanged(evidence) {
        return Ok(Arc::clone(parent));
    }
    // A change is judged like a beginning, and then for rising.
    let next = admit(root, &[roots.in_force()], evidence)?;
    let (old, new) = (parent.policy.version, next.policy.version);
    // Other signatures over the same bytes are no new policy.
    if next.sha256 != parent.sha256 && new <= old {
        let detail = format!("the policy changed and its version went from {old} to {new}");
        return Err(Refusal::of(Code::PolicyVersion, detail));
    }
    Ok(Arc::new(next))
}

/// The bytes of a regular file, under the name its tree knows them by.
fn file(found: &PathEvidence, path: &str) -> Result<Arc<[u8]>, Refusal> {
    match found {
        PathEvidence::Blob { id, bytes } => {
            if object_id(id.format(), "blob", bytes) != *id {
                let detail = format!("{path}: content is not that of blob {}", id.short());
                return Err(Refusal::of(Code::ObjectMismatch, detail));
            }
            Ok(Arc::clone(bytes))
        }
        PathEvidence::Missing => {
            let detail = format!("{path} is not in the tree");
            Err(Refusal::of(Code::PolicyMissing, detail))
        }
        PathEvidence::Other { what } => {
            let detail = format!("{path} is not a regular file: {what}");
            Err(Refusal::of(Code::PolicyNotAFile, detail))
        }
    }
}

/// Demands that a policy is meant for this repository and branch, and not below the host's floor.
fn demand_home(root: &TrustRoot, policy: &Policy) -> Result<(), Refusal> {
    if policy.repo_uri != root.repo.uri {
        let detail = format!(
            "the policy is meant for {}, the trust file names {}",
            policy.repo_uri, root.repo.uri
        );
        return Err(Refusal::of(Code::WrongRepository, detail));
    }
    if policy.ref_name != root.repo.ref_name {
        let detail = format!(
            "the policy is meant for {}, the trust file names {}",
            policy.ref_name, root.repo.ref_name
        );
        return Err(Refusal::of(Code::WrongRef, detail));
    }
    let floor = root.floors.policy_version;
    if policy.version < floor {
        let detail = format!("policy version {} is below the floor {floor}", policy.version);
        return Err(Refusal::of(Code::PolicyVersion, detail));
    }
    Ok(())
}
