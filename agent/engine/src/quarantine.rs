//! Remembers changes that failed, so that they are not tried again by themselves.
//!
//! **Invariant:** a quarantined change is never applied again by itself, in its revision or in any
//! descendant that still carries it; a descendant that changes one of its resources is new.

use bowline_model::change::Change;
use bowline_model::digest::Sha256;
use bowline_model::generation::{Interrupted, Ledger, Quarantine};
use bowline_model::mark::{Blame, Cause, Opening, Why};

/// Quarantined changes kept; the oldest goes first.
const ENTRIES_MAX: usize = 256;

/// Tries of a plan that are cut short by something else, before the plan itself is blamed.
pub const INTERRUPTIONS_MAX: u32 = 2;

/// The entry that a plan's changes would bring back.
pub fn blocks<'l>(ledger: &'l Ledger, delta: &[Change]) -> Option<&'l Quarantine> {
    ledger.quarantine.iter().rev().find(|it| is_carried(it, delta))
}

fn is_carried(entry: &Quarantine, delta: &[Change]) -> bool {
    !entry.delta.is_empty() && entry.delta.iter().all(|one| delta.contains(one))
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
    }
    // A repair has no delta of its own: it is the committed state that is not reached.
    if guilty && !opening.delta.is_empty() {
        let entry = Quarantine {
            revision: opening.revision.clone(),
            deployment: opening.deployment.clone(),
            delta: opening.delta.clone(),
            reason: format!("{}: {}", why.reason, why.detail),
            at: wall,
        };
        bar(&mut next, entry);
    }
    if is_interruption && !guilty {
        next.interrupted = Some(Interrupted { plan, times: times + 1 });
    }
    next
}

fn bar(ledger: &mut Ledger, entry: Quarantine) {
    ledger.quarantine.retain(|it| it.delta != entry.delta);
    ledger.quarantine.push(entry);
    let surplus = ledger.quarantine.len().saturating_sub(ENTRIES_MAX);
    ledger.quarantine.drain(..surplus);
}

/// The ledger after these changes were kept: they are barred no more, and what was left for them is.
///
/// Only a retry brings back what is barred, so for any other deployment nothing is forgotten.
pub fn after_change(ledger: &Ledger, delta: &[Change], left: Option<&Quarantine>) -> Ledger {
    let mut next = ledger.clone();
    next.quarantine.retain(|it| !is_carried(it, delta));
    if let Some(left) = left {
        bar(&mut next, left.clone());
    }
    next
}

/// The ledger as if nothing had failed.
pub(crate) fn emptied(ledger: &Ledger) -> Ledger {
    Ledger { quarantine: Vec::new(), ..ledger.clone() }
}

/// The ledger after a deployment was kept.
pub fn after_commit(ledger: &Ledger, opening: &Opening) -> Ledger {
    let mut next = after_change(ledger, &opening.delta, opening.withdraws.as_deref());
    next.settled = Some(opening.deployment.clone());
    // A repair that is kept says nothing of the change that was cut short.
    if opening.cause == Cause::Intentional {
        next.interrupted = None;
    }
    next
}

/// What makes two tries tries of the same thing.
fn identity(opening: &Opening) -> Sha256 {
    Sha256::of_value(&(&opening.revision, &opening.delta)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bowline_model::object_id::ObjectId;
    use bowline_model::revision::Revision;

    use super::*;

    fn opening(number: u64, cause: Cause, delta: Vec<Change>) -> Opening {
        let id = ObjectId::Sha1([1; 20]);
        let commit_sha256 = Sha256::of(b"commit");
        let revision = Revision { branch: "main".to_owned(), commit: id, commit_sha256, tree: id };
        Opening {
            deployment: format!("d{number:06}"),
            revision,
            base: None,
            generation: 0,
            plan: Sha256::default(),
            trust: Sha256::default(),
            boot: String::new(),
            attempt: 1,
            cause,
            delta,
            journal_bytes: 0,
            withdraws: None,
        }
    }

    fn guilty() -> Why {
        Why {
            reason: String::new(),
            code: String::new(),
            detail: String::new(),
            blame: Blame::Change,
        }
    }

    fn change(text: &str) -> Vec<Change> {
        vec![Change { resource: "File/a".to_owned(), digest: Sha256::of(text.as_bytes()) }]
    }

    #[test]
    fn repairs_that_fail_push_no_change_out() {
        let bad = change("bad");
        let first = opening(1, Cause::Intentional, bad.clone());
        let mut ledger = after_revert(&Ledger::default(), &first, &guilty(), 0);
        for number in 2..1_000 {
            let repair = opening(number, Cause::Corrective, Vec::new());
            ledger = after_revert(&ledger, &repair, &guilty(), 0);
        }
        assert!(blocks(&ledger, &bad).is_some());
        assert_eq!(ledger.quarantine.len(), 1);
    }

    #[test]
    fn what_is_kept_is_barred_no_more_and_nothing_else_is_forgotten() {
        // What was adopted without a deployment has no name for one.
        let unnamed = |text| Opening {
            deployment: String::new(),
            ..opening(1, Cause::Intentional, change(text))
        };
        let mut ledger = Ledger::default();
        for text in ["bad", "worse"] {
            let entry = Quarantine {
                revision: unnamed(text).revision,
                deployment: String::new(),
                delta: change(text),
                reason: String::new(),
                at: 0,
            };
            ledger = after_change(&ledger, &[], Some(&entry));
        }
        let ledger = after_commit(&ledger, &unnamed("bad"));
        assert!(blocks(&ledger, &change("bad")).is_none());
        assert!(blocks(&ledger, &change("worse")).is_some());
    }

    #[test]
    fn a_change_that_fails_again_stands_there_once() {
        let mut ledger = Ledger::default();
        for number in 1..1_000 {
            let again = opening(number, Cause::Intentional, change("bad"));
            ledger = after_revert(&ledger, &again, &guilty(), 0);
        }
        assert_eq!(ledger.quarantine.len(), 1);
    }

    #[test]
    fn a_repair_that_is_kept_says_nothing_of_a_change_that_was_cut_short() {
        let why = Why { code: "interrupted".to_owned(), blame: Blame::World, ..guilty() };
        let change = change("slow");
        let cut = |number| opening(number, Cause::Intentional, change.clone());
        let ledger = after_revert(&Ledger::default(), &cut(1), &why, 0);
        let ledger = after_commit(&ledger, &opening(2, Cause::Corrective, Vec::new()));
        let ledger = after_revert(&ledger, &cut(3), &why, 0);
        assert!(blocks(&ledger, &change).is_some(), "it was cut short twice");
        let why = Why { code: "stopped".to_owned(), ..why };
        let mut ledger = Ledger::default();
        for number in 1..9 {
            ledger = after_revert(&ledger, &cut(number), &why, 0);
        }
        assert!(blocks(&ledger, &change).is_none(), "it was only stopped");
    }
}
