//! From a revision that may be deployed to a look at the host: compiles it, or says why it cannot be.
//!
//! **Invariant:** whatever is said of a revision, the one that stands goes on being looked after.

use std::sync::Arc;
use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_model::release::Wanted;
use bowline_model::revision::Revision;
use bowline_model::survey::Depth;
use bowline_model::tree::Tree;

use super::prepare::ARTIFACT_AWAY;
use super::{finish, steady, testing, turn};
use crate::compile::artifact::Supply;
use crate::compile::{self, CompileFailure, Material, Step};
use crate::ending::Ending;
use crate::memory::{LOOK_EVERY, Memory, Parked, READ_EVERY};
use crate::phase::{Effect, Failure, Means, Phase, Quest, Turn, Weight};
use crate::plan;
use crate::report::plain_cycle;
use crate::verify::Verified;

/// Rounds of reading that compiling may take: `bowline.yaml`, manifests, templates, and one to spare.
const ROUNDS_MAX: u32 = 4;

/// Without a root of trust nothing is looked at. No cycle begins so.
pub(super) fn untold(memory: Memory, mut quest: Quest) -> Turn {
    let why = ("Refused", "trust-file", "the agent was not told whom to trust");
    let cycle = plain_cycle(Outcome::Refused, None, memory.standing(), why);
    quest.ending.get_or_insert(Ending { cycle, again: false });
    conclude(memory, quest)
}

/// A revision that cannot be deployed as things stand, when it is this one.
pub(super) fn parked<'m>(
    memory: &'m Memory,
    quest: &Quest,
    revision: &Revision,
) -> Option<&'m Parked> {
    memory.parked.as_ref().filter(|it| {
        let is_held = it.pause.is_none() || it.pause == quest.wish.paused;
        let is_it = it.revision == *revision;
        // As soon as its archive may be asked for it is planned anew; nothing is asked for in a pause.
        let is_free = it.ending.cycle.code == ARTIFACT_AWAY && may_supply(memory, quest);
        is_it && !is_free && is_held && quest.now < it.until && !quest.wish.thorough
    })
}

fn may_supply(memory: &Memory, quest: &Quest) -> bool {
    quest.wish.paused.is_none() && memory.may_supply(quest.now)
}

pub(super) fn target(memory: Memory, mut quest: Quest, mut verified: Box<Verified>) -> Turn {
    let parked = parked(&memory, &quest, verified.revision()).map(|it| it.ending.clone());
    if let (Some(parked), Some(generation)) = (parked, &memory.generation) {
        quest.ending.get_or_insert(parked);
        let Some(standing) = verified.instead(&generation.revision) else {
            return conclude(memory, quest);
        };
        verified = Box::new(standing);
    }
    quest.law = Some(Arc::clone(verified.policy()));
    let at_hand = memory.compiled.clone().filter(|it| it.is_for(&verified, &memory.facts));
    if let Some(compiled) = at_hand {
        observe(memory, quest, compiled)
    } else {
        let commit = verified.revision().commit;
        turn(memory, Phase::Exporting(quest, verified), Effect::Export(commit))
    }
}

/// Compiles as far as contents allow, and asks for more.
pub(super) fn compile(
    mut memory: Memory,
    quest: Quest,
    verified: Box<Verified>,
    tree: Box<Tree>,
    (mut have, rounds): (Material, u32),
) -> Turn {
    let Some(settings) = memory.settings.clone() else { return untold(memory, quest) };
    let step = compile::compile(&settings, &verified, &tree, &have, &memory.facts);
    match step {
        Ok(Step::Read(paths)) if rounds < ROUNDS_MAX => {
            let commit = verified.revision().commit;
            let phase = Phase::Reading(quest, verified, tree, have, rounds + 1);
            turn(memory, phase, Effect::Read { commit, paths })
        }
        Ok(Step::Read(paths)) => {
            let at = paths.first().cloned().unwrap_or_default();
            let detail = "it is named, but cannot be read".to_owned();
            uncompilable(memory, quest, &verified, &CompileFailure::Unresolved { at, detail })
        }
        Ok(Step::Obtain(wanted)) => {
            // What stands is known without its archive: that is asked for once a member has to be staged.
            if let Some(supply) = standing_supply(&memory, &wanted) {
                have.obtained.insert(wanted.archive, supply);
                return compile(memory, quest, verified, tree, (have, rounds));
            }
            if let Some(failure) = memory.shortage.of(&wanted.archive, &quest).cloned() {
                return unreadable(memory, quest, &verified, &failure);
            }
            let means = if quest.wish.hint { Means::Local } else { Means::Remote };
            let phase = Phase::Obtaining(quest, verified, tree, (have, rounds), wanted.clone());
            turn(memory, phase, Effect::Obtain(wanted, means))
        }
        Ok(Step::Done(compiled)) => {
            let compiled = Arc::new(*compiled);
            memory.compiled = Some(Arc::clone(&compiled));
            observe(memory, quest, compiled)
        }
        Err(failure) => uncompilable(memory, quest, &verified, &failure),
    }
}

fn standing_supply(memory: &Memory, wanted: &Wanted) -> Option<Supply> {
    memory.generation.as_deref().and_then(|it| Supply::standing(wanted, it))
}

/// An archive cannot be had, and nothing of it stands.
pub(super) fn unobtained(
    mut memory: Memory,
    quest: Quest,
    verified: &Verified,
    wanted: &Wanted,
    failure: &Failure,
) -> Turn {
    if quest.wish.hint {
        // Nobody asked for it.
        return stay(memory, quest, verified);
    }
    memory.shortage.note(wanted, failure.clone());
    unreadable(memory, quest, verified, failure)
}

fn uncompilable(
    memory: Memory,
    quest: Quest,
    verified: &Verified,
    failure: &CompileFailure,
) -> Turn {
    let (outcome, reason) = match failure {
        CompileFailure::Held(_) => (Outcome::Held, "Held"),
        _ => (Outcome::Refused, "Refused"),
    };
    let why = (reason, failure.code(), &*failure.to_string());
    unplanned(memory, quest, verified, outcome, why)
}

/// The revision cannot be read: too large, hostile, or not all here.
pub(super) fn unreadable(
    memory: Memory,
    quest: Quest,
    verified: &Verified,
    failure: &Failure,
) -> Turn {
    let (outcome, reason) = weigh(failure);
    let why = (reason, failure.code.as_str(), failure.detail.as_str());
    unplanned(memory, quest, verified, outcome, why)
}

fn weigh(failure: &Failure) -> (Outcome, &'static str) {
    match failure.weight {
        Weight::Transient => (Outcome::Failed, "Failed"),
        Weight::Guilty => (Outcome::Refused, "Refused"),
    }
}

/// The revision cannot be planned: the one that stands is looked after instead.
pub(super) fn unplanned(
    mut memory: Memory,
    mut quest: Quest,
    verified: &Verified,
    outcome: Outcome,
    why: (&str, &str, &str),
) -> Turn {
    let revision = Some(verified.revision().to_string());
    let (reason, ..) = why;
    let cycle = plain_cycle(outcome, revision, memory.standing(), why);
    let ending = Ending { cycle, again: outcome == Outcome::Failed };
    if quest.ending.is_some() {
        memory.warnings.push(format!("{}: {}", ending.cycle.code, ending.cycle.detail));
    }
    let until = quest.now + LOOK_EVERY;
    // What the world is to blame for is tried at the next poll.
    memory.parked = (outcome != Outcome::Failed).then(|| Parked {
        revision: verified.revision().clone(),
        ending: ending.clone(),
        until,
        pause: quest.wish.paused.clone().filter(|_| reason == "Paused"),
    });
    quest.ending.get_or_insert(ending);
    stay(memory, quest, verified)
}

/// Looks after the revision that stands, in place of this one.
pub(super) fn stay(memory: Memory, quest: Quest, verified: &Verified) -> Turn {
    let generation = memory.generation.clone();
    let standing = generation
        .filter(|it| it.revision != *verified.revision())
        .and_then(|it| verified.instead(&it.revision));
    match standing {
        Some(standing) => target(memory, quest, Box::new(standing)),
        None => conclude(memory, quest),
    }
}

fn observe(mut memory: Memory, quest: Quest, compiled: Arc<compile::Compiled>) -> Turn {
    let revision = compiled.cleared.verified().revision();
    let stands = memory.generation.as_ref().is_some_and(|it| it.revision == *revision);
    let due = |last: Option<Duration>, every| last.is_none_or(|it| quest.now >= it + every);
    let vouches = stands && steady::is_due(&memory, &quest, &compiled);
    let full = quest.wish.thorough || !stands || vouches || due(memory.last_full, READ_EVERY);
    let asked = quest.wish.hint || quest.candidate.is_some();
    let is_due = due(memory.last_look, LOOK_EVERY) || may_supply(&memory, &quest);
    if stands && !full && !asked && !is_due {
        return conclude(memory, quest);
    }
    // A look at what is not kept says nothing of what stands.
    if stands {
        memory.last_look = Some(quest.now);
        memory.last_full = if full { Some(quest.now) } else { memory.last_full };
    }
    let depth = if full { Depth::Full } else { Depth::Stat };
    let survey = Box::new(plan::survey(&compiled, memory.generation.as_deref(), depth));
    let effect = Effect::Observe(survey.clone());
    turn(memory, Phase::Observing(quest, compiled, survey), effect)
}

/// An effect before the plan did not come off.
pub(super) fn failed(mut memory: Memory, mut quest: Quest, failure: &Failure) -> Turn {
    memory.compiled = None;
    (memory.last_look, memory.last_full) = (None, None);
    let (outcome, reason) = weigh(failure);
    quest.ending = Some(unsuccessful(&memory, outcome, reason, failure, None));
    conclude(memory, quest)
}

pub(super) fn unsuccessful(
    memory: &Memory,
    outcome: Outcome,
    reason: &str,
    failure: &Failure,
    revision: Option<String>,
) -> Ending {
    let why = (reason, failure.code.as_str(), failure.detail.as_str());
    let cycle = plain_cycle(outcome, revision, memory.standing(), why);
    Ending { cycle, again: outcome == Outcome::Failed }
}

/// Ends a cycle in which the host was not changed.
pub(super) fn conclude(memory: Memory, quest: Quest) -> Turn {
    let (mut memory, mut quest) = match steady::vouch(memory, quest) {
        Ok(turn) => return turn,
        Err(both) => *both,
    };
    testing::put_off(&mut memory, &mut quest);
    let ending = quest.ending.take().unwrap_or_else(|| {
        if quest.wish.is_revert() {
            // Nothing was done, and nobody said why: that is never told as a success.
            return nowhere(&memory, "the generation before could not be reached");
        }
        let why = ("ReconciliationSucceeded", "", "");
        let revision = memory.standing();
        let cycle = plain_cycle(Outcome::Unchanged, revision.clone(), revision, why);
        Ending { cycle, again: false }
    });
    let quiet = matches!(ending.cycle.outcome, Outcome::Unchanged | Outcome::Failed);
    if quest.wish.hint && quiet {
        // The remote was not asked: what is known of it stays known, and no failure of it is counted.
        return finish::rest_on(memory, ending);
    }
    if quest.wish.dry || quest.wish.order.is_some() {
        return finish::rest(memory, ending);
    }
    finish::alarm_once(memory, ending)
}

/// There is no way back.
pub(super) fn nowhere(memory: &Memory, detail: &str) -> Ending {
    let why = ("Refused", "nothing-to-revert", detail);
    let standing = memory.standing();
    let cycle = plain_cycle(Outcome::Refused, standing.clone(), standing, why);
    Ending { cycle, again: false }
}
