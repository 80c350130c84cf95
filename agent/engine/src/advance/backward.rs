//! From the decision to go back to the proof that the host is back.
//!
//! **Invariant:** going back needs nothing but the transaction's marks and its stages.
//! **Invariant:** a host that is not proved back is stranded, never called reverted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bowline_api::record::{Conflict, Proof};
use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::mark::{Blame, Mark, Verdict, Why};
use bowline_model::step::{Class, Deed, Step};
use bowline_model::survey::Seen;
use bowline_model::unit::UnitState;

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
    let effect = undo_effect(&memory, &tx, Duration::ZERO);
    Turn { marks, ..turn(memory, Phase::Undoing(quest, tx, 0), effect) }
}

fn undo_effect(memory: &Memory, tx: &Transaction, wait: Duration) -> Effect {
    // A step whose manifest says that it cannot be taken back is left as it is.
    let may_go_back = |step: &&Step| step.class != Class::None;
    let steps: Vec<&Step> = match tx.next_undo() {
        Some(range) => tx.steps.get(range).unwrap_or_default().iter().filter(may_go_back).collect(),
        None => tx.provable().filter(|step| matches!(step.deed, Deed::Unit(_))).collect(),
    };
    let steps = steps.into_iter().map(|it| tx.backward(it, &memory.facts.boot)).collect();
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
    let effect = undo_effect(&memory, &tx, TRY_AGAIN * (tries + 1));
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
    let paths = tx.provable().filter_map(|it| it.target().cloned()).collect();
    let units = tx.units().into_keys().map(str::to_owned).collect();
    Effect::Prove { paths, units }
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

pub(super) fn proved(
    memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    (seen, units): (&[Seen], Option<&[UnitState]>),
) -> Turn {
    // What runs is forgotten by a boot, also when it was taken back before that: once more, then.
    if tx.units_again == 0 && compare_units(&tx, units).is_err() {
        tx.units_again += 1;
        let effect = undo_effect(&memory, &tx, Duration::ZERO);
        return turn(memory, Phase::Undoing(quest, tx, 0), effect);
    }
    let proof = match compare(&tx, seen).and_then(|forms| Ok((forms, compare_units(&tx, units)?))) {
        Ok((forms, units)) => proof_of_digests(forms, units),
        Err(different) => {
            let detail = format!("the host is not as it was: {different}");
            return finish::strand(memory, tx, &detail);
        }
    };

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

/// Digests of how the host was, and how it is.
type Digests = (Sha256, Sha256);

/// Paths as they were and as they are; what differs, if anything does.
fn compare(tx: &Transaction, seen: &[Seen]) -> Result<Digests, String> {
    let excused: BTreeSet<&str> = tx.conflicts.iter().map(|it| it.path.as_str()).collect();
    if seen.len() != tx.provable().filter(|it| it.target().is_some()).count() {
        return Err("not everything was looked at".to_owned());
    }
    let compared = tx.provable().filter(|it| it.target().is_some()).zip(seen);
    let mut before: Vec<(&str, &Form)> = Vec::new();
    let mut after: Vec<(&str, &Form)> = Vec::new();
    for (step, now) in compared {
        let (Deed::Place { target, pre, .. } | Deed::Alter { target, pre, .. }) = &step.deed else {
            continue;
        };
        // Another's change excuses a difference, but never that the change itself still stands.
        let still_there = step.post().is_some_and(|it| now.form.is_like(it));
        if excused.contains(target.as_str()) && !still_there {
            continue;
        }
        if *pre != now.form {
            return Err(format!("{target} was {pre} and is {}", now.form));
        }
        before.push((target.as_str(), pre));
        after.push((target.as_str(), &now.form));
    }
    let digest = |forms: &[(&str, &Form)]| Sha256::of_list(forms).unwrap_or_default();
    Ok((digest(&before), digest(&after)))
}

/// Units as they were and as they are; `None` when no unit was changed.
fn compare_units(tx: &Transaction, seen: Option<&[UnitState]>) -> Result<Option<Digests>, String> {
    let units = tx.units();
    if units.is_empty() {
        return Ok(None);
    }
    let seen = seen.filter(|it| it.len() == units.len());
    let seen = seen.ok_or("the units' state was not asked")?;
    let mut after: BTreeMap<&str, UnitState> = BTreeMap::new();
    for ((unit, pre), now) in units.iter().zip(seen) {
        if !pre.is_like(now) {
            return Err(format!("{unit} was {pre} and is {now}"));
        }
        // Only what the change touched is proved; a unit that cannot be enabled is like a disabled one.
        let up = now.up.filter(|_| pre.up.is_some());
        after.insert(unit, UnitState { enabled: pre.enabled, up });
    }
    // Names and states are plain data, which always has a JSON form.
    let digest = |units| Sha256::of_value(units).unwrap_or_default();
    Ok(Some((digest(&units), digest(&after))))
}

/// The digests as the record tells them; units are told beside paths where there are any.
fn proof_of_digests(forms: Digests, units: Option<Digests>) -> Proof {
    let (before, after) = match units {
        None => forms,
        Some(units) => {
            let both = |one, two| Sha256::of_value(&(one, two)).unwrap_or_default();
            (both(forms.0, units.0), both(forms.1, units.1))
        }
    };
    Proof { before: before.to_string(), after: after.to_string() }
}
