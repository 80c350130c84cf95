//! From the decision to go back to the proof that the host is back.
//!
//! **Invariant:** going back needs nothing but the transaction's marks and its stages.
//! **Invariant:** a host that is not proved back is stranded, never called reverted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::record::{Conflict, Proof};
use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::mark::{Blame, Mark, Verdict, Why};
use bowline_model::step::{Class, Deed};
use bowline_model::survey::Seen;

use super::{finish, turn};
use crate::memory::Memory;
use crate::phase::{Effect, Failure, Phase, Quest, Settlement, Turn, Weight};
use crate::quarantine;
use crate::transaction::Transaction;

/// Tries of one batch on the way back, before a person is called.
const TRIES_MAX: u32 = 5;

/// Between two tries: long enough for a passing cause to pass.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// An effect of a changed host did not come off.
pub(super) fn revert_for(
    memory: Memory,
    quest: Quest,
    tx: Box<Transaction>,
    failure: &Failure,
) -> Turn {
    let blame = match failure.weight {
        Weight::Transient => Blame::World,
        Weight::Guilty => Blame::Change,
    };
    let why = Why {
        reason: "ApplyFailed".to_owned(),
        code: failure.code.clone(),
        detail: failure.detail.clone(),
        blame,
    };
    decide_revert(memory, quest, tx, why)
}

/// Decides to go back.
pub(crate) fn decide_revert(
    memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    why: Why,
) -> Turn {
    let marks = vec![Mark::Decide { verdict: Verdict::Revert, why }];
    for mark in &marks {
        tx.note(mark);
    }
    let mut next = undo_next(memory, quest, tx);
    next.marks.splice(..0, marks);
    next
}

/// Takes the next batch back, or goes on when all are.
pub(crate) fn undo_next(memory: Memory, quest: Quest, tx: Box<Transaction>) -> Turn {
    let Some(range) = tx.next_undo() else {
        return retell(memory, quest, tx);
    };
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let marks = vec![Mark::UndoIntent { from: number(range.end - 1), to: number(range.start) }];
    let effect = undo_effect(&tx, Duration::ZERO);
    Turn { marks, ..turn(memory, Phase::Undoing(quest, tx, 0), effect) }
}

fn undo_effect(tx: &Transaction, wait: Duration) -> Effect {
    let range = tx.next_undo().unwrap_or_default();
    // A step whose manifest says that it cannot be taken back is left as it is.
    let steps = tx.steps.get(range).unwrap_or_default().iter();
    let steps = steps.filter(|step| step.class != Class::None).cloned().collect();
    let (deployment, stages) = (tx.opening.deployment.clone(), tx.stages.clone());
    Effect::Undo { deployment, stages, steps, wait }
}

pub(super) fn undone(
    memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    conflicts: Vec<Conflict>,
) -> Turn {
    let Some(range) = tx.next_undo() else {
        return retell(memory, quest, tx);
    };
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let (from, to) = (number(range.end - 1), number(range.start));
    let marks = vec![Mark::UndoDone { from, to, conflicts }];
    for mark in &marks {
        tx.note(mark);
    }
    let mut next = undo_next(memory, quest, tx);
    next.marks.splice(..0, marks);
    next
}

pub(super) fn undo_failed(
    memory: Memory,
    quest: Quest,
    tx: Box<Transaction>,
    tries: u32,
    failure: &Failure,
) -> Turn {
    if tries + 1 >= TRIES_MAX {
        let detail = format!("a step cannot be taken back: {}", failure.detail);
        return finish::strand(memory, tx, &detail);
    }
    let effect = undo_effect(&tx, TRY_AGAIN * (tries + 1));
    turn(memory, Phase::Undoing(quest, tx, tries + 1), effect)
}

/// Units that were told of the change are told of its end.
fn retell(memory: Memory, quest: Quest, tx: Box<Transaction>) -> Turn {
    if tx.handlers.is_empty() {
        return prove(memory, quest, tx, &[]);
    }
    let effect = Effect::Notify(tx.handlers.clone());
    turn(memory, Phase::Retelling(quest, tx), effect)
}

/// Looks at everything that was changed. A unit that cannot be told is an alarm, not a reason to stop.
pub(super) fn prove(
    mut memory: Memory,
    quest: Quest,
    tx: Box<Transaction>,
    failures: &[String],
) -> Turn {
    let alarm = |it: &String| format!("after the revert a unit could not be told: {it}");
    memory.warnings.extend(failures.iter().map(alarm));
    let effect = proof_of(&tx);
    turn(memory, Phase::Proving(quest, tx, 0), effect)
}

fn proof_of(tx: &Transaction) -> Effect {
    Effect::Prove(tx.provable().filter_map(|it| it.target().cloned()).collect())
}

/// The host could not be looked at: again, because a cause such as a lack of memory passes.
pub(super) fn unproved(
    memory: Memory,
    quest: Quest,
    tx: Box<Transaction>,
    tries: u32,
    failure: &Failure,
) -> Turn {
    if tries + 1 >= TRIES_MAX {
        return finish::strand(memory, tx, &format!("look at the host: {}", failure.detail));
    }
    let effect = proof_of(&tx);
    turn(memory, Phase::Proving(quest, tx, tries + 1), effect)
}

pub(super) fn proved(memory: Memory, quest: Quest, tx: Box<Transaction>, seen: &[Seen]) -> Turn {
    let excused: BTreeSet<&str> = tx.conflicts.iter().map(|it| it.path.as_str()).collect();
    let compared = tx.provable().filter(|it| it.target().is_some()).zip(seen);
    let mut before: Vec<(&str, &Form)> = Vec::new();
    let mut after: Vec<(&str, &Form)> = Vec::new();
    let mut different = None;
    for (step, now) in compared {
        let (Deed::Place { target, pre, .. } | Deed::Alter { target, pre, .. }) = &step.deed else {
            continue;
        };
        // Another's change excuses a difference, but never that the change itself still stands.
        let still_there = step.post().is_some_and(|it| now.form.is_like(it));
        if excused.contains(target.as_str()) && !still_there {
            continue;
        }
        before.push((target.as_str(), pre));
        after.push((target.as_str(), &now.form));
        if *pre != now.form {
            different.get_or_insert_with(|| format!("{target} was {pre} and is {}", now.form));
        }
    }
    if seen.len() != tx.provable().filter(|it| it.target().is_some()).count() {
        different.get_or_insert_with(|| "not everything was looked at".to_owned());
    }
    if let Some(different) = different {
        let detail = format!("the host is not as it was: {different}");
        return finish::strand(memory, tx, &detail);
    }
    let digest = |forms: &[(&str, &Form)]| Sha256::of_list(forms).unwrap_or_default().to_string();
    let proof = Proof { before: digest(&before), after: digest(&after) };
    let Some((_, why)) = tx.decision.as_ref() else {
        return finish::strand(memory, tx, "it was taken back without a decision");
    };
    let ledger = quarantine::after_revert(&memory.ledger, &tx.opening, why, quest.wall);
    let ledger = Arc::new(ledger);
    let deployment = tx.opening.deployment.clone();
    let settlement = Settlement::Revert { deployment, ledger: ledger.clone() };
    let memory = Memory { ledger, ..memory };
    let phase = Phase::Remembering(quest, tx, Some(proof));
    turn(memory, phase, Effect::Settle(Box::new(settlement)))
}
