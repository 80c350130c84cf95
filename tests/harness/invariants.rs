//! What must hold on every host, whatever happens to it. The numbers are those of the design.
//!
//! **Invariant:** each function names one; the simulation asks them after every turn or history.

use bowline_api::outcome::Outcome;
use bowline_engine::phase::{Effect, Turn};
use bowline_model::form::Form;
use bowline_model::mark::{Mark, Verdict};

use crate::sim_host::SimHost;

/// 4: everything that stood at BEGIN still exists, in place, in a slot, or kept.
pub fn nothing_is_lost(host: &mut SimHost, turn: &Turn) {
    let ended =
        host.disk.journal.iter().chain(&turn.marks).any(|it| matches!(it, Mark::End { .. }));
    if ended {
        return;
    }
    let steps = host.disk.journal.iter().filter_map(|mark| match mark {
        Mark::StepIntent { steps } => Some(steps),
        _ => None,
    });
    let mut lost = Vec::new();
    for step in steps.flatten() {
        let Some(pre @ Form::File { .. }) = step.pre() else { continue };
        let live = host.disk.live.values().map(|it| &it.form);
        let staged = host.disk.slots.values().map(|it| &it.form);
        let kept = host.disk.kept.iter().map(|it| &it.form);
        if !live.chain(staged).chain(kept).any(|form| form == pre) {
            lost.push(format!("what stood at {:?} is lost", step.target()));
        }
    }
    host.broken.extend(lost);
}

/// 8: going back needs neither network nor Git.
pub fn no_outside_on_the_way_back(host: &mut SimHost, effect: &Effect) {
    let decided = |mark: &Mark| matches!(mark, Mark::Decide { verdict: Verdict::Revert, .. });
    let ended = |mark: &Mark| matches!(mark, Mark::End { .. });
    let on_the_way = host.disk.journal.iter().any(decided) && !host.disk.journal.iter().any(ended);
    let outside = matches!(
        effect,
        Effect::Fetch { .. }
            | Effect::Export(_)
            | Effect::Read { .. }
            | Effect::Obtain(..)
            | Effect::Stage(_)
    );
    if on_the_way && outside {
        host.broken.push(format!("the way back asks for {effect:?}"));
    }
}

/// 2 and 3: at rest, everything is old or everything is new, and as the last record says.
pub fn all_old_or_all_new(
    host: &SimHost,
    old: &std::collections::BTreeMap<String, Form>,
    new: &std::collections::BTreeMap<String, Form>,
) -> Result<(), String> {
    let now = host.forms();
    if now != *old && now != *new {
        return Err(format!("half-changed at rest: {now:#?}"));
    }
    let announced = host.disk.records.iter().any(|it| it.outcome == Outcome::Committed);
    if announced && now != *new {
        return Err("a commit was announced and is not there".to_owned());
    }
    if host.disk.generation.as_ref().is_some_and(|it| it.number == 2) && now != *new {
        return Err("the generation says new and the host is old".to_owned());
    }
    Ok(())
}

/// 6: nothing is left behind by a finished transaction.
pub fn nothing_left_behind(host: &SimHost) -> Result<(), String> {
    if !host.disk.journal.is_empty() {
        return Err(format!("a journal of {} records is left", host.disk.journal.len()));
    }
    if !host.disk.slots.is_empty() {
        return Err(format!("slots are left: {:?}", host.disk.slots.keys()));
    }
    Ok(())
}

/// 12: after a revert, the change is not applied again by itself.
pub fn quarantine_holds(host: &SimHost) -> Result<(), String> {
    let reverted = host.disk.records.iter().filter(|it| it.outcome == Outcome::Reverted).count();
    if reverted > 1 {
        Err(format!("the same change was reverted {reverted} times"))
    } else {
        Ok(())
    }
}
