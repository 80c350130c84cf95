//! Check 3: who made a commit, and whether the parent's policy lets them.
//!
//! **Invariant:** the parent's policy judges the child, also the child that changes the policy.
//! **Invariant:** names and addresses inside a commit are never looked at.

use std::sync::Arc;

use bowline_model::adopted::Adopted;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{Kind, Policy};
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::approval::ApprovalSeen;
use crate::demands::Wait;
use crate::policy_change::{Governing, admit_after};
use crate::roll::Holder;
use crate::roots::Roots;
use crate::rulings::Rulings;
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
    pub(crate) now: Timestamp,
    /// What root keys say of the commits.
    pub(crate) rulings: &'a Rulings,
    /// How many commits this host came past before, under another trust file.
    pub(crate) known: usize,
}

/// A commit that is let in, as far as its signature goes.
#[derive(Debug)]
pub(crate) struct Authorised {
    pub(crate) judged: Judged,
    /// Who made the merge, whether or not their key still counts; nobody where a root key renewed an expired policy,
    /// or where nobody was let in.
    pub(crate) merger: Option<(String, Kind)>,
    /// The key that signed it, about which the newest policy is asked once more; nobody's where it was adopted.
    pub(crate) key: Option<SignerKey>,
    /// By what adoption it was let in, if by one.
    pub(crate) adopted: Option<Adopted>,
    /// What is missing, if anything is.
    pub(crate) wait: Option<Wait>,
    /// The approvals that were looked at.
    pub(crate) approvals: Vec<ApprovalSeen>,
}

/// Who let a commit in.
struct Let {
    key: SignerKey,
    merger: Option<(String, Kind)>,
}

impl Court<'_> {
    /// Judges one commit after its parent; `place` is its place on the walk.
    pub(crate) fn authorise(
        &self,
        parent: &Judged,
        (place, link): (usize, &Link<'_>),
    ) -> Result<Authorised, Refusal> {
        let seconds = link.time;
        let mut committed = Timestamp::from_second(seconds).map_err(|_beyond| {
            Refusal::of(Code::MalformedCommit, "the committer's time is out of range")
        })?;
        let (key, merger, adopted) = match self.let_in(parent, link, committed) {
            Ok(Let { key, merger }) => (Some(key), merger, None),
            Err(refusal) => {
                let adopted = self.adopt(&parent.governing, parent, (place, link), refusal)?;
                // Nobody known wrote its date, and a date ahead would hold up this host's clock.
                committed = committed.min(adopted.issued);
                (None, None, Some(adopted))
            }
        };
        let law = &parent.governing;
        let roots = Roots::after(&parent.roots, self.root, link.evidence)?;
        let governing = admit_after(law, self.root, &roots, link.evidence)?;
        if law.policy.expires <= committed {
            demand_renewal(law, &governing, link, committed)?;
        }
        Ok(Authorised {
            judged: Judged {
                id: link.evidence.id,
                raw_sha256: Sha256::of(&link.evidence.raw),
                tree: link.tree,
                time: committed.as_second(),
                governing,
                roots,
            },
            key,
            merger,
            adopted,
            wait: None,
            approvals: Vec::new(),
        })
    }

    /// Who signed a commit, if the parent's policy lets them.
    fn let_in(
        &self,
        parent: &Judged,
        link: &Link<'_>,
        committed: Timestamp,
    ) -> Result<Let, Refusal> {
        let certificates = parent.governing.roll.certificates();
        let key =
            verify_commit(&link.commit()?, certificates).map_err(|bad| refuse_signature(&bad))?;
        self.demand_date(parent, committed)?;
        // The child's own policy is not looked at before the child is known to be let in.
        let law = &parent.governing;
        if key.is_revoked_by(&law.policy) || law.roll.is_taken_back(&key) {
            let detail = format!("key {} is revoked by the parent's policy", key.fingerprint());
            return Err(Refusal::of(Code::KeyRevoked, detail));
        }
        let is_over = law.policy.expires <= committed;
        // A root key may sign a renewal too, or a policy whose mergers' keys end with it could never be renewed.
        if is_over && parent.roots.in_force().holds(&key) {
            return Ok(Let { key, merger: None });
        }
        let merger = Self::demand_merger(law, &key, committed)?;
        let merger = Some((merger.principal.clone(), merger.kind)).filter(|_| !is_over);
        Ok(Let { key, merger })
    }

    /// The adoption of a commit that was refused for its signer. What a policy revokes is never adopted.
    pub(crate) fn adopt(
        &self,
        law: &Governing,
        parent: &Judged,
        (place, link): (usize, &Link<'_>),
        mut refusal: Refusal,
    ) -> Result<Adopted, Refusal> {
        let is_known = place < self.known;
        let of = (&*parent.roots, link);
        let adopted = self.rulings.adopt((self.root, self.now), of, is_known, refusal.clone())?;
        if revokes_commit(&law.policy, link.evidence.id, link.tree) {
            refusal.detail = format!("{}; it is adopted, and a policy revokes it", refusal.detail);
            return Err(refusal);
        }
        Ok(adopted)
    }

    /// The newest policy may take back what an older one granted: a stolen key is of no use in commits
    /// that are newly walked, wherever they stand. And each key must count now: by the newest policy, which
    /// may have ended or extended it, else by the one that let it in.
    pub(crate) fn demand_still_good(
        &self,
        start: &Judged,
        links: &[Link<'_>],
        passed: &mut [Authorised],
    ) -> Result<(), Refusal> {
        let newest = Arc::clone(&passed.last().map_or(start, |it| &it.judged).governing);
        let mut parent = start.clone();
        for (place, (link, it)) in links.iter().zip(passed).enumerate() {
            let objection = it
                .key
                .as_ref()
                .and_then(|key| objection(key, &newest, &parent.governing, self.now));
            if let Some(refusal) = objection {
                let refusal = refusal.at(it.judged.id);
                it.adopted = Some(self.adopt(&newest, &parent, (place, link), refusal)?);
                it.key = None;
            } else if let Some(adopted) = &it.adopted
                && revokes_commit(&newest.policy, it.judged.id, it.judged.tree)
            {
                let detail = format!(
                    "adopted for it was {}, and the newest policy revokes it",
                    adopted.code
                );
                return Err(Refusal::of(Code::RevisionRevoked, detail).at(it.judged.id));
            }
            parent = it.judged.clone();
        }
        Ok(())
    }

    /// Holds a commit's date against the clock and against its parent's.
    fn demand_date(&self, parent: &Judged, committed: Timestamp) -> Result<(), Refusal> {
        let seconds = committed.as_second();
        if seconds > self.now.as_second() + SKEW_SECONDS {
            let detail = format!("committed {committed}, and it is {}", self.now);
            return Err(Refusal::of(Code::FutureDated, detail));
        }
        if seconds < parent.time - BACKDATE_SECONDS {
            let detail = format!("committed {committed}, more than a day before its parent");
            return Err(Refusal::of(Code::BeforeParent, detail));
        }
        Ok(())
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
}

/// An expired policy lets through its own renewal and nothing else.
fn demand_renewal(
    law: &Governing,
    next: &Governing,
    link: &Link<'_>,
    committed: Timestamp,
) -> Result<(), Refusal> {
    let expired = |what: &str| {
        let detail = format!("the policy expired {}; {what}", law.policy.expires);
        Err(Refusal::of(Code::PolicyExpired, detail))
    };
    if next.sha256 == law.sha256 {
        expired("this commit does not renew it")
    } else if next.policy.expires <= committed {
        expired("the policy in this commit expired as well")
    } else if !link.evidence.outside_policy_unchanged {
        expired("the commit that renews it changes other files too")
    } else {
        Ok(())
    }
}

/// Why a key that signed a commit does not count any more, if so.
fn objection(
    key: &SignerKey,
    newest: &Governing,
    law: &Governing,
    now: Timestamp,
) -> Option<Refusal> {
    let fingerprint = key.fingerprint();
    if key.is_revoked_by(&newest.policy) || newest.roll.is_taken_back(key) {
        let detail = format!("key {fingerprint} is revoked by the newest policy");
        return Some(Refusal::of(Code::KeyRevoked, detail));
    }
    let holder = newest.roll.holder_of(key).or_else(|| law.roll.holder_of(key));
    // A root key that renews an expired policy is on no roll.
    if holder.is_some_and(|holder| !holder.counts_at(now)) || !key.counts_at(now) {
        let detail = format!("key {fingerprint} is not valid now, {now}");
        return Some(Refusal::of(Code::KeyExpired, detail));
    }
    None
}

fn revokes_commit(policy: &Policy, commit: ObjectId, tree: ObjectId) -> bool {
    policy.revoked.commits.contains(&commit) || policy.revoked.trees.contains(&tree)
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
