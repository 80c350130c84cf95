//! The state machine: the only place where one phase becomes another.
//!
//! **Invariant:** an event that a phase does not wait for is a bug and changes nothing.
//! **Invariant:** every mark a turn carries is folded into its transaction by the same function that
//! reads it back after a crash.

mod source;
mod destination;
mod look;
mod prepare;
mod forward;
mod backward;
mod finish;
mod health;
mod steady;
mod order;
mod testing;
mod tested;

use std::sync::Arc;

use thiserror::Error;

use crate::compile::Material;
use crate::compile::artifact::Supply;
use crate::memory::Memory;
use crate::phase::{Effect, Event, Looked, Phase, Quest, State, Turn};
pub(crate) use backward::{decide_revert, undo_next};
pub(crate) use finish::finish;
pub(crate) use forward::keep;

/// An event that the phase was not waiting for. A bug, never a state of the world.
#[derive(Debug, Error)]
#[error("{event} came while {phase}")]
pub struct OutOfTurn {
    phase: &'static str,
    event: &'static str,
}

/// Answers an event.
pub fn advance(state: State, event: Event) -> Result<Turn, OutOfTurn> {
    let State { phase, memory } = state;
    let unexpected = OutOfTurn { phase: phase.word(), event: word(&event) };
    let turn = match (phase, event) {
        (Phase::Resting, Event::Woke { settings, now, wall, facts, next_deployment, wish }) => {
            let memory = memory.told(&settings);
            let memory = Memory {
                interval: settings.interval,
                settings: Some(settings),
                facts: Arc::new(facts),
                next_deployment,
                ..memory
            };
            source::begin(memory, Quest { wish, now, wall, ..Quest::default() })
        }
        (Phase::Fetching(quest), Event::Fetched(bundle, offer)) => {
            source::judge(memory, Quest { offer, ..quest }, bundle)
        }
        (Phase::Fetching(quest), Event::Failed(failure)) => {
            source::fetch_failed(memory, quest, &failure)
        }
        (Phase::Marking(quest, verified, bundle), Event::Marked) => {
            source::marked(memory, quest, verified, &bundle)
        }
        (Phase::Observing(quest, compiled, survey), Event::Seen(sight)) => {
            look::planned(memory, quest, Looked { compiled, survey, sight: Box::new(sight) })
        }
        (Phase::Baselining(quest, plan, looks), Event::Probed { answers, now }) => {
            prepare::baselined(memory, quest, (plan, looks), &answers, now)
        }
        (
            Phase::Marking(quest, ..)
            | Phase::Observing(quest, ..)
            | Phase::Baselining(quest, ..)
            | Phase::Adopting(quest, ..),
            Event::Failed(failure),
        ) => destination::failed(memory, quest, &failure),
        (Phase::Showing(quest), Event::Shown | Event::Failed(_)) => {
            destination::conclude(memory, quest)
        }
        (Phase::Staging(quest, plan, tx), event) => match event {
            Event::Staged { stages, of_step } => {
                prepare::staged(memory, quest, plan, tx, stages, &of_step)
            }
            Event::Failed(failure) => prepare::stage_failed(memory, quest, tx, &failure),
            _ => return Err(unexpected),
        },
        (phase @ (Phase::Steadying(..) | Phase::Vouching(..) | Phase::Vouched(..)), event) => {
            return steady::go_on(State { phase, memory }, event, unexpected);
        }
        (phase, event) => return compiling(State { phase, memory }, event, unexpected),
    };
    Ok(turn)
}

/// The part of the machine between a verified revision and a compiled one.
fn compiling(state: State, event: Event, unexpected: OutOfTurn) -> Result<Turn, OutOfTurn> {
    let State { phase, mut memory } = state;
    Ok(match (phase, event) {
        (Phase::Exporting(quest, verified), Event::Exported(tree)) => {
            destination::compile(memory, quest, verified, tree, (Material::default(), 0))
        }
        (Phase::Reading(quest, verified, tree, mut have, rounds), Event::Contents(more)) => {
            have.contents.extend(more);
            destination::compile(memory, quest, verified, tree, (have, rounds))
        }
        (Phase::Obtaining(quest, verified, tree, (mut have, rounds), wanted), event) => match event
        {
            Event::Obtained(listing) => {
                memory.shortage.is_over(&wanted.archive);
                have.obtained.insert(wanted.archive, Supply::here(*listing));
                destination::compile(memory, quest, verified, tree, (have, rounds))
            }
            Event::Failed(failure) => {
                destination::unobtained(memory, quest, &verified, &wanted, &failure)
            }
            _ => return Err(unexpected),
        },
        (Phase::Supplying(quest, looked, wanted, _), Event::Obtained(_)) => {
            look::supplied(memory, quest, *looked, &wanted)
        }
        (Phase::Supplying(quest, looked, wanted, means), Event::Failed(failure)) => {
            look::unsupplied(memory, quest, *looked, (&wanted, means), failure)
        }
        (
            Phase::Exporting(quest, verified) | Phase::Reading(quest, verified, ..),
            Event::Failed(failure),
        ) => destination::unreadable(memory, quest, &verified, &failure),
        (phase, event) => return changing(State { phase, memory }, event, unexpected),
    })
}

/// The part of the machine between a staged plan and the decision.
fn changing(state: State, event: Event, unexpected: OutOfTurn) -> Result<Turn, OutOfTurn> {
    let State { phase, memory } = state;
    Ok(match (phase, event) {
        (Phase::Applying(quest, plan, tx), Event::Applied) => {
            forward::next(memory, quest, plan, tx)
        }
        (Phase::Checking(quest, plan, tx), Event::Checked) => {
            forward::go_on(memory, quest, plan, tx)
        }
        (Phase::Notifying(quest, plan, tx), Event::Notified(failures)) => {
            forward::notified(memory, quest, &plan, tx, &failures)
        }
        (Phase::Probing(quest, tx, trial), Event::Probed { answers, now }) => {
            forward::probed(memory, quest, tx, trial, answers, now)
        }
        (
            Phase::Applying(quest, _, tx)
            | Phase::Checking(quest, _, tx)
            | Phase::Notifying(quest, _, tx)
            | Phase::Probing(quest, tx, _),
            Event::Failed(failure),
        ) => backward::revert_for(memory, quest, tx, &failure),
        (phase @ (Phase::Testing(..) | Phase::Asking(..) | Phase::Minding(..)), event) => {
            return tested::go_on(State { phase, memory }, event, unexpected);
        }
        (phase, event) => return ending(State { phase, memory }, event, unexpected),
    })
}

/// The part of the machine behind the decision.
fn ending(state: State, event: Event, unexpected: OutOfTurn) -> Result<Turn, OutOfTurn> {
    let State { phase, memory } = state;
    Ok(match (phase, event) {
        (Phase::Keeping(quest, tx), Event::Settled(generation)) => {
            finish::committed(memory, quest, tx, generation)
        }
        (Phase::Keeping(_, tx) | Phase::Remembering(_, tx, _), Event::Failed(failure)) => {
            finish::defer(memory, tx, &failure)
        }
        (Phase::Deferred(tx), Event::Woke { now, wall, .. }) => {
            finish::resume(memory, Quest { now, wall, ..Quest::default() }, tx)
        }
        (Phase::Undoing(quest, tx, _), Event::Undone(conflicts)) => {
            backward::undone(memory, quest, tx, conflicts)
        }
        (Phase::Undoing(quest, tx, tries), Event::Failed(failure)) => {
            backward::undo_failed(memory, quest, tx, tries, &failure)
        }
        (Phase::Retelling(quest, tx), Event::Notified(failures)) => {
            backward::prove(memory, quest, tx, &failures)
        }
        (Phase::Retelling(quest, tx), Event::Failed(failure)) => {
            backward::prove(memory, quest, tx, &[failure.detail])
        }
        (Phase::Proving(quest, tx, _), Event::Proved { seen, units }) => {
            backward::proved(memory, quest, tx, (&seen, units.as_deref()))
        }
        (Phase::Proving(quest, tx, tries), Event::Failed(failure)) => {
            backward::unproved(memory, quest, tx, tries, &failure)
        }
        (Phase::Remembering(quest, tx, proof), Event::Settled(_)) => {
            finish::reverted(memory, quest, tx, proof)
        }
        (Phase::Cleaning(quest, tx, _), Event::Cleaned(conflicts)) => {
            finish::cleaned(memory, &quest, tx, conflicts)
        }
        (Phase::Cleaning(quest, tx, tries), Event::Failed(failure)) => {
            finish::uncleaned(memory, quest, tx, tries, &failure)
        }
        (Phase::Adopting(_, ending, ledger), Event::Settled(generation)) => {
            finish::adopted(Memory { ledger, ..memory }, ending, generation)
        }
        (Phase::Rechecking(record, ending, looks), Event::Probed { answers, now }) => {
            finish::looked(memory, (record, ending, looks), &answers, now)
        }
        (Phase::Rechecking(record, ending, _), Event::Failed(_)) => {
            finish::record(memory, record, ending)
        }
        (Phase::Recording(_, ending), Event::Recorded) => finish::rest(memory, *ending),
        (Phase::Recording(record, ending), Event::Failed(failure)) => {
            finish::owe(memory, record, ending, &failure)
        }
        (Phase::Owing(record, ending), Event::Woke { .. }) => {
            finish::record(memory, record, ending)
        }
        (Phase::Stranded(ending), _) => finish::stay_stranded(memory, ending),
        _ => return Err(unexpected),
    })
}

/// A turn without records.
pub(crate) fn turn(memory: Memory, phase: Phase, effect: Effect) -> Turn {
    Turn { state: State { phase, memory }, marks: Vec::new(), effect }
}

fn word(event: &Event) -> &'static str {
    match event {
        Event::Woke { .. } => "Woke",
        Event::Fetched(..) => "Fetched",
        Event::Marked => "Marked",
        Event::Exported(_) => "Exported",
        Event::Contents(_) => "Contents",
        Event::Obtained(_) => "Obtained",
        Event::Seen(_) => "Seen",
        Event::Staged { .. } => "Staged",
        Event::Applied => "Applied",
        Event::Checked => "Checked",
        Event::Notified(_) => "Notified",
        Event::Probed { .. } => "Probed",
        Event::Settled(_) => "Settled",
        Event::Undone(_) => "Undone",
        Event::Proved { .. } => "Proved",
        Event::Cleaned(_) => "Cleaned",
        Event::Shown => "Shown",
        Event::Recorded => "Recorded",
        Event::Failed(_) => "Failed",
    }
}

impl Phase {
    /// The phase as the word that status shows.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Resting => "rest",
            Self::Fetching(_) | Self::Obtaining(..) | Self::Supplying(..) => "fetch",
            Self::Marking(..) => "verify",
            Self::Exporting(..) | Self::Reading(..) => "gate",
            Self::Observing(..) | Self::Showing(_) => "plan",
            Self::Baselining(..) => "probe",
            Self::Staging(..) => "stage",
            Self::Applying(..) | Self::Checking(..) | Self::Notifying(..) => "apply",
            Self::Probing(..) | Self::Vouching(..) => "probe",
            Self::Testing(..) | Self::Asking(..) | Self::Minding(..) => "test",
            Self::Keeping(..) | Self::Adopting(..) => "commit",
            Self::Undoing(..) | Self::Retelling(..) | Self::Proving(..) | Self::Remembering(..) => {
                "revert"
            }
            Self::Deferred(_)
            | Self::Cleaning(..)
            | Self::Rechecking(..)
            | Self::Recording(..)
            | Self::Steadying(..)
            | Self::Vouched(..)
            | Self::Owing(..) => "report",
            Self::Stranded(_) => "stranded",
        }
    }
}
