//! Begins to try out a branch of one host's own: applied and probed, and never decided for.
//!
//! **Invariant:** what is tried out is verified as a merge is, from the committed head of the branch on.
//! **Invariant:** it begins only once a look found what stands as it should be: its end puts back what it met.
//! **Invariant:** what is offered and not tried out is told, with what it waits for.

use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use bowline_model::bundle::Bundle;
use bowline_model::generation::Generation;
use bowline_model::mark::{Cause, Mark};
use bowline_model::revision::Revision;

use super::{destination, turn};
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Effect, Phase, Quest, Turn};
use crate::plan::Plan;
use crate::report::{cycle_of, plain_cycle, record_of};
use crate::testing::{Candidate, Retired, Tested, Testing, Untried, branch_of};
use crate::transaction::Transaction;
use crate::verify::{self, Verified};

/// The reason of one that waits for this very cycle: how that ends says more.
const WAITING: &str = "Waiting";

/// The code of a commit that is not on top of the verified one: left behind by a merge, or begun elsewhere.
const ASTRAY: &str = "not-fast-forward";

/// Chooses what is offered for this host alone, where it stands on top of what the host committed.
pub(super) fn choose(
    mut memory: Memory,
    mut quest: Quest,
    verified: Box<Verified>,
) -> (Memory, Quest, Box<Verified>) {
    // Who asked no remote heard nothing new of it.
    let Some(place) = quest.offer.place.take() else { return (memory, quest, verified) };
    let head = verified.revision().clone();
    memory.untried = None;
    let is_other = |it: &Bundle| it.tip != head.commit;
    let Some(offered) = quest.offer.bundle.take().filter(|it| is_other(it)) else {
        return (memory, quest, verified);
    };
    if quest.wish.order.is_some() {
        return (memory, quest, verified);
    }
    memory.untried = hindrance(&memory, &quest, &head, (&offered, place));
    let walked = quest.judged.as_ref().and_then(|it| it.walked.as_ref());
    let (None, Some(walked), Some(settings)) =
        (&memory.untried, walked, memory.settings.as_deref())
    else {
        return (memory, quest, verified);
    };
    let judged = verify::on_top(settings, walked, (&offered, &memory.host), quest.wall);
    match judged {
        Ok(tried) => {
            let (revision, tips) = (tried.revision().clone(), [head.commit, offered.tip]);
            let testing = Testing { revision, tips, place, wish: None };
            prefer(memory, quest, verified, Candidate { testing, verified: Box::new(tried) })
        }
        // That is no attack, and nobody waits for it.
        Err((code, _)) if offered.cut_short || code == ASTRAY => {
            memory.untried = Some(not_on_top(&memory));
            (memory, quest, verified)
        }
        Err((code, detail)) => {
            let revision = Some(Revision::name(&branch_of(&memory.host), &offered.tip));
            let why = ("Refused", code.as_str(), detail.as_str());
            let cycle = plain_cycle(Outcome::Refused, revision, memory.standing(), why);
            quest.ending = Some(Ending { cycle, again: false });
            (memory, quest, verified)
        }
    }
}

/// What stands is looked at first, unless what is offered is parked: then nothing begins anyway.
fn prefer(
    memory: Memory,
    quest: Quest,
    verified: Box<Verified>,
    candidate: Candidate,
) -> (Memory, Quest, Box<Verified>) {
    if destination::parked(&memory, &quest, &candidate.testing.revision).is_some() {
        let quest = Quest { testing: Some(candidate.testing), ..quest };
        return (memory, quest, candidate.verified);
    }
    (memory, Quest { candidate: Some(candidate), ..quest }, verified)
}

/// What keeps the host from trying out what is offered, if anything does.
fn hindrance(
    memory: &Memory,
    quest: &Quest,
    head: &Revision,
    (offered, place): (&Bundle, usize),
) -> Option<Untried> {
    let branch = branch_of(&memory.host);
    let waits = |reason: &str, what: String| {
        Some(Untried { reason: reason.to_owned(), detail: format!("{branch} waits: {what}") })
    };
    if let Some(paused) = &quest.wish.paused {
        return waits("Paused", format!("the agent is paused by {paused}"));
    }
    if let Some(Ending { cycle, .. }) = &quest.ending {
        return waits(&cycle.reason, format!("the branch is {} ({})", cycle.outcome, cycle.code));
    }
    if memory.generation.as_ref().is_none_or(|it| it.revision != *head) {
        return waits(WAITING, format!("{head} is not what this host runs yet"));
    }
    let is_stale = |it: &Retired| it.tip == offered.tip && it.place < place;
    if memory.retired.as_ref().is_some_and(is_stale) {
        let detail = "the remote that offers it is asked after one that knows it is over";
        return waits("Stale", detail.to_owned());
    }
    let is_above = offered.start.as_ref().is_some_and(|it| it.id == head.commit);
    (!is_above).then(|| not_on_top(memory))
}

fn not_on_top(memory: &Memory) -> Untried {
    let branch = branch_of(&memory.host);
    let detail = format!("{branch} is not tried out: it is not on top of the branch");
    Untried { reason: "NotOnTop".to_owned(), detail }
}

/// What may be tried out waits for the end of this cycle, which looks after what stands.
pub(super) fn put_off(memory: &mut Memory, quest: &mut Quest) {
    if quest.candidate.take().is_some() {
        let branch = branch_of(&memory.host);
        let detail = format!("{branch} waits: what this host runs is looked after first");
        memory.untried = Some(Untried { reason: WAITING.to_owned(), detail });
    }
}

/// A cycle is over: says by its end why what is offered waits, and tells it.
pub(super) fn tell_untried(memory: &mut Memory, ending: &mut Ending) {
    let Some(untried) = &mut memory.untried else { return };
    let cycle = &mut ending.cycle;
    if untried.reason == WAITING {
        if cycle.code.is_empty() && ending.again {
            // Nothing is in its way any more: the next look, at once, chooses it.
            memory.untried = None;
            return;
        }
        if !cycle.code.is_empty() {
            untried.reason.clone_from(&cycle.reason);
            let why = format!(", and that is {} ({})", cycle.outcome, cycle.code);
            untried.detail.push_str(&why);
        }
    }
    if !cycle.warnings.contains(&untried.detail) {
        cycle.warnings.push(untried.detail.clone());
    }
}

/// What stands was looked at: tries out what is offered, if that found nothing to do.
pub(super) fn begin(
    mut memory: Memory,
    mut quest: Quest,
    plan: &Plan,
) -> Result<Turn, Box<(Memory, Quest)>> {
    let is_well = plan.steps().is_empty() && plan.short().is_empty();
    if !is_well || plan.cause() != Cause::Corrective {
        let tip = quest.candidate.as_ref().map(|it| it.testing.revision.commit);
        put_off(&mut memory, &mut quest);
        // What drifts at every look is repaired as often as without a test. A rehearsal repairs nothing.
        if !quest.wish.dry && !plan.steps().is_empty() {
            quest.is_unfinished |= memory.untried.is_some() && memory.preceded != tip;
            memory.preceded = tip;
        }
        return Err(Box::new((memory, quest)));
    }
    let Some(Candidate { testing, verified }) = quest.candidate.take() else {
        return Err(Box::new((memory, quest)));
    };
    if let Some(first) = plan.drifted().first() {
        // It is left alone by its own manifest, so it waits for nobody.
        let drifted = plan.drifted().len();
        memory.warnings.push(format!("{drifted} paths drifted and are left alone: {first}"));
    }
    quest.testing = Some(testing);
    memory.preceded = None;
    Ok(destination::target(memory, quest, verified))
}

/// What is tried out, when it is this revision.
pub(super) fn of<'q>(quest: &'q Quest, revision: &Revision) -> Option<&'q Testing> {
    quest.testing.as_ref().filter(|it| it.revision == *revision)
}

/// Keeps what a test asks for: by that it is looked at while it goes on.
pub(super) fn keep_wish(quest: &mut Quest, plan: &Plan, generation: &Generation) {
    let is_it = |it: &&mut Testing| it.revision == *plan.revision();
    if let Some(testing) = quest.testing.as_mut().filter(is_it) {
        testing.wish = Some((Arc::clone(plan.compiled()), Arc::new(generation.clone())));
    }
}

/// Why a plan is not tried out.
pub(super) fn objection(quest: &Quest, plan: &Plan) -> Option<(Outcome, &'static str, String)> {
    of(quest, plan.revision())?;
    if let Some(first) = plan.irreversible().first() {
        let detail = format!("{first} could not be taken back when the test is over");
        let code = "testing-irreversible";
        return Some((Outcome::Refused, code, detail));
    }
    let detail = "the branch that is tried out asks for nothing else".to_owned();
    plan.steps().is_empty().then_some((Outcome::Unchanged, "testing", detail))
}

/// Every probe is content: it is told and recorded, and goes on.
pub(super) fn stay(memory: Memory, testing: &Testing, mut tx: Box<Transaction>) -> Turn {
    let marks = vec![Mark::Tried];
    for mark in &marks {
        tx.note(mark);
    }
    let mut cycle = cycle_of(&tx, Outcome::Unchanged, &memory.warnings);
    "Testing".clone_into(&mut cycle.reason);
    "testing".clone_into(&mut cycle.code);
    "it is tried out, and taken back when either branch moves or the agent starts again"
        .clone_into(&mut cycle.detail);
    let mut record = record_of(&memory, &tx, Outcome::Unchanged);
    record.kind = Kind::State;
    (record.reason, record.detail) = (cycle.reason.clone(), cycle.detail.clone());
    let tested = Tested {
        testing: testing.clone(),
        settings: memory.settings.clone(),
        ending: Ending { cycle, again: false },
        doubt: None,
        doubted: None,
        drift: None,
    };
    let memory = Memory { failures: 0, parked: None, alarmed: None, ..memory };
    let effect = Effect::Record(Box::new(record));
    Turn { marks, ..turn(memory, Phase::Testing(tx, Box::new(tested)), effect) }
}
