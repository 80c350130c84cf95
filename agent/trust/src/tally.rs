//! Approvals along a walk: commit after commit, until one waits.
//!
//! **Invariant:** what waits ends what is passed, unless root keys adopt it; nothing above it is counted.
//! **Invariant:** times only rise along a branch, so that dating back revives no approval that was forgotten.

use std::sync::Arc;

use bowline_model::high_water::{HighWater, Spent};
use bowline_model::policy::{Kind, Policy};
use jiff::Timestamp;

use crate::authority::{Authorised, Court};
use crate::demands::Wait;
use crate::desk::{Desk, Wanted};
use crate::start::{Judged, marks_apply};
use crate::verdict::{Code, Refusal};
use crate::verify::Case;
use crate::walk::Link;

impl Case<'_> {
    /// Counts approvals along the walk; what waits for some ends what is passed. Gives what is used up.
    pub(crate) fn count_approvals(
        &self,
        court: &Court<'_>,
        (start, links): (&Judged, &[Link<'_>]),
        passed: &mut [Authorised],
    ) -> Result<Vec<Spent>, Refusal> {
        let now = court.now;
        let known = self.marks.map(|it| it.spent.as_slice()).unwrap_or_default();
        let largest = self.root.limits.envelope_bytes;
        let mut desk = Desk::new(&self.root.repo, largest, now, known);
        let newest = Arc::clone(&passed.last().map_or(start, |it| &it.judged).governing);
        // Times only rise along a branch, so that dating back revives no approval that was forgotten.
        let known_time = self.marks.map_or(start.time, |it| it.highest_time);
        let mut parent = start.clone();
        let mut time = start.time.max(known_time);
        // Under a former trust file this host counted up to its head, and goes back for no approval that is
        // withheld now.
        let former = self.marks.filter(|it| !marks_apply(it, self.root_sha256));
        let is_head = |it: &Authorised, marks: &HighWater| {
            it.judged.id == marks.head && it.judged.raw_sha256 == marks.head_sha256
        };
        let counted = former.and_then(|marks| passed.iter().position(|it| is_head(it, marks)));
        let healthy = self.marks.map(|it| it.healthy.as_slice()).unwrap_or_default();
        let revoked = &newest.policy.revoked.trees;
        for (place, (link, it)) in links.iter().zip(passed.iter_mut()).enumerate() {
            let dated = it.judged.time.max(time);
            if it.adopted.is_none()
                && let Some((name, kind)) = &it.merger
                && counted.is_none_or(|last| place > last)
                // A person who goes back to what stood here in good health needs nobody's approval.
                && !(*kind == Kind::Human
                    && healthy.contains(&it.judged.tree)
                    && !revoked.contains(&it.judged.tree))
            {
                let commit = link.commit()?;
                let wanted = Wanted {
                    law: &parent.governing,
                    newest: &newest,
                    evidence: link.evidence,
                    commit: &commit,
                    merger: (name, *kind),
                    time: in_range(dated)?,
                };
                (it.wait, it.approvals) = desk.count(&wanted);
            }
            if let Some(Wait { code, detail }) = &it.wait {
                // What nobody will approve any more can be adopted: else it would hold up a fleet for ever.
                let missing = Refusal::of(*code, detail.clone()).at(it.judged.id);
                let adopted = court.adopt(&newest, &parent, (place, link), missing);
                let Ok(adopted) = adopted else { break };
                (it.wait, it.adopted) = (None, Some(adopted));
            }
            if let Some(adopted) = &mut it.adopted {
                adopted.approvals_waived = waived(&parent.governing.policy, it.merger.as_ref());
            }
            desk.spend(it.judged.id, dated, &it.approvals);
            (parent, time) = (it.judged.clone(), dated);
        }
        Ok(desk.spent(time))
    }
}

/// How many people's approvals a policy asks for, and nobody does of what is adopted.
fn waived(law: &Policy, merger: Option<&(String, Kind)>) -> Option<u32> {
    let is_no_person = merger.is_some_and(|(_, kind)| *kind != Kind::Human);
    let needed = law.merge.approvals.principals.max(u32::from(is_no_person));
    (needed > 0).then_some(needed)
}

fn in_range(seconds: i64) -> Result<Timestamp, Refusal> {
    Timestamp::from_second(seconds).map_err(|_beyond| {
        Refusal::of(Code::MalformedCommit, "the committer's time is out of range")
    })
}
