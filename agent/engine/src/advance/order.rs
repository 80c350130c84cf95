//! What a person orders: back to the generation before, or once more what failed.
//!
//! **Invariant:** going back is a deployment like any other, of a revision that this host committed
//! before: verified, planned, staged, probed, and taken back itself if it fails.
//! **Invariant:** the change that is left is quarantined by the same mark that decides to keep the
//! earlier generation: after a crash there is either both or neither.

use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_model::generation::{Generation, Quarantine};

use super::{finish, source, turn};
use crate::compile::Compiled;
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Effect, Phase, Quest, Turn};
use crate::plan::{self, Plan};
use crate::quarantine;
use crate::report::plain_cycle;
use crate::wish::Order;

/// A retry forgets what would keep it from trying.
pub(super) fn forget_failures(memory: Memory) -> Memory {
    let mut ledger = (*memory.ledger).clone();
    ledger.interrupted = None;
    Memory {
        ledger: Arc::new(ledger),
        failures: 0,
        parked: None,
        alarmed: None,
        last_look: None,
        last_full: None,
        ..memory
    }
}

/// Why an order to go back cannot be carried out at all; none while it can.
pub(super) fn hopeless(memory: &Memory, quest: &Quest) -> Option<Ending> {
    let Some(Order::Revert { to, .. }) = &quest.wish.order else { return None };
    let standing = memory.generation.as_ref();
    let is_before = |it: &Generation| standing.is_some_and(|now| it.number < now.number);
    if to.as_deref().is_some_and(is_before) {
        return None;
    }
    Some(nowhere(memory, "this host keeps no generation before the committed one"))
}

fn nowhere(memory: &Memory, detail: &str) -> Ending {
    let why = ("Refused", "nothing-to-revert", detail);
    let standing = source::standing(memory);
    let cycle = plain_cycle(Outcome::Refused, standing.clone(), standing, why);
    Ending { cycle, again: false }
}

/// The committed revision is compiled: names the change that is left, and goes on to the revision before.
pub(super) fn leave(
    memory: Memory,
    mut quest: Quest,
    compiled: &Compiled,
    to: &Generation,
) -> Turn {
    let delta = plan::change_since(compiled, to);
    let before = compiled.cleared.verified().instead(&to.revision);
    quest.ending = match &before {
        _ if delta.is_empty() => Some(nowhere(&memory, "the generation before asks for the same")),
        None => Some(revoked(&memory, to)),
        Some(_) => None,
    };
    match before.filter(|_| quest.ending.is_none()) {
        Some(before) => {
            quest.leaving = Some(delta);
            source::target(memory, quest, Box::new(before))
        }
        None => source::conclude(memory, quest),
    }
}

fn revoked(memory: &Memory, to: &Generation) -> Ending {
    let why = ("Refused", "revision-revoked", "the policy revokes the revision before");
    let revision = Some(to.revision.to_string());
    let cycle = plain_cycle(Outcome::Refused, revision, source::standing(memory), why);
    Ending { cycle, again: false }
}

/// What a deployment quarantines once it is kept.
pub(super) fn withdrawal(memory: &Memory, quest: &Quest, plan: &Plan) -> Option<Box<Quarantine>> {
    let Some(Order::Revert { because, .. }) = &quest.wish.order else { return None };
    // The way may have been held, and what stands is repaired instead.
    if !quest.wish.goes_back_to(plan.revision()) {
        return None;
    }
    let standing = memory.generation.as_ref()?;
    Some(Box::new(Quarantine {
        revision: standing.revision.clone(),
        deployment: standing.deployment.clone(),
        delta: quest.leaving.clone()?,
        reason: because.clone(),
        at: quest.wall,
    }))
}

/// The change is tried once more: what barred it is forgotten.
pub(super) fn forgive(mut memory: Memory, plan: &Plan) -> Memory {
    memory.ledger = Arc::new(quarantine::without(&memory.ledger, plan.delta()));
    memory
}

/// Shows a plan that nobody carries out.
pub(super) fn show(memory: Memory, quest: Quest, plan: &Plan) -> Turn {
    turn(memory, Phase::Showing(quest), Effect::Show(Box::new(plan.view())))
}

/// Nobody hears of the end of such a cycle but who asked for it.
pub(super) fn end_quietly(memory: Memory, ending: Ending) -> Turn {
    finish::rest(memory, ending)
}
