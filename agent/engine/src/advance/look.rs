//! From a look at the host to a plan, and to the archives that it cannot do without.
//!
//! **Invariant:** an archive of a release that stands is asked for only where a member has to be staged, and after
//! everything else that drifted is repaired.

use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_model::release::Wanted;

use super::prepare::{ARTIFACT_AWAY, carry_out};
use super::{destination, turn};
use crate::compile::Compiled;
use crate::memory::Memory;
use crate::phase::{Effect, Failure, Looked, Phase, Quest, Turn};
use crate::plan::{self, Given, NoPlan, Plan};
use crate::quarantine;

/// Plans the way, or says why there is none.
pub(super) fn planned(mut memory: Memory, mut quest: Quest, looked: Looked) -> Turn {
    let generation = memory.generation.clone();
    let ledger = Arc::clone(&memory.ledger);
    let clean = quarantine::emptied(&ledger);
    let compiled = &looked.compiled;
    let given = Given {
        compiled,
        generation: generation.as_deref(),
        ledger: if quest.wish.is_retry() { &clean } else { &ledger },
        survey: &looked.survey,
        sight: &looked.sight,
        ordered: quest.wish.goes_back_to(compiled.cleared.verified().revision()),
    };
    let none = match plan::plan(&given) {
        Ok(plan) => {
            if let Some(wanted) = to_repair_with(&memory, &quest, compiled, &plan) {
                if plan.steps().is_empty() {
                    return supply(memory, quest, looked, wanted);
                }
                // What else drifted does not wait for a server.
                quest.is_unfinished = true;
            }
            memory.warnings.extend(plan.warnings().iter().cloned());
            return carry_out(memory, quest, plan);
        }
        Err(none) => none,
    };
    let detail = none.to_string();
    let (outcome, reason, code) = match &none {
        NoPlan::Refused { code, .. } => (Outcome::Refused, "Refused", *code),
        NoPlan::Held { reason, code, .. } => (Outcome::Held, *reason, *code),
        NoPlan::Short { resource, .. } => {
            if let Some(wanted) = worth_asking(&memory, &quest, compiled, *resource) {
                return supply(memory, quest, looked, wanted);
            }
            (Outcome::Held, "ArtifactAway", ARTIFACT_AWAY)
        }
    };
    let verified = compiled.cleared.verified().clone();
    destination::unplanned(memory, quest, &verified, outcome, (reason, code, &detail))
}

/// The archive of an artifact, unless it could not be had a moment ago or a hint is followed.
fn worth_asking(
    memory: &Memory,
    quest: &Quest,
    compiled: &Compiled,
    resource: u32,
) -> Option<Wanted> {
    let wanted = compiled.archive_of(resource)?;
    let waits = quest.wish.hint || memory.shortage.of(&wanted.archive, quest).is_some();
    (!waits).then_some(wanted)
}

/// The first archive without which a member that drifted cannot be put right.
fn to_repair_with(
    memory: &Memory,
    quest: &Quest,
    compiled: &Compiled,
    plan: &Plan,
) -> Option<Wanted> {
    if quest.wish.dry || quest.wish.paused.is_some() {
        return None;
    }
    plan.short().iter().find_map(|it| worth_asking(memory, quest, compiled, *it))
}

fn supply(memory: Memory, quest: Quest, looked: Looked, wanted: Wanted) -> Turn {
    let wanted = Box::new(wanted);
    let phase = Phase::Supplying(quest, Box::new(looked), wanted.clone());
    turn(memory, phase, Effect::Obtain(wanted))
}

/// The archive is here: plans again, with its members.
pub(super) fn supplied(mut memory: Memory, quest: Quest, looked: Looked, wanted: &Wanted) -> Turn {
    memory.shortage.is_over(&wanted.archive);
    let compiled = Arc::new(looked.compiled.supplied(wanted));
    memory.compiled = Some(Arc::clone(&compiled));
    planned(memory, quest, Looked { compiled, ..looked })
}

/// The archive cannot be had: plans again, without its members.
pub(super) fn unsupplied(
    mut memory: Memory,
    quest: Quest,
    looked: Looked,
    wanted: &Wanted,
    failure: Failure,
) -> Turn {
    memory.warnings.push(format!("{}: {}", failure.code, failure.detail));
    memory.shortage.note(wanted, failure);
    planned(memory, quest, looked)
}
