//! From a look at the host to a plan, and to the archives that it cannot do without.
//!
//! **Invariant:** a server is asked for the archive of a release that stands only where a member has to be staged,
//! and after everything else that drifted is repaired; what is here is used at once.
//! **Invariant:** what a look leaves for want of its archive is looked at again as soon as the archive may be asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_model::release::Wanted;

use super::prepare::{ARTIFACT_AWAY, carry_out};
use super::{destination, turn};
use crate::compile::Compiled;
use crate::memory::{Memory, Wait};
use crate::phase::{Effect, Failure, Looked, Means, Phase, Quest, Turn};
use crate::plan::{self, Given, NoPlan};
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
            let can_wait = !plan.steps().is_empty() && !memory.wait.is_put_off;
            match next_archive(&memory, &quest, compiled, plan.short(), can_wait) {
                Next::Ask(wanted, means) => return supply(memory, quest, looked, wanted, means),
                // What else drifted does not wait for a server.
                Next::Later => quest.is_unfinished = true,
                Next::Nothing => {}
            }
            if !quest.wish.dry {
                let archives = plan.short().iter().filter_map(|it| compiled.archive_of(*it));
                let archives = archives.map(|it| it.archive).collect();
                memory.wait = Wait { archives, is_put_off: quest.is_unfinished };
            }
            memory.warnings.extend(plan.warnings().iter().cloned());
            return carry_out(memory, quest, plan);
        }
        Err(none) => none,
    };
    let revision = compiled.cleared.verified().revision();
    if memory.generation.as_ref().is_some_and(|it| it.revision == *revision) {
        quest.in_order = Some(false);
    }
    let detail = none.to_string();
    let (outcome, reason, code) = match &none {
        NoPlan::Refused { code, .. } => (Outcome::Refused, "Refused", *code),
        NoPlan::Held { reason, code, .. } => (Outcome::Held, *reason, *code),
        NoPlan::Short { resource, .. } => {
            let short = BTreeSet::from([*resource]);
            match next_archive(&memory, &quest, compiled, &short, false) {
                Next::Ask(wanted, means) => return supply(memory, quest, looked, wanted, means),
                // The next poll asks, and says what came of it.
                _ if quest.wish.hint => {
                    let verified = compiled.cleared.verified().clone();
                    return destination::stay(memory, quest, &verified);
                }
                _ => {
                    let archive = compiled.archive_of(*resource).map(|it| it.archive);
                    memory.wait.archives.extend(archive);
                    (Outcome::Held, "ArtifactAway", ARTIFACT_AWAY)
                }
            }
        }
    };
    let verified = compiled.cleared.verified().clone();
    destination::unplanned(memory, quest, &verified, outcome, (reason, code, &detail))
}

/// What is done for archives that a plan lacks.
enum Next {
    /// This one is asked for, with these means.
    Ask(Wanted, Means),
    /// A server is asked in the next cycle.
    Later,
    /// They are all waited for, or not needed.
    Nothing,
}

/// The first archive without which a member cannot be put right: first what is here, then what a server may be
/// asked for.
fn next_archive(
    memory: &Memory,
    quest: &Quest,
    compiled: &Compiled,
    short: &BTreeSet<u32>,
    can_wait: bool,
) -> Next {
    if quest.wish.paused.is_some() {
        return Next::Nothing;
    }
    let wanted = || short.iter().filter_map(|it| compiled.archive_of(*it));
    if let Some(wanted) = wanted().find(|it| !quest.absent.contains(&it.archive)) {
        return Next::Ask(wanted, Means::Local);
    }
    let may_ask = !quest.wish.hint && !quest.wish.dry;
    let is_free = |it: &Wanted| may_ask && memory.shortage.of(&it.archive, quest).is_none();
    match wanted().find(is_free) {
        None => Next::Nothing,
        Some(_) if can_wait => Next::Later,
        Some(wanted) => Next::Ask(wanted, Means::Remote),
    }
}

fn supply(memory: Memory, quest: Quest, looked: Looked, wanted: Wanted, means: Means) -> Turn {
    let wanted = Box::new(wanted);
    let phase = Phase::Supplying(quest, Box::new(looked), wanted.clone(), means);
    turn(memory, phase, Effect::Obtain(wanted, means))
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
    mut quest: Quest,
    looked: Looked,
    (wanted, means): (&Wanted, Means),
    failure: Failure,
) -> Turn {
    if means == Means::Local {
        quest.absent.insert(wanted.archive.clone());
        return planned(memory, quest, looked);
    }
    memory.warnings.push(format!("{}: {}", failure.code, failure.detail));
    memory.shortage.note(wanted, failure);
    planned(memory, quest, looked)
}
