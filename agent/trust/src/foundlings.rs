//! Adopted commits of a walk and of those before it, until what came by them is deployed.
//!
//! **Invariant:** each is told until a commit at or above it met its gates, however many walks that takes.

use bowline_model::adopted::Adopted;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;

use crate::authority::Authorised;
use crate::start::Judged;

/// As many are remembered, and told of one deployment: of a flood, the newest.
const ADOPTED_MAX: usize = 64;

/// Adopted commits, oldest first.
#[derive(Debug)]
pub(crate) struct Foundlings {
    /// Each one.
    pub(crate) all: Vec<Adopted>,
    /// At or below what is deployed.
    pub(crate) deployed: Vec<Adopted>,
    /// Above it.
    pub(crate) above: Vec<Adopted>,
}

impl Foundlings {
    /// Those that the marks remember and those of this walk, told apart by what is deployed now.
    pub(crate) fn of(
        marks: Option<&HighWater>,
        (start, passed): (&Judged, &[Authorised]),
        deployable: Option<ObjectId>,
    ) -> Self {
        let is_new = |id: ObjectId| passed.iter().any(|it| it.judged.id == id);
        let before = marks.iter().flat_map(|it| &it.adopted).filter(|it| !is_new(it.commit));
        let new = passed.iter().filter_map(|it| it.adopted.as_ref());
        let all: Vec<Adopted> = before.chain(new).cloned().collect();
        let waiting = marks.iter().flat_map(|it| &it.waiting).map(|it| it.commit);
        let order: Vec<_> =
            waiting.chain([start.id]).chain(passed.iter().map(|it| it.judged.id)).collect();
        // What waited longer than any that is remembered lies below all of them.
        let place = |id: &ObjectId| order.iter().rposition(|it| it == id);
        let reached = deployable.map(|it| place(&it));
        let is_below = |it: &Adopted| reached.is_some_and(|reached| place(&it.commit) <= reached);
        let (deployed, above): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_below);
        Self { all, deployed: newest(deployed), above: newest(above) }
    }

    /// What people should hear of it: once for each reason.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = Vec::new();
        for (place, it) in self.all.iter().enumerate().rev() {
            let is_same = |other: &&Adopted| other.reason == it.reason && other.issued == it.issued;
            if self.all.iter().skip(place + 1).any(|other| is_same(&other)) {
                continue;
            }
            let more = match self.all.iter().filter(is_same).count() {
                0 | 1 => String::new(),
                count => format!(" and {} before it", count - 1),
            };
            let Adopted { commit, code, reason, .. } = it;
            let commit = commit.short();
            let waived = self.all.iter().filter(is_same).filter_map(|it| it.approvals_waived).max();
            let without =
                waived.map(|it| format!(", without the {it} approvals that a policy asks for"));
            let without = without.unwrap_or_default();
            warnings
                .push(format!("{commit} ({code}){more} came in by adoption{without}: {reason}"));
        }
        warnings
    }
}

fn newest(mut list: Vec<Adopted>) -> Vec<Adopted> {
    list.drain(..list.len().saturating_sub(ADOPTED_MAX));
    list
}
