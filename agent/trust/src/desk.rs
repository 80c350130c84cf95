//! The desk where approvals are counted, commit by commit along a walk.
//!
//! **Invariant:** people are counted, not keys and not envelopes; a robot or forge approves nothing.
//! **Invariant:** whoever may have made a change is never the only one who approved it, where the policy
//! excludes authors.

use std::collections::{BTreeMap, BTreeSet};

use bowline_model::bundle::CommitEvidence;
use bowline_model::byte_size::ByteSize;
use bowline_model::high_water::Spent;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::policy::{Approvals, Kind};
use bowline_model::trust_root::RepoIdentity;
use jiff::Timestamp;

use crate::approval::{self, Approval, ApprovalSeen, Merge};
use crate::attested::{self, Attested, Bench};
use crate::commit::Commit;
use crate::demands::Wait;
use crate::policy_change::Governing;
use crate::roll::revokes;
use crate::signature::verify_commit;
use crate::verdict::Code;

/// Approvals that are remembered as used. More than a hundred a day are no approvals.
const SPENT_MAX: usize = 16_384;

/// Second approvals that are remembered for one merge.
const SPARES_MAX: usize = 16;

/// Why a person's second approval of a merge does not count.
const SPARE: &str = "is one more by the same person";

/// Whose approval is asked for, and for what.
pub(crate) struct Wanted<'a> {
    /// The policy at the parent.
    pub(crate) law: &'a Governing,
    /// The policy at the end of the walk, which may have revoked a key since.
    pub(crate) newest: &'a Governing,
    pub(crate) evidence: &'a CommitEvidence,
    pub(crate) commit: &'a Commit,
    /// Who made the merge.
    pub(crate) merger: (&'a str, Kind),
    /// The later of the commit's date and its parent's.
    pub(crate) time: Timestamp,
}

/// Where approvals are counted.
pub(crate) struct Desk<'a> {
    repo: &'a RepoIdentity,
    largest: ByteSize,
    now: Timestamp,
    spent: BTreeMap<[u8; 32], Spent>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(
        repo: &'a RepoIdentity,
        largest: ByteSize,
        now: Timestamp,
        spent: &[Spent],
    ) -> Self {
        let spent = spent.iter().map(|it| (*it.sha256.as_bytes(), *it)).collect();
        Self { repo, largest, now, spent }
    }

    /// Counts the approvals of one commit. Gives what it waits for, if for anything, and what was seen.
    pub(crate) fn count(&mut self, wanted: &Wanted<'_>) -> (Option<Wait>, Vec<ApprovalSeen>) {
        let asked = &wanted.law.policy.merge.approvals;
        // A forge's key signs every web edit and every program's commit alike, so it approves nothing.
        let is_person = wanted.merger.1 == Kind::Human;
        let needed = asked.principals.max(u32::from(!is_person));
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        if needed == 0 {
            return (None, Vec::new());
        }
        if self.spent.len() >= SPENT_MAX {
            // No commit above this one is of an earlier time.
            self.spent.retain(|_, it| it.until >= wanted.time.as_second());
        }
        let authors = if asked.exclude_authors { Authors::of(wanted) } else { Authors::default() };
        let seen = self.look(wanted, asked, &authors);
        let counted: BTreeSet<&str> =
            seen.iter().filter(|it| it.counts).map(|it| it.principal.as_str()).collect();
        // Whoever nobody knows may be one of those who approved, so it takes one person more.
        let is_asked =
            |name: &&str| asked.from.is_empty() || asked.from.iter().any(|it| it == name);
        let merger = Some(wanted.merger.0).filter(|_| is_person && !asked.exclude_mergers);
        let merger = merger.filter(is_asked);
        let with_merger: BTreeSet<&str> = counted.iter().copied().chain(merger).collect();
        let is_met =
            counted.len() >= needed && (authors.unknown == 0 || with_merger.len() > needed);
        if is_met {
            return (None, seen);
        }
        let wait = Wait {
            code: Code::ApprovalMissing,
            detail: shortfall(wanted, needed, counted.len(), &authors, &seen),
        };
        (Some(wait), seen)
    }

    /// Remembers what counted for a commit, which is then used up.
    /// So are others of the same people from before the merge: nobody banks approvals.
    pub(crate) fn spend(&mut self, commit: ObjectId, time: i64, seen: &[ApprovalSeen]) {
        let is_spare = |it: &ApprovalSeen| it.reason == SPARE && it.issued.as_second() < time;
        let spares = seen.iter().filter(|it| is_spare(it)).take(SPARES_MAX);
        for it in seen.iter().filter(|it| it.counts).chain(spares) {
            let until = it.expires.as_second();
            self.spent.insert(*it.sha256.as_bytes(), Spent { sha256: it.sha256, commit, until });
        }
    }

    /// What was used and has not expired at a time below which no commit can come any more.
    pub(crate) fn spent(self, head_time: i64) -> Vec<Spent> {
        self.spent.into_values().filter(|it| it.until >= head_time).collect()
    }

    fn look(&self, wanted: &Wanted<'_>, asked: &Approvals, authors: &Authors) -> Vec<ApprovalSeen> {
        let law = wanted.law;
        let bench = Bench { policy: &law.policy, roll: &law.roll, at: None, largest: self.largest };
        let merge = Merge {
            commit: wanted.evidence.id,
            tree: wanted.commit.tree,
            first_parent: wanted.commit.parents.first().copied(),
            change: wanted.evidence.beside.change,
            time: wanted.time,
            repo: self.repo,
        };
        let mut seen: Vec<ApprovalSeen> = Vec::new();
        for line in &wanted.evidence.beside.attestations {
            let Some(attested) = attested::read(line, &bench) else { continue };
            let Some(approval) = approval::read(&attested) else { continue };
            let objection = self.objection(&approval, &attested, &merge, asked);
            for (principal, signer) in &attested.signers {
                let reason = objection.or_else(|| {
                    whose(wanted, (principal, signer.kind), asked, authors)
                        .or_else(|| self.key_objection(wanted, &signer.fingerprint))
                });
                seen.push(ApprovalSeen {
                    principal: principal.clone(),
                    counts: reason.is_none(),
                    reason: reason.unwrap_or_default().to_owned(),
                    commit: merge.commit.to_string(),
                    issued: approval.issued,
                    expires: approval.expires,
                    sha256: attested.sha256,
                });
            }
        }
        once_each(&mut seen);
        seen
    }

    fn objection(
        &self,
        approval: &Approval,
        attested: &Attested,
        merge: &Merge<'_>,
        asked: &Approvals,
    ) -> Option<&'static str> {
        let used = self.spent.get(attested.sha256.as_bytes());
        approval.objection(attested, merge, asked.on, self.now).or(match used {
            Some(it) if it.commit != merge.commit => Some("was used for an earlier commit"),
            None if self.spent.len() >= SPENT_MAX => Some("is one of too many at a time"),
            _ => None,
        })
    }

    /// As for the keys of commits: by the newest policy that knows it, and by no means a revoked one.
    fn key_objection(&self, wanted: &Wanted<'_>, fingerprint: &str) -> Option<&'static str> {
        let (law, newest) = (wanted.law, wanted.newest);
        if revokes(&newest.policy, fingerprint) {
            return Some("was made with a key that is revoked");
        }
        let then = law.roll.by_fingerprint(fingerprint);
        let now = newest.roll.by_fingerprint(fingerprint).or(then);
        let counts = then.is_some_and(|it| it.counts_at(wanted.time))
            && now.is_some_and(|it| it.counts_at(self.now));
        (!counts).then_some("was made with a key that is not valid now, or was not then")
    }
}

/// Lets the earliest of each person's approvals count. One from after the merge is for when the same change
/// is merged once more: it must not be used up by the first time.
fn once_each(seen: &mut [ApprovalSeen]) {
    seen.sort_by_key(|it| (it.issued, it.sha256));
    let mut people = BTreeSet::new();
    for it in seen.iter_mut().filter(|it| it.counts) {
        if !people.insert(it.principal.clone()) {
            it.counts = false;
            SPARE.clone_into(&mut it.reason);
        }
    }
}

/// Why a principal's approval does not count, whatever is approved.
fn whose(
    wanted: &Wanted<'_>,
    (principal, kind): (&str, Kind),
    asked: &Approvals,
    authors: &Authors,
) -> Option<&'static str> {
    if kind != Kind::Human {
        Some("was not made by a person")
    } else if !asked.from.is_empty() && !asked.from.iter().any(|it| it == principal) {
        Some("was made by somebody who is not among merge.approvals.from")
    } else if asked.exclude_mergers && wanted.merger.0 == principal {
        Some("was made by whoever merged it")
    } else if authors.known.contains(principal) {
        Some("was made by an author of the change")
    } else {
        None
    }
}

/// Whose work a commit brings in, as far as signatures tell.
#[derive(Debug, Default)]
struct Authors {
    known: BTreeSet<String>,
    /// Commits without a signature by a person of the policy.
    unknown: usize,
}

impl Authors {
    fn of(wanted: &Wanted<'_>) -> Self {
        let mut authors = Self::default();
        let beside = &wanted.evidence.beside;
        // A merge may hold more than what it merges, and a person signs for that. A forge does where it merges
        // nothing: squashed, or made on the spot.
        match wanted.merger {
            (name, Kind::Human) => drop(authors.known.insert(name.to_owned())),
            _ => authors.unknown += usize::from(beside.side.is_empty()),
        }
        authors.unknown += usize::from(beside.side_cut_short);
        let format = wanted.evidence.id.format();
        for raw in &beside.side {
            match author(raw, format, wanted) {
                Some(name) => drop(authors.known.insert(name)),
                None => authors.unknown += 1,
            }
        }
        authors
    }
}

/// The person who signed a commit; names and addresses in it are nobody's proof.
/// Whoever stole a key may have written what is signed with it once it is revoked.
fn author(raw: &[u8], format: ObjectFormat, wanted: &Wanted<'_>) -> Option<String> {
    let law = wanted.law;
    let commit = Commit::parse(raw, format).ok()?;
    let key = verify_commit(&commit, law.roll.certificates()).ok()?;
    let is_revoked = key.is_revoked_by(&law.policy) || key.is_revoked_by(&wanted.newest.policy);
    let holder = law.roll.holder_of(&key).filter(|it| it.kind == Kind::Human && !is_revoked)?;
    holder.counts_at(wanted.time).then(|| holder.principal.clone())
}

fn shortfall(
    wanted: &Wanted<'_>,
    needed: usize,
    counted: usize,
    authors: &Authors,
    seen: &[ApprovalSeen],
) -> String {
    let (name, kind) = wanted.merger;
    let mut detail = format!("merged by {name:?} ({kind}), {counted} of {needed} approvals count");
    if authors.unknown > 0 && counted >= needed {
        let unknown = authors.unknown;
        detail = format!("{detail}; nobody signed {unknown} of its commits, so it takes one more");
    }
    // A person who tries again and again is told of once.
    let reasons: BTreeSet<String> = (seen.iter().filter(|it| !it.counts))
        .map(|it| format!("; that of {:?} {}", it.principal, it.reason))
        .collect();
    reasons.into_iter().take(8).fold(detail, |detail, reason| detail + &reason)
}
