//! What a person orders: back to the generation before, or once more what failed.
//!
//! **Invariant:** going back is a deployment like any other, of a revision that this host committed
//! before: verified, planned, staged, probed, and taken back itself if it fails.
//! **Invariant:** the change that is left is quarantined by the same mark that decides to keep the
//! earlier generation: after a crash there is either both or neither.

use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_model::bundle::Bundle;
use bowline_model::change::Change;
use bowline_model::generation::Quarantine;
use bowline_model::revision::Revision;

use super::{destination, turn};
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Effect, Phase, Quest, Turn};
use crate::plan::{self, Plan};
use crate::report::plain_cycle;
use crate::verify;
use crate::wish::Order;

/// A retry forgets what would keep it from trying. What is quarantined stays so until it is kept.
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

/// The change that an order to go back leaves, or why there is no way back.
pub(super) fn leave(memory: &Memory, quest: &Quest) -> Result<Vec<Change>, Box<Ending>> {
    let nowhere = |detail: &str| Err(Box::new(destination::nowhere(memory, detail)));
    let (Some(Order::Revert { to: Some(to), .. }), Some(now)) =
        (&quest.wish.order, memory.generation.as_deref())
    else {
        return nowhere("this host keeps no generation before the committed one");
    };
    if to.number >= now.number {
        return nowhere("this host keeps no generation before the committed one");
    }
    let left = plan::change_between(now, to);
    if left.is_empty() {
        return nowhere("the generation before asks for the same");
    }
    Ok(left)
}

/// Goes on to the revision before, under the policy in force: also from a revision that it revokes,
/// which may be why somebody goes back.
pub(super) fn go_back(memory: Memory, mut quest: Quest, to: &Revision, bundle: &Bundle) -> Turn {
    let marks = memory.high_water.as_ref();
    let judged = quest.judged.as_deref();
    let settings = memory.settings.as_deref();
    let policy =
        settings.and_then(|it| verify::policy_in_force(it, judged, marks, bundle, quest.wall));
    // Without one, what was said of the newest revision says why.
    let Some(policy) = policy else { return destination::conclude(memory, quest) };
    if let Some(before) = verify::under(&policy, to) {
        // What is said of the newest revision is another matter.
        quest.ending = None;
        destination::target(memory, quest, Box::new(before))
    } else {
        quest.ending = Some(revoked(&memory, to));
        destination::conclude(memory, quest)
    }
}

fn revoked(memory: &Memory, to: &Revision) -> Ending {
    let why = ("Refused", "revision-revoked", "the policy revokes the revision before");
    let revision = Some(to.to_string());
    let cycle = plain_cycle(Outcome::Refused, revision, memory.standing(), why);
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

/// Shows a plan that nobody carries out.
pub(super) fn show(memory: Memory, quest: Quest, plan: &Plan) -> Turn {
    turn(memory, Phase::Showing(quest), Effect::Show(Box::new(plan.view())))
}
