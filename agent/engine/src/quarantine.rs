//! Remembers changes that failed, so that they are not tried again by themselves.
//!
//! **Invariant:** a quarantined change is never applied again by itself, in its revision or in any
//! descendant that still carries it; a descendant that changes one of its resources is new.

use bowline_model::digest::Sha256;
use bowline_model::generation::{Interrupted, Ledger, Quarantine};
use bowline_model::mark::{Blame, Change, Opening, Why};

/// Quarantined changes kept; the oldest goes first.
const ENTRIES_MAX: usize = 256;

/// Tries of a plan that are cut short by something else, before the plan itself is blamed.
pub const INTERRUPTIONS_MAX: u32 = 2;

/// The entry that a plan's changes would bring back.
pub fn blocks<'l>(ledger: &'l Ledger, delta: &[Change]) -> Option<&'l Quarantine> {
    let carries =
        |it: &&Quarantine| !it.delta.is_empty() && it.delta.iter().all(|one| delta.contains(one));
    ledger.quarantine.iter().rev().find(carries)
}

/// The ledger after a deployment was taken back.
pub fn after_revert(ledger: &Ledger, opening: &Opening, why: &Why, wall: i64) -> Ledger {
    let mut next = ledger.clone();
    if next.settled.as_deref() == Some(&opening.deployment) {
        return next;
    }
    next.settled = Some(opening.deployment.clone());
    let plan = identity(opening);
    let times = match &next.interrupted {
        Some(it) if it.plan == plan => it.times,
        _ => 0,
    };
    let is_interruption = why.code == "interrupted";
    let guilty = why.blame == Blame::Change || (is_interruption && times + 1 >= INTERRUPTIONS_MAX);
    if guilty {
        next.interrupted = None;
        next.quarantine.push(Quarantine {
            revision: opening.revision.clone(),
            deployment: opening.deployment.clone(),
            delta: opening.delta.clone(),
            reason: format!("{}: {}", why.reason, why.detail),
            at: wall,
        });
        let surplus = next.quarantine.len().saturating_sub(ENTRIES_MAX);
        next.quarantine.drain(..surplus);
    } else if is_interruption {
        next.interrupted = Some(Interrupted { plan, times: times + 1 });
    }
    next
}

/// The ledger after a deployment was kept.
pub fn after_commit(ledger: &Ledger, opening: &Opening) -> Ledger {
    let mut next = ledger.clone();
    next.settled = Some(opening.deployment.clone());
    next.interrupted = None;
    next
}

/// What makes two tries tries of the same thing.
fn identity(opening: &Opening) -> Sha256 {
    Sha256::of_value(&(&opening.revision, &opening.delta)).unwrap_or_default()
}
