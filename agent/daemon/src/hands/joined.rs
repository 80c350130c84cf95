//! Two cycles told as one: a single cycle that went on with what it had put off.
//!
//! **Invariant:** what both did is told, and how the later ended; a repair that was kept is no less for a later look
//! that found nothing to do.

use std::mem;

use bowline_api::outcome::Outcome;
use bowline_engine::ending::Ending;

/// What both did, and how it ended. Nothing follows on it: it goes on once.
pub(super) fn joined(mut begun: Box<Ending>, mut ending: Box<Ending>) -> Box<Ending> {
    (begun.again, ending.again) = (false, false);
    let (first, last) = (&mut begun.cycle, &mut ending.cycle);
    first.steps.append(&mut last.steps);
    first.conflicts.append(&mut last.conflicts);
    for (all, more) in [(&mut first.warnings, &last.warnings), (&mut first.failing, &last.failing)]
    {
        let new: Vec<_> = more.iter().filter(|it| !all.contains(it)).cloned().collect();
        all.extend(new);
    }
    // Whatever the first told besides a repair, such as a remote that did not answer, the later one saw anew.
    if last.outcome == Outcome::Unchanged && first.outcome == Outcome::Committed {
        return begun;
    }
    last.steps = mem::take(&mut first.steps);
    last.conflicts = mem::take(&mut first.conflicts);
    last.warnings = mem::take(&mut first.warnings);
    last.failing = mem::take(&mut first.failing);
    ending
}

#[cfg(test)]
mod tests {
    use bowline_api::cycle::Cycle;

    use super::*;

    fn ending(outcome: Outcome, reason: &str, warning: &str) -> Box<Ending> {
        let plain = Cycle::plain(outcome, (reason, reason, "why"));
        let cycle = Cycle { warnings: vec![warning.to_owned()], ..plain };
        Box::new(Ending { cycle, again: true })
    }

    #[test]
    fn the_later_cycle_is_told_unless_it_only_found_a_repair_in_order() {
        use Outcome::{Committed, Failed, Held, Unchanged};
        for (first, last, told) in [
            ((Committed, "Drift"), (Unchanged, "Nothing"), (Committed, "Drift")),
            ((Committed, "Drift"), (Held, "Quarantined"), (Held, "Quarantined")),
            ((Committed, "Drift"), (Committed, "Later"), (Committed, "Later")),
            ((Failed, "FetchFailed"), (Unchanged, "Nothing"), (Unchanged, "Nothing")),
            ((Failed, "FetchFailed"), (Failed, "FetchFailed"), (Failed, "FetchFailed")),
        ] {
            let [one, two] =
                [(first, "one"), (last, "two")].map(|((it, why), w)| ending(it, why, w));
            let found = joined(one, two);
            assert_eq!(
                (found.cycle.outcome, found.cycle.reason.as_str()),
                told,
                "{first:?} {last:?}"
            );
            assert_eq!(found.cycle.warnings, ["one", "two"]);
            assert!(!found.again);
        }
    }
}
