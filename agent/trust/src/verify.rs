//! The whole judgement: from a trust file, marks and a bundle to a verdict.
//!
//! **Invariant:** the same arguments give the same verdict; time comes in as one of them.
//! **Invariant:** marks never fall, whatever the trust file says.

use bowline_model::bundle::Bundle;
use bowline_model::digest::Sha256;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::trust_root::TrustRoot;
use jiff::{SignedDuration, Timestamp};

use crate::authority::{Authorised, Court, SKEW_SECONDS};
use crate::endings;
use crate::here::Here;
use crate::purpose::Purpose;
use crate::rulings::Rulings;
use crate::start::{Halt, Judged, Pinned, marks_apply, pinned, vouched};
use crate::verdict::{Code, Refusal, Verdict};
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
    pub(crate) here: Here<'a>,
    pub(crate) root: &'a TrustRoot,
    pub(crate) root_sha256: Sha256,
    pub(crate) marks: Option<&'a HighWater>,
    pub(crate) bundle: &'a Bundle,
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

    pub(crate) fn applying_marks(&self) -> Option<&HighWater> {
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
}
