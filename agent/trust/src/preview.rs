//! What the gates of a commit say, before it is merged or after.
//!
//! **Invariant:** nothing follows from it. Whether that commit may be let in, and the policy in it may be in force,
//! is [`verify`](crate::verify)'s to say; what it would refuse in any case is said here too.

use bowline_model::bundle::{CommitEvidence, PathEvidence};
use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{POLICY_PATH, Policy};
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::attested::{self, Attested, Bench};
use crate::commit::Commit;
use crate::demands::lacking;
use crate::gates::{self, Case, GateVerdict};
use crate::here::Here;
use crate::manifested::Reader;
use crate::policy_change::admit;
use crate::receipt::{self, Revision};
use crate::roll::{Roll, revokes};
use crate::roots::Roots;
use crate::verdict::{Code, Refusal};

/// What the commit is to the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is on the branch.
    Merged,
    /// It is to be merged. The merge will be another commit with, at best, the same tree, so what is said
    /// of the commit alone will not count.
    Proposed,
}

/// What the gates of a commit say.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The commit's tree.
    pub tree: ObjectId,
    /// What it lacks.
    pub lacks: Option<Refusal>,
    /// What each gate says.
    pub gates: Vec<GateVerdict>,
}

/// The policy that a commit carries.
///
/// # Errors
/// When its tree holds none that can be read.
pub fn policy_of(evidence: &CommitEvidence) -> Result<Policy, Refusal> {
    match &evidence.policy {
        PathEvidence::Missing => {
            Err(Refusal::of(Code::PolicyMissing, format!("there is no {POLICY_PATH} in its tree")))
        }
        PathEvidence::Other { what } => {
            Err(Refusal::of(Code::PolicyNotAFile, format!("{POLICY_PATH} is a {what}")))
        }
        PathEvidence::Blob { bytes, .. } => Policy::parse(POLICY_PATH, bytes)
            .map_err(|faults| Refusal::of(Code::PolicyMalformed, faults.to_string())),
    }
}

/// Judges the gates of the policy that a commit carries, for whoever asks, by the envelopes beside it, none of which is
/// larger than `largest`. A policy that ended, and one that no root of the branch signed by this trust file, lets
/// nothing in, whatever its gates say.
///
/// # Errors
/// When the commit or its policy cannot be read.
pub fn preview(
    evidence: &CommitEvidence,
    (stage, here): (Stage, &Here<'_>),
    (trust, largest): (Option<&TrustRoot>, ByteSize),
    now: Timestamp,
) -> Result<Preview, Refusal> {
    let commit = Commit::parse(&evidence.raw, evidence.id.format())
        .map_err(|bad| Refusal::of(Code::MalformedCommit, bad.to_string()))?;
    let policy = policy_of(evidence)?;
    let roll = Roll::of(&policy).map_err(|bad| Refusal::of(Code::PolicyMalformed, bad))?;
    let bench = Bench { policy: &policy, roll: &roll, at: Some(now), largest };
    let lines = evidence.beside.attestations.iter();
    let attested: Vec<Attested> = lines.filter_map(|line| attested::read(line, &bench)).collect();
    let manifested = Reader::of(here.folder).read(&evidence.beside.manifests);
    let commit_sha256 = Sha256::of(&evidence.raw);
    let named = (stage == Stage::Merged).then_some(evidence.id);
    let revision = Revision { commit: named, commit_sha256, tree: commit.tree };
    let repo = (policy.repo_uri.as_str(), policy.ref_name.as_str());
    let mut receipts = receipt::read_all(&evidence.beside.attestations, &revision, (repo, largest));
    receipts.retain(|it| !revokes(&policy, &it.fingerprint));
    let case = Case {
        commit: named,
        tree: commit.tree,
        repo_uri: &policy.repo_uri,
        ref_name: &policy.ref_name,
        now,
        manifested: &manifested,
        scope: &here.scope(&manifested, &[]),
        receipts: &receipts,
    };
    let gates = gates::judge_all(&policy, &case, &attested);
    let unsigned = trust.and_then(|it| unsigned(it, evidence));
    let lacks = unsigned.or_else(|| ended(&policy, now));
    let lacks = lacks.or_else(|| lacking(&gates).map(|it| Refusal::of(it.code, it.detail)));
    Ok(Preview { tree: commit.tree, lacks, gates })
}

/// Why the policy in a commit is by no root of its branch, if so.
fn unsigned(trust: &TrustRoot, evidence: &CommitEvidence) -> Option<Refusal> {
    Roots::of(trust, evidence).and_then(|roots| admit(trust, &roots.all(), evidence)).err()
}

/// A policy that ended lets nothing new in but its renewal, which brings another.
fn ended(policy: &Policy, now: Timestamp) -> Option<Refusal> {
    let expires = policy.expires;
    (expires <= now).then(|| {
        let detail = format!("the policy in it expired {expires}, and it is {now}");
        Refusal::of(Code::PolicyExpired, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Law, World};
    use bowline_model::object_id::ObjectFormat;

    const LARGEST: ByteSize = ByteSize::from_mib(1);

    #[test]
    fn a_policy_that_ended_or_that_no_root_signed_lets_nothing_in() {
        let said = |law: [PathEvidence; 2], now: &str| {
            let world = World::under(ObjectFormat::Sha1, law);
            let seen = |trust: Option<&TrustRoot>| {
                let bounds = (trust, LARGEST);
                let at = (Stage::Merged, &Here::default());
                let found = preview(&world.anchor, at, bounds, now.parse().unwrap());
                found.unwrap().lacks.map_or("", |it| it.code.as_str())
            };
            [seen(None), seen(Some(&world.root))]
        };
        let law = Law::default();
        let (before, after) = ("2027-01-31T23:59:59Z", "2027-02-01T00:00:00Z");
        assert_eq!(said(law.signed(), before), ["", ""]);
        assert_eq!(said(law.signed(), after), ["policy-expired", "policy-expired"]);
        assert_eq!(said(law.signed_by(&[1]), before), ["", "policy-below-threshold"]);
        let [policy, _] = law.signed();
        let [_, other] = Law::version(2).signed();
        assert_eq!(said([policy, other], before), ["", "policy-below-threshold"]);
        let elsewhere = Law { branch: "refs/heads/other", ..law };
        assert_eq!(said(elsewhere.signed(), before), ["", "wrong-ref"]);
    }
}
