//! From the end of a transaction back to rest.
//!
//! **Invariant:** an end is announced only after it is durable; a reverted deployment says `reverted`
//! in its cycle, its record and the status.
//! **Invariant:** a stranded host is left alone until a person comes.

use std::sync::Arc;
use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_api::record::{Conflict, Kind, ProbeWord, Proof, Record};
use bowline_model::generation::Generation;
use bowline_model::mark::{Blame, Mark, Verdict};
use bowline_model::probe_call::Answer;

use super::{health, keep, tested, testing, turn, undo_next};
use crate::backoff;
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Ear, Effect, Failure, Phase, Quest, Slots, Turn};
use crate::report::{alarm, cycle_of, record_of};
use crate::testing::OVER;
use crate::transaction::Transaction;

/// Tries of cleaning, before a person is called.
const TRIES_MAX: u32 = 5;

/// Between two tries: long enough for a passing cause to pass.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// How often a stranded agent looks whether a person has helped: the state is read at start only.
const STRANDED_REST: Duration = Duration::from_hours(1);

/// The generation stands: ends the transaction.
pub(super) fn committed(
    memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    generation: Option<Arc<Generation>>,
) -> Turn {
    let marks = vec![Mark::End { outcome: Outcome::Committed, proof: None }];
    for mark in &marks {
        tx.note(mark);
    }
    let generation = generation.or(memory.generation);
    let memory = Memory { failures: 0, parked: None, alarmed: None, generation, ..memory };
    Turn { marks, ..finish(memory, quest, tx) }
}

/// What failed is remembered: ends the transaction.
pub(super) fn reverted(
    memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    proof: Option<Proof>,
) -> Turn {
    // An interruption is not the change's fault: it failed, and is tried again.
    let interrupted = tx.decision.as_ref().is_some_and(|(_, why)| why.blame == Blame::World);
    let outcome = if interrupted { Outcome::Failed } else { Outcome::Reverted };
    let marks = vec![Mark::End { outcome, proof }];
    for mark in &marks {
        tx.note(mark);
    }
    Turn { marks, ..finish(seen_to_fail(memory, outcome), quest, tx) }
}

/// Counts a failure that is tried again.
pub(super) fn seen_to_fail(memory: Memory, outcome: Outcome) -> Memory {
    let failures = if outcome == Outcome::Failed { memory.failures + 1 } else { 0 };
    Memory { failures, last_look: None, last_full: None, parked: None, ..memory }
}

/// The decision stands in the journal, and what follows from it cannot be written yet: the host is
/// already as decided, so it waits, here or in the next process.
pub(super) fn defer(memory: Memory, tx: Box<Transaction>, failure: &Failure) -> Turn {
    let failures = memory.failures + 1;
    let mut cycle = cycle_of(&tx, Outcome::Failed, &memory.warnings);
    "StateNotKept".clone_into(&mut cycle.reason);
    cycle.code.clone_from(&failure.code);
    cycle.detail = format!("it is decided, but cannot be kept yet: {}", failure.detail);
    let ending = Some(Box::new(Ending { cycle, again: true }));
    let effect = Effect::Rest { ending, wait: backoff::after(failures), ear: Ear::Shut };
    turn(Memory { failures, ..memory }, Phase::Deferred(tx), effect)
}

/// Goes on from the decision, as after a crash.
pub(super) fn resume(memory: Memory, quest: Quest, tx: Box<Transaction>) -> Turn {
    match tx.decision {
        Some((Verdict::Commit, _)) => keep(memory, quest, tx),
        _ => undo_next(memory, quest, tx),
    }
}

/// Cleans the stages of a transaction that is over.
pub(crate) fn finish(memory: Memory, quest: Quest, tx: Box<Transaction>) -> Turn {
    let slots = slots_of(&tx);
    clean(memory, quest, tx, slots, 0)
}

fn clean(memory: Memory, quest: Quest, tx: Box<Transaction>, slots: Slots, tries: u32) -> Turn {
    let deployment = tx.opening.deployment.clone();
    let effect = Effect::Clean { deployment, slots, wait: TRY_AGAIN * tries };
    turn(memory, Phase::Cleaning(quest, tx, tries), effect)
}

fn slots_of(tx: &Transaction) -> Slots {
    match (&tx.end, tx.began) {
        (Some((Outcome::Committed, _)), _) => Slots::Committed,
        (_, true) => Slots::Reverted,
        (_, false) => Slots::Abandoned,
    }
}

pub(super) fn cleaned(
    memory: Memory,
    quest: &Quest,
    mut tx: Box<Transaction>,
    conflicts: Vec<Conflict>,
) -> Turn {
    tx.conflicts.extend(conflicts);
    told(memory, quest, &tx)
}

/// A stage that is not clean belongs to its journal: without it nobody could tell what lies there.
pub(super) fn uncleaned(
    memory: Memory,
    quest: Quest,
    tx: Box<Transaction>,
    tries: u32,
    failure: &Failure,
) -> Turn {
    if tries + 1 < TRIES_MAX {
        let slots = slots_of(&tx);
        return clean(memory, quest, tx, slots, tries + 1);
    }
    let detail =
        format!("the stage of a finished deployment cannot be cleaned: {}", failure.detail);
    let cycle = stranded_cycle(&memory, &tx, &detail);
    stay_stranded(memory, Box::new(Ending { cycle, again: false }))
}

fn told(memory: Memory, quest: &Quest, tx: &Transaction) -> Turn {
    let outcome = tx.end.as_ref().map_or(Outcome::Failed, |(outcome, _)| *outcome);
    if tested::is_over(tx, outcome) {
        let (kept, ending) = tested::end(&memory, tx);
        return after(memory, kept, ending, true);
    }
    let kept = Box::new(record_of(&memory, tx, outcome));
    let mut cycle = cycle_of(tx, outcome, &memory.warnings);
    if let Some(said) = quest.ending.as_ref().filter(|_| outcome == Outcome::Committed) {
        // Drift was repaired while something newer could not be deployed: that is what is told.
        let (steps, conflicts) = (cycle.steps, cycle.conflicts);
        cycle = said.cycle.clone();
        (cycle.steps, cycle.conflicts) = (steps, conflicts);
    }
    // A repair that does not come off is tried again no sooner because something waits for it.
    let is_next = quest.is_unfinished && outcome == Outcome::Committed;
    let again = outcome == Outcome::Failed || is_next;
    let ending = Ending { cycle, again };
    let went_back = tx.began && outcome != Outcome::Committed;
    after(memory, kept, Box::new(ending), went_back)
}

/// Records, and asks before that how what stands is doing, where no trial told.
fn after(memory: Memory, kept: Box<Record>, ending: Box<Ending>, untried: bool) -> Turn {
    let standing = memory.generation.as_deref().filter(|_| untried);
    let calls = standing.map(health::standing).unwrap_or_default();
    if calls.is_empty() {
        return record(memory, kept, ending);
    }
    let effect = Effect::Probe { not_before: Duration::ZERO, calls };
    turn(memory, Phase::Rechecking(kept, ending, 0), effect)
}

/// Looks again at those that fail, and tells of those that go on failing.
pub(super) fn looked(
    memory: Memory,
    (mut kept, mut ending, looks): (Box<Record>, Box<Ending>, u32),
    answers: &[Answer],
    now: Duration,
) -> Turn {
    if let Some((pause, calls)) = health::again(memory.generation.as_deref(), answers, looks) {
        let effect = Effect::Probe { not_before: now + pause, calls };
        return turn(memory, Phase::Rechecking(kept, ending, looks + 1), effect);
    }
    let asked = memory.generation.as_deref().map(|it| it.probes.len());
    kept.standing_probes = asked.and_then(|it| u64::try_from(it).ok());
    for Answer { name, detail, .. } in answers.iter().filter(|it| !it.passed) {
        let word = ProbeWord { name: name.clone(), passed: false, detail: detail.clone() };
        // Without a deployment there was nothing to change; what was tried out was none.
        let (stands, told) = match (kept.deployment.is_empty(), kept.kind) {
            (true, _) => ("already as the revision asks", &mut kept.probes),
            (_, Kind::State) => ("back as it was", &mut kept.probes),
            _ => ("back as it was", &mut kept.after_revert),
        };
        told.push(word);
        let warning = format!("the host is {stands}, and Probe/{name} fails there: {detail}");
        ending.cycle.warnings.push(warning);
        ending.cycle.failing.push(name.clone());
    }
    record(memory, kept, ending)
}

/// Keeps a record of what happened.
pub(super) fn record(memory: Memory, record: Box<Record>, ending: Box<Ending>) -> Turn {
    let effect = Effect::Record(record.clone());
    turn(memory, Phase::Recording(record, ending), effect)
}

/// It could not be recorded: the journal stays until it is.
pub(super) fn owe(
    memory: Memory,
    record: Box<Record>,
    ending: Box<Ending>,
    failure: &Failure,
) -> Turn {
    let failures = memory.failures + 1;
    let mut shown = ending.clone();
    shown.cycle.warnings.push(format!("it could not be recorded yet: {}", failure.detail));
    let effect =
        Effect::Rest { ending: Some(shown), wait: backoff::after(failures), ear: Ear::Shut };
    let memory = Memory { failures, ..memory };
    turn(memory, Phase::Owing(record, ending), effect)
}

/// Calls a person: nothing more is touched, everything is kept.
pub(super) fn strand(memory: Memory, mut tx: Box<Transaction>, detail: &str) -> Turn {
    let marks = vec![Mark::End { outcome: Outcome::Stranded, proof: None }];
    for mark in &marks {
        tx.note(mark);
    }
    let cycle = stranded_cycle(&memory, &tx, detail);
    let mut record = record_of(&memory, &tx, Outcome::Stranded);
    (record.reason, record.detail) = (cycle.reason.clone(), cycle.detail.clone());
    let ending = Box::new(Ending { cycle, again: false });
    Turn { marks, ..self::record(memory, Box::new(record), ending) }
}

pub(crate) fn stranded_cycle(
    memory: &Memory,
    tx: &Transaction,
    detail: &str,
) -> bowline_api::cycle::Cycle {
    let mut cycle = cycle_of(tx, Outcome::Stranded, &memory.warnings);
    let revert = tx.decision.as_ref().filter(|(verdict, _)| *verdict == Verdict::Revert);
    let because = revert.map(|(_, why)| format!(" (it was taken back because {})", why.detail));
    "Stranded".clone_into(&mut cycle.reason);
    "stranded".clone_into(&mut cycle.code);
    cycle.detail = format!("{detail}{}", because.unwrap_or_default());
    cycle
}

/// A cycle without a change ends; what is wrong is recorded once for one cause.
pub(super) fn alarm_once(mut memory: Memory, ending: Ending) -> Turn {
    let quiet = matches!(ending.cycle.outcome, Outcome::Unchanged | Outcome::Failed);
    if ending.cycle.outcome == Outcome::Unchanged {
        memory.alarmed = None;
    }
    if ending.cycle.outcome == Outcome::Failed {
        memory.failures += 1;
    }
    let blamed = ending.cycle.commit.clone().or_else(|| ending.cycle.revision.clone());
    let cause = (ending.cycle.code.clone(), blamed.unwrap_or_default());
    if quiet || memory.alarmed.as_ref() == Some(&cause) {
        return rest(memory, ending);
    }
    memory.alarmed = Some(cause);
    let kept = Box::new(alarm(&memory, &ending.cycle));
    record(memory, kept, Box::new(ending))
}

/// A revision that asked for no change stands now.
pub(super) fn adopted(
    memory: Memory,
    ending: Box<Ending>,
    generation: Option<Arc<Generation>>,
) -> Turn {
    let generation = generation.or(memory.generation);
    let memory = Memory { failures: 0, parked: None, alarmed: None, generation, ..memory };
    let mut kept = alarm(&memory, &ending.cycle);
    kept.kind = Kind::Deployment;
    // Its probes were asked by nobody yet: there was nothing to try.
    after(memory, Box::new(kept), ending, true)
}

/// The cycle is over, and failures before it count on.
pub(super) fn rest_on(memory: Memory, ending: Ending) -> Turn {
    let failures = memory.failures;
    let mut turn = rest(memory, ending);
    turn.state.memory.failures = failures;
    turn
}

/// The cycle is over.
pub(super) fn rest(mut memory: Memory, mut ending: Ending) -> Turn {
    if ending.cycle.code == OVER {
        return tested::leave(memory, ending);
    }
    if !ending.again {
        memory.failures = 0;
    }
    ending.cycle.failing.append(&mut memory.carried.failing);
    testing::tell_untried(&mut memory, &mut ending);
    ending.cycle.gates.clone_from(&memory.gates.verdicts);
    ending.cycle.freshness.clone_from(&memory.freshness);
    if ending.cycle.revision.as_ref() == Some(&memory.adopted.revision) {
        ending.cycle.adopted.clone_from(&memory.adopted.verdicts);
    }
    ending.cycle.policy.clone_from(&memory.policy);
    ending.cycle.root_version = memory.high_water.as_ref().and_then(|it| it.root_version);
    for warning in &memory.warnings {
        if !ending.cycle.warnings.contains(warning) {
            ending.cycle.warnings.push(warning.clone());
        }
    }
    if ending.cycle.outcome == Outcome::Stranded {
        return stay_stranded(memory, Box::new(ending));
    }
    let interval = memory.interval;
    let wait = if ending.again { backoff::after(memory.failures) } else { interval };
    let effect = Effect::Rest { ending: Some(Box::new(ending)), wait, ear: Ear::Open };
    turn(memory, Phase::Resting, effect)
}

pub(super) fn stay_stranded(memory: Memory, ending: Box<Ending>) -> Turn {
    let effect = Effect::Rest { ending: Some(ending.clone()), wait: STRANDED_REST, ear: Ear::Open };
    turn(memory, Phase::Stranded(ending), effect)
}
