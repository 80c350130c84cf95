//! The conclusion from a walk in which nothing was wrong: what is deployed, what is waited for, and what is remembered.
//!
//! **Invariant:** marks stop below the first commit that waits for approval, and nothing above it is deployed.
//! **Invariant:** where freshness holds the host, nothing new is deployed whatever else is met.

use std::sync::Arc;

use bowline_model::high_water::{HighWater, Spent};
use bowline_model::object_id::ObjectId;
use jiff::Timestamp;

use crate::authority::{Authorised, Court};
use crate::counted::counted;
use crate::demands::Wait;
use crate::foundlings::Foundlings;
use crate::freshness::{self, Freshness, Stale};
use crate::policy_change::Governing;
use crate::queue::{Chosen, Queue};
use crate::root_statement::CheckpointSeen;
use crate::start::Judged;
use crate::verdict::{Code, Deployable, Refusal, Verdict, Walked};
use crate::verify::Case;

impl Case<'_> {
    /// Draws the conclusion from a walk in which nothing was wrong.
    pub(crate) fn conclude(
        &self,
        court: &Court<'_>,
        start: &Judged,
        mut passed: Vec<Authorised>,
        (mut spent, mut warnings, checkpoint): (Vec<Spent>, Vec<String>, Option<CheckpointSeen>),
    ) -> Result<Verdict, Refusal> {
        let now = court.now;
        let newest = Arc::clone(&passed.last().map_or(start, |it| &it.judged).governing);
        // Marks stop below the first commit that waits for approval.
        let reached = passed.iter().position(|it| it.wait.is_some()).unwrap_or(passed.len());
        let unapproved = passed.get(reached);
        let unapproved = unapproved.and_then(|it| Some((it.judged.id, it.wait.clone()?)));
        let told = reached.min(passed.len().saturating_sub(1));
        let approvals = passed.get(told).map(|it| it.approvals.clone()).unwrap_or_default();
        passed.truncate(reached);
        let head = passed.last().map_or(start, |it| &it.judged);
        // A policy that nobody approved yet takes back what it takes back, and grants nothing.
        let laws = [&*newest, &*head.governing];
        let (fresh, stale) = self.freshness(&laws, now);
        let queue = Queue::of(self.root, self.marks, (self.bundle, &self.here), (start, &passed));
        let holds = stale.as_ref().is_some_and(|it| it.holds);
        let mut chosen = queue.choose(self.root, (&laws, holds), (&spent, now));
        spent.append(&mut chosen.used);
        warnings.extend(chosen.notice.take());
        let deployable = chosen.deployable.map(|it| it.commit);
        let adopted = Foundlings::of(self.marks, (start, &passed), deployable);
        warnings.extend(adopted.warnings());
        let marks = self.marks_at(start, head, &passed, (spent, &chosen, &adopted))?;
        let met = chosen.deployable.filter(|_| !chosen.opened.is_empty());
        let opened = met.map(|it| (it.commit, chosen.opened.as_slice()));
        let walked = Walked {
            high_water: HighWater { fresh, ..marks },
            policy: Arc::clone(&head.governing.policy),
            commits: passed.len(),
            warnings,
            approvals,
            // Of an older commit they would only mislead.
            gates: if unapproved.is_some() { Vec::new() } else { chosen.gates },
            counted: counted(court, self.bundle, &passed, opened),
            opened: chosen.opened,
            adopted: adopted.all.clone(),
            came_by: adopted.deployed,
            checkpoint,
        };
        let waits = unapproved.or(chosen.wait.map(|it| (head.id, it)));
        pronounce(walked, (head.id, chosen.deployable), (waits, stale))
    }

    /// When the head was last proved to be the branch's, and what follows: the worst that any of these policies
    /// makes of it. A former trust file's proof may be of another repository.
    fn freshness(&self, laws: &[&Governing], now: Timestamp) -> (Option<i64>, Option<Stale>) {
        let known = self.applying_marks().and_then(|it| it.fresh);
        let each =
            laws.iter().map(|law| freshness::judge(self.root, law, (self.bundle, known), now));
        let (mut newest, mut worst) = (self.marks_of_it().and_then(|it| it.fresh), None);
        for Freshness { at, stale } in each {
            newest = newest.max(at.map(Timestamp::as_second));
            worst = match (worst, stale) {
                (Some(Stale { holds: true, detail }), _) => Some(Stale { holds: true, detail }),
                (before, stale) => stale.or(before),
            };
        }
        (newest, worst)
    }

    fn marks_at(
        &self,
        start: &Judged,
        head: &Judged,
        passed: &[Authorised],
        (spent, chosen, adopted): (Vec<Spent>, &Chosen, &Foundlings),
    ) -> Result<HighWater, Refusal> {
        self.demand_no_lower(head)?;
        let times = passed.iter().map(|it| it.judged.time).chain([start.time]);
        let known = self.marks.map(|marks| marks.highest_time);
        // A proof of another repository's head is still a signed time.
        let proved = self.marks.and_then(|marks| marks.fresh);
        let proved = proved.filter(|_| self.marks_of_it().is_none());
        let mut marks = HighWater {
            trust_sha256: self.root_sha256,
            head: head.id,
            head_sha256: head.raw_sha256,
            policy_version: head.governing.policy.version,
            policy_sha256: head.governing.sha256,
            highest_time: times.chain(known).chain(proved).max().unwrap_or(head.time),
            cleared: chosen.cleared,
            environments: chosen.environments.clone(),
            waiting: chosen.waiting.clone(),
            root_version: Some(head.roots.version()),
            adopted: adopted.above.clone(),
            spent,
            fresh: None,
            healthy: self.marks.map(|it| it.healthy.clone()).unwrap_or_default(),
            hurried: self.marks.map(|it| it.hurried.clone()).unwrap_or_default(),
            opened: self.marks.map(|it| it.opened.clone()).unwrap_or_default(),
            came_by: self.marks.map(|it| it.came_by.clone()).unwrap_or_default(),
            repo: Some(self.root.repo.clone()),
        };
        chosen.tell_hurry(&mut marks);
        chosen.tell_proof(&mut marks, self.marks.and_then(|it| it.cleared), &adopted.deployed);
        Ok(marks)
    }
}

/// The verdict over a head: what may be deployed, what is waited for, and whether the branch is known to be fresh.
fn pronounce(
    mut walked: Walked,
    (head, deployable): (ObjectId, Option<Deployable>),
    (waits, stale): (Option<(ObjectId, Wait)>, Option<Stale>),
) -> Result<Verdict, Refusal> {
    if let Some(Stale { detail, .. }) = stale.clone().filter(|it| it.holds) {
        return Ok(Verdict::Stale { walked, deployable: None, detail });
    }
    if let Some((commit, wait)) = waits {
        // Whoever freezes the branch could have something wait for ever.
        walked.warnings.extend(stale.map(|it| format!("stale: {}", it.detail)));
        return Ok(Verdict::Pending {
            walked,
            deployable,
            commit,
            code: wait.code,
            detail: wait.detail,
        });
    }
    match deployable {
        Some(deployable) if deployable.commit == head => Ok(match stale {
            None => Verdict::Accepted { walked, deployable },
            Some(Stale { detail, .. }) => {
                Verdict::Stale { walked, deployable: Some(deployable), detail }
            }
        }),
        _ => {
            let detail = "the policy revokes the newest commit or its tree";
            Err(Refusal::of(Code::RevisionRevoked, detail).at(head))
        }
    }
}
