//! The whole judgement: from a trust file, marks and a bundle to a verdict.
//!
//! **Invariant:** the same arguments give the same verdict; time comes in as one of them.
//! **Invariant:** marks never fall, whatever the trust file says.

use std::sync::Arc;

use bowline_model::bundle::Bundle;
use bowline_model::digest::Sha256;
use bowline_model::high_water::{HighWater, Spent};
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::trust_root::TrustRoot;
use jiff::{SignedDuration, Timestamp};

use crate::authority::{Authorised, Court, SKEW_SECONDS};
use crate::counted::counted;
use crate::endings;
use crate::foundlings::Foundlings;
use crate::freshness::{self, Freshness, Stale};
use crate::here::Here;
use crate::policy_change::Governing;
use crate::purpose::Purpose;
use crate::queue::{Chosen, Queue};
use crate::root_statement::CheckpointSeen;
use crate::rulings::Rulings;
use crate::start::{Halt, Judged, Pinned, marks_apply, pinned, vouched};
use crate::verdict::{Code, Refusal, Verdict, Walked};
use crate::walk::{Link, chain};

/// So long before a policy, or a key of it, ends people hear of it: who hold root keys have holidays.
pub const WARN_BEFORE_EXPIRY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Judges what a fetch brought.
///
/// `root_sha256` is the digest of the trust file's bytes. `marks` are the host's, if it has any; where
/// [`marks_apply`] says no, the bundle must begin at the anchor, and the marks still bind: the old head
/// must lie on the new walk, or the anchor must be newer than it.
///
/// `ClockBehind` concerns the host, not the revision: the same tip may pass once the clock is right.
pub fn verify(
    root: &TrustRoot,
    root_sha256: Sha256,
    marks: Option<&HighWater>,
    bundle: &Bundle,
    now: Timestamp,
) -> Verdict {
    verify_for((Purpose::Everybody, Here::default()), (root, root_sha256), marks, bundle, now)
}

/// Judges what a fetch brought for a purpose and a host; as [`verify`], which is for everybody and asks for every
/// gate.
pub fn verify_for(
    (purpose, here): (Purpose<'_>, Here<'_>),
    (root, root_sha256): (&TrustRoot, Sha256),
    marks: Option<&HighWater>,
    bundle: &Bundle,
    now: Timestamp,
) -> Verdict {
    let case = Case { purpose, here, root, root_sha256, marks, bundle };
    case.judge(now).unwrap_or_else(Verdict::from)
}

/// What is judged, and by what.
pub(crate) struct Case<'a> {
    purpose: Purpose<'a>,
    here: Here<'a>,
    pub(crate) root: &'a TrustRoot,
    pub(crate) root_sha256: Sha256,
    pub(crate) marks: Option<&'a HighWater>,
    bundle: &'a Bundle,
}

/// Where a walk led.
enum Walk {
    Ends(Box<Verdict>),
    /// Roots spoke that lie above the last commit that was let in: this one.
    Reaches(ObjectId),
}

impl Case<'_> {
    fn judge(&self, now: Timestamp) -> Result<Verdict, Halt> {
        let now = self.demand_clock(now)?;
        self.demand_beginning()?;
        let pinned = pinned(self.root, self.applying_marks(), self.bundle)?;
        let most = usize::try_from(self.root.limits.commits_per_walk).unwrap_or(usize::MAX);
        let chain = chain(self.bundle, pinned.id, most)?;
        let mut roots_at = chain.last().map(|it| it.evidence);
        loop {
            let rulings = match self.purpose {
                Purpose::Everybody => Rulings::of(self.root, self.bundle, roots_at),
                // What is only tried out is let in by mergers alone.
                Purpose::Tests(_) => Rulings::default(),
            };
            match self.walk(&rulings, (&pinned, &chain), now)? {
                Walk::Ends(verdict) => return Ok(*verdict),
                // Its roots are of a lower version, so this ends.
                Walk::Reaches(id) => {
                    let below = chain.iter().map(|it| it.evidence).chain([pinned.evidence]);
                    roots_at = below.into_iter().find(|it| it.id == id);
                }
            }
        }
    }

    /// Walks from where the walk begins to the tip, and hears root keys by these rulings.
    fn walk(
        &self,
        rulings: &Rulings,
        (pinned, chain): (&Pinned<'_>, &[Link<'_>]),
        now: Timestamp,
    ) -> Result<Walk, Halt> {
        let applying = self.applying_marks();
        let vouched = match applying {
            Some(_) => None,
            None => vouched(self.root, rulings, chain, now),
        };
        let (start, links, checkpoint) = match vouched {
            Some((place, judged, seen)) => {
                (judged, chain.get(place + 1..).unwrap_or_default(), Some(seen))
            }
            None => (pinned.judge(self.root, applying)?, chain, None),
        };
        let known = self.known(links);
        let court = Court { root: self.root, now, rulings, known };
        let mut passed: Vec<Authorised> = Vec::with_capacity(links.len());
        for (place, link) in links.iter().enumerate() {
            let parent = passed.last().map_or(&start, |it| &it.judged);
            let next = court.authorise(parent, (place, link));
            passed.push(next.map_err(|refusal| refusal.at(link.evidence.id))?);
        }
        self.purpose.demand(links)?;
        // From here on the walk is judged as a whole, by the policy at its end.
        court.demand_still_good(&start, links, &mut passed)?;
        let spent = self.count_approvals(&court, (&start, links), &mut passed)?;
        // A root that nobody let in yet has let nobody in.
        let reached = passed.iter().take_while(|it| it.wait.is_none()).last();
        let reached = reached.map_or(&start, |it| &it.judged);
        if rulings.are_ahead_of(&reached.roots) {
            return Ok(Walk::Reaches(reached.id));
        }
        self.demand_old_head(pinned, chain)?;
        let newest = &passed.last().map_or(&start, |it| &it.judged).governing.policy;
        self.demand_in_force(newest, &start, &passed, now)?;
        let mut warnings = self.warnings(&start, &passed, now);
        warnings.extend(checkpoint.as_ref().map(|it| {
            let from = &it.commit;
            format!("the walk began at the checkpoint {from}: what is below it was not judged")
        }));
        let verdict = self.conclude(&court, &start, passed, (spent, warnings, checkpoint))?;
        Ok(Walk::Ends(Box::new(verdict)))
    }

    /// How many commits of a walk this host came past under a former trust file.
    fn known(&self, links: &[Link<'_>]) -> usize {
        let Some(marks) = self.marks else { return 0 };
        let is_head = |it: &Link<'_>| {
            it.evidence.id == marks.head && Sha256::of(&it.evidence.raw) == marks.head_sha256
        };
        links.iter().position(is_head).map_or(0, |place| place + 1)
    }

    fn applying_marks(&self) -> Option<&HighWater> {
        self.marks.filter(|marks| marks_apply(marks, self.root_sha256))
    }

    /// A clock that is behind what was verified already is wrong. Within the usual skew it is lifted, so
    /// that nothing that ended comes back to life.
    fn demand_clock(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        let behind = |what: String| Refusal::of(Code::ClockBehind, format!("it is {now}, {what}"));
        if let Some(floor) = self.root.floors.not_before
            && now < floor
        {
            return Err(behind(format!("before floors.notBefore {floor}")));
        }
        let verified = |marks: &HighWater| marks.fresh.unwrap_or(i64::MIN).max(marks.highest_time);
        let highest = self.marks.map_or(i64::MIN, verified);
        if highest > now.as_second().saturating_add(SKEW_SECONDS) {
            return Err(behind("before a signed time verified already".to_owned()));
        }
        // Times that were verified are in range; anything else was not written here.
        Ok(Timestamp::from_second(highest).map_or(now, |highest| now.max(highest)))
    }

    /// Names the one misuse that would look like tampering.
    fn demand_beginning(&self) -> Result<(), Refusal> {
        let (Some(marks), Some(start)) = (self.marks, &self.bundle.start) else {
            return Ok(());
        };
        let begins_at_head = start.id == marks.head && start.id != self.root.anchor.commit;
        if begins_at_head && !marks_apply(marks, self.root_sha256) {
            let detail = "the walk begins at the last verified head, not at the anchor";
            return Err(Refusal::of(Code::TrustFileChanged, detail));
        }
        Ok(())
    }

    /// A new trust file moves no host back: the old head is on the chain, or below the anchor. No checkpoint stands
    /// for either.
    fn demand_old_head(&self, pinned: &Pinned<'_>, chain: &[Link<'_>]) -> Result<(), Refusal> {
        let Some(marks) = self.marks.filter(|marks| !marks_apply(marks, self.root_sha256)) else {
            return Ok(());
        };
        let is_head = |(id, sha256)| (id, sha256) == (marks.head, marks.head_sha256);
        let mut on_chain = chain.iter().filter(|it| it.evidence.id == marks.head);
        if is_head((pinned.id, pinned.raw_sha256))
            || on_chain.any(|it| is_head((it.evidence.id, Sha256::of(&it.evidence.raw))))
            || pinned.commit.time >= marks.highest_time
        {
            return Ok(());
        }
        let detail = format!(
            "{} was verified under the former trust file; it is not on the walk, and the anchor is \
             older than it",
            marks.head.short()
        );
        Err(Refusal::of(Code::NotFastForward, detail).at(self.bundle.tip))
    }

    /// Demands that the newest policy is in force and the newest commit above the floor.
    fn demand_in_force(
        &self,
        newest: &Policy,
        start: &Judged,
        passed: &[Authorised],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let head = passed.last().map_or(start, |it| &it.judged);
        // What was verified while the policy was in force is not taken back when it ends.
        let is_news = !passed.is_empty() || self.applying_marks().is_none();
        if newest.expires <= now && is_news {
            let detail = format!("the policy in force expired {}, and it is {now}", newest.expires);
            return Err(Refusal::of(Code::PolicyExpired, detail).at(head.id));
        }
        match self.root.floors.not_before {
            Some(floor) if head.time < floor.as_second() => {
                let detail = format!("the newest commit is older than floors.notBefore {floor}");
                Err(Refusal::of(Code::BelowFloor, detail).at(head.id))
            }
            _ => Ok(()),
        }
    }

    fn warnings(&self, start: &Judged, passed: &[Authorised], now: Timestamp) -> Vec<String> {
        let law = &passed.last().map_or(start, |it| &it.judged).governing;
        let mut warnings = law.roll.warnings.clone();
        let expires = law.policy.expires;
        if expires <= now {
            warnings.push(format!("the policy expired {expires}: only its renewal will be taken"));
        } else if now.duration_until(expires) < WARN_BEFORE_EXPIRY {
            warnings.push(format!("the policy expires {expires}: have a renewal signed"));
        }
        warnings.extend(endings::of_mergers(&law.policy, now));
        for name in law.policy.stuck_mergers() {
            let why =
                "excludeAuthors or excludeMergers leaves too few others in merge.approvals.from";
            warnings.push(format!("a merge by {name:?} cannot be approved: {why}"));
        }
        if self.root.freshness.is_some() && law.policy.freshness.is_none() {
            warnings.push("freshness not proved: the policy names nobody who signs it".to_owned());
        }
        warnings
    }

    /// Draws the conclusion from a walk in which nothing was wrong.
    fn conclude(
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
        let mut walked = Walked {
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
        let deployable = chosen.deployable;
        if let Some(Stale { detail, .. }) = stale.clone().filter(|it| it.holds) {
            return Ok(Verdict::Stale { walked, deployable: None, detail });
        }
        if let Some((commit, wait)) = unapproved.or(chosen.wait.map(|it| (head.id, it))) {
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
            Some(deployable) if deployable.commit == head.id => Ok(match stale {
                None => Verdict::Accepted { walked, deployable },
                Some(Stale { detail, .. }) => {
                    Verdict::Stale { walked, deployable: Some(deployable), detail }
                }
            }),
            _ => {
                let detail = "the policy revokes the newest commit or its tree";
                Err(Refusal::of(Code::RevisionRevoked, detail).at(head.id))
            }
        }
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
