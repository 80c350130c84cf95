//! Tries out a branch of one host's own: applied and probed, and never decided for.
//!
//! **Invariant:** what is tried out is verified as a merge is, from the committed head of the branch on.
//! **Invariant:** its transaction stays open, so whatever ends the agent takes it back: no recovery of its own.
//! **Invariant:** the next look that finds either branch elsewhere takes it back before anything else.

use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use bowline_model::bundle::Bundle;
use bowline_model::mark::{Blame, Mark, Why};
use bowline_model::revision::Revision;

use super::{OutOfTurn, backward, turn};
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Ear, Effect, Event, Failure, Means, Phase, Quest, State, Turn};
use crate::plan::Plan;
use crate::report::{cycle_of, plain_cycle, record_of};
use crate::testing::{OVER, Tested, Testing, branch_of};
use crate::transaction::Transaction;
use crate::verify::{self, Verified};

/// Chooses what is offered for this host alone, where it stands on top of what the host committed.
pub(super) fn choose(
    mut memory: Memory,
    mut quest: Quest,
    verified: Box<Verified>,
) -> (Memory, Quest, Box<Verified>) {
    let head = verified.revision();
    let stands = memory.generation.as_ref().is_some_and(|it| it.revision == *head);
    let is_free =
        quest.ending.is_none() && quest.wish.order.is_none() && quest.wish.paused.is_none();
    let is_above = |it: &Bundle| {
        it.tip != head.commit && it.start.as_ref().is_some_and(|it| it.id == head.commit)
    };
    let offered = quest.offered.take().filter(|it| stands && is_free && is_above(it));
    let walked = quest.judged.as_ref().and_then(|it| it.walked.as_ref());
    let (Some(offered), Some(walked), Some(settings)) =
        (offered, walked, memory.settings.as_deref())
    else {
        return (memory, quest, verified);
    };
    let tips = [head.commit, offered.tip];
    let branch = branch_of(&memory.host);
    match verify::on_top(settings, walked, (&offered, &memory.host), quest.wall) {
        Ok(tried) => {
            quest.testing = Some(Testing { revision: tried.revision().clone(), tips });
            (memory, quest, Box::new(tried))
        }
        // Left behind by a merge, or begun elsewhere: that is no attack, and nobody waits for it.
        Err((code, _)) if offered.cut_short || code == "not-fast-forward" => {
            let warning = format!("{branch} is not tried out: it is not on top of the branch");
            memory.warnings.push(warning);
            (memory, quest, verified)
        }
        Err((code, detail)) => {
            let revision = Some(Revision::name(&branch, &offered.tip));
            let why = ("Refused", code.as_str(), detail.as_str());
            let cycle = plain_cycle(Outcome::Refused, revision, memory.standing(), why);
            quest.ending = Some(Ending { cycle, again: false });
            (memory, quest, verified)
        }
    }
}

/// What is tried out, when it is this revision.
pub(super) fn of<'q>(quest: &'q Quest, revision: &Revision) -> Option<&'q Testing> {
    quest.testing.as_ref().filter(|it| it.revision == *revision)
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
    };
    let memory = Memory { failures: 0, parked: None, alarmed: None, ..memory };
    let effect = Effect::Record(Box::new(record));
    Turn { marks, ..turn(memory, Phase::Testing(tx, Box::new(tested)), effect) }
}

/// Waits, and asks again and again whether something moved.
pub(super) fn go_on(state: State, event: Event, unexpected: OutOfTurn) -> Result<Turn, OutOfTurn> {
    let State { phase, memory } = state;
    Ok(match (phase, event) {
        (Phase::Testing(tx, tested), Event::Recorded) => rest(memory, tx, tested, None),
        (Phase::Testing(tx, tested), Event::Failed(failure)) => {
            let warning = format!("it could not be recorded: {}", failure.detail);
            rest(memory, tx, tested, Some(warning))
        }
        (
            Phase::Testing(tx, tested),
            Event::Woke { settings, now, wall, wish, next_deployment, .. },
        ) => {
            let quest = Quest { wish, now, wall, ..Quest::default() };
            let is_told_so = tested.settings.as_ref().is_some_and(|it| it.says_as(&settings));
            let memory = memory.told(&settings);
            let interval = settings.interval;
            let memory = Memory { interval, settings: Some(settings), next_deployment, ..memory };
            if is_told_so {
                ask(memory, quest, tx, tested)
            } else {
                over(memory, quest, tx, "settings or trust file were changed")
            }
        }
        (Phase::Asking(quest, tx, tested), Event::Fetched(bundle, offered)) => {
            let tips = [Some(bundle.tip), offered.map(|it| it.tip)];
            if tips == tested.testing.tips.map(Some) {
                rest(memory, tx, tested, None)
            } else {
                over(memory, quest, tx, "one of the two branches is not where it was")
            }
        }
        (Phase::Asking(_, tx, tested), Event::Failed(Failure { code, detail, .. })) => {
            rest(memory, tx, tested, Some(format!("{code}: {detail}")))
        }
        _ => return Err(unexpected),
    })
}

/// Asks the remote; what people order waits for the end of the test, and is told so.
fn ask(memory: Memory, quest: Quest, tx: Box<Transaction>, tested: Box<Tested>) -> Turn {
    if quest.wish.order.is_some() || quest.wish.dry {
        let [_, tip] = tested.testing.tips;
        let detail = format!("{} is tried out on this host", tip.short());
        let standing = memory.standing();
        let why = ("Testing", "testing-runs", detail.as_str());
        let cycle = plain_cycle(Outcome::Refused, standing.clone(), standing, why);
        return told(memory, tx, tested, Ending { cycle, again: false });
    }
    let [from, _] = tested.testing.tips;
    let effect = Effect::Fetch { from, means: Means::Remote };
    turn(memory, Phase::Asking(quest, tx, tested), effect)
}

fn rest(
    memory: Memory,
    tx: Box<Transaction>,
    tested: Box<Tested>,
    warning: Option<String>,
) -> Turn {
    let mut ending = tested.ending.clone();
    ending.cycle.warnings.extend(warning);
    told(memory, tx, tested, ending)
}

fn told(memory: Memory, tx: Box<Transaction>, tested: Box<Tested>, ending: Ending) -> Turn {
    let wait = memory.interval;
    let effect = Effect::Rest { ending: Some(Box::new(ending)), wait, ear: Ear::Open };
    turn(memory, Phase::Testing(tx, tested), effect)
}

/// Takes it back: nobody is to blame, and nothing is barred.
fn over(memory: Memory, quest: Quest, tx: Box<Transaction>, detail: &str) -> Turn {
    let why = Why {
        reason: "TestingOver".to_owned(),
        code: OVER.to_owned(),
        detail: detail.to_owned(),
        blame: Blame::Nobody,
    };
    backward::decide_revert(memory, quest, tx, why)
}
