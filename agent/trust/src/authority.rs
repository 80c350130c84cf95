//! Check 3: who made a commit, and whether the parent's policy lets them.
//!
//! **Invariant:** the parent's policy judges the child, also the child that changes the policy.
//! **Invariant:** names and addresses inside a commit are never looked at.

use std::sync::Arc;

use bowline_model::digest::Sha256;
use bowline_model::policy::Kind;
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::approval::ApprovalSeen;
use crate::demands::Wait;
use crate::policy_change::{Governing, admit_after};
use crate::roll::Holder;
use crate::root_keys::RootRing;
use crate::signature::{BadSignature, verify_commit};
use crate::signer_key::SignerKey;
use crate::start::Judged;
use crate::verdict::{Code, Refusal};
use crate::walk::Link;

/// Clocks of people's machines differ; ten minutes is more than any that is set at all.
pub(crate) const SKEW_SECONDS: i64 = 600;

/// Real histories hold commits dated before their parent, by rebases and slow clocks; not by days.
const BACKDATE_SECONDS: i64 = 86_400;

/// What every commit is judged against.
#[derive(Debug)]
pub(crate) struct Court<'a> {
    pub(crate) root: &'a TrustRoot,
    pub(crate) ring: &'a RootRing,
    pub(crate) now: Timestamp,
}

/// A commit that the parent's policy lets through, as far as its signature goes.
#[derive(Debug)]
pub(crate) struct Authorised {
    pub(crate) judged: Judged,
    /// The key that signed it; the newest policy is asked about it once more.
    /// Who made the merge; nobody where a root key renewed an expired policy.
    pub(crate) merger: Option<(String, Kind)>,
    pub(crate) key: SignerKey,
    /// What is missing, if anything is.
    pub(crate) wait: Option<Wait>,
    /// The approvals that were looked at.
    pub(crate) approvals: Vec<ApprovalSeen>,
}

impl Court<'_> {
    /// Judges one commit after its parent.
    pub(crate) fn authorise(
        &self,
        parent: &Judged,
        link: &Link<'_>,
    ) -> Result<Authorised, Refusal> {
        let certificates = parent.governing.roll.certificates();
        let key =
            verify_commit(&link.commit, certificates).map_err(|bad| refuse_signature(&bad))?;
        let committed = self.demand_date(parent, link)?;
        // The child's own policy is not looked at before the child is known to be let in.
        let law = &parent.governing;
        if key.is_revoked_by(&law.policy) || law.roll.is_taken_back(&key) {
            let detail = format!("key {} is revoked by the parent's policy", key.fingerprint());
            return Err(Refusal::of(Code::KeyRevoked, detail));
        }
        let (governing, merger) = if law.policy.expires <= committed {
            (self.demand_renewal(law, link, &key, committed)?, None)
        } else {
            let merger = Self::demand_merger(law, &key, committed)?;
            let governing = admit_after(law, self.root, self.ring, link.evidence)?;
            (governing, Some((merger.principal.clone(), merger.kind)))
        };
        Ok(Authorised {
            judged: Judged {
                id: link.evidence.id,
                raw_sha256: Sha256::of(&link.evidence.raw),
                tree: link.commit.tree,
                time: link.commit.time,
                governing,
            },
            key,
            merger,
            wait: None,
            approvals: Vec::new(),
        })
    }

    /// Holds a commit's date against the clock and against its parent's.
    fn demand_date(&self, parent: &Judged, link: &Link<'_>) -> Result<Timestamp, Refusal> {
        let seconds = link.commit.time;
        let committed = Timestamp::from_second(seconds).map_err(|_beyond| {
            Refusal::of(Code::MalformedCommit, "the committer's time is out of range")
        })?;
        if seconds > self.now.as_second() + SKEW_SECONDS {
            let detail = format!("committed {committed}, and it is {}", self.now);
            return Err(Refusal::of(Code::FutureDated, detail));
        }
        if seconds < parent.time - BACKDATE_SECONDS {
            let detail = format!("committed {committed}, more than a day before its parent");
            return Err(Refusal::of(Code::BeforeParent, detail));
        }
        Ok(committed)
    }

    /// The key's holder, if they might move the branch at the commit's date. Whoever makes a commit
    /// writes its date, so whether the key counts *now* is asked too: at the end of the walk, by the
    /// newest policy.
    fn demand_merger<'l>(
        law: &'l Governing,
        key: &SignerKey,
        committed: Timestamp,
    ) -> Result<&'l Holder, Refusal> {
        let fingerprint = key.fingerprint();
        let holder = law.roll.holder_of(key).ok_or_else(|| {
            let detail =
                format!("key {fingerprint} belongs to no principal of the parent's policy");
            Refusal::of(Code::UnknownKey, detail)
        })?;
        let name = &holder.principal;
        if !law.policy.merge.mergers.contains(name) {
            let detail = format!("{name:?} signed and is not among merge.mergers");
            return Err(Refusal::of(Code::NotAMerger, detail));
        }
        if !holder.counts_for(key, committed) {
            let detail = format!("key {fingerprint} of {name:?} was not valid {committed}");
            return Err(Refusal::of(Code::KeyExpired, detail));
        }
        Ok(holder)
    }

    /// An expired policy lets through its own renewal and nothing else. A root key may sign that
    /// commit too, or a policy whose mergers' keys end with it could never be renewed.
    fn demand_renewal(
        &self,
        law: &Arc<Governing>,
        link: &Link<'_>,
        key: &SignerKey,
        committed: Timestamp,
    ) -> Result<Arc<Governing>, Refusal> {
        let expired = |what: &str| {
            let detail = format!("the policy expired {}; {what}", law.policy.expires);
            Refusal::of(Code::PolicyExpired, detail)
        };
        if !self.ring.holds(key) {
            Self::demand_merger(law, key, committed)?;
        }
        let next = admit_after(law, self.root, self.ring, link.evidence)?;
        if next.sha256 == law.sha256 {
            return Err(expired("this commit does not renew it"));
        }
        if next.policy.expires <= committed {
            return Err(expired("the policy in this commit expired as well"));
        }
        if !link.evidence.outside_policy_unchanged {
            return Err(expired("the commit that renews it changes other files too"));
        }
        Ok(next)
    }
}

fn refuse_signature(bad: &BadSignature) -> Refusal {
    let code = match bad {
        BadSignature::Missing => Code::Unsigned,
        BadSignature::Unknown(_) => Code::UnknownKey,
        BadSignature::Unsupported(_) => Code::UnsupportedSignature,
        BadSignature::Malformed(_) | BadSignature::Invalid(_) => Code::BadSignature,
    };
    Refusal::of(code, bad.to_string())
}
