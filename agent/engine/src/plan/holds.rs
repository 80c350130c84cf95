//! What holds or refuses a plan as a whole: who the host is, what failed before, what cannot be undone.
//!
//! **Invariant:** nothing is taken away from a host that merely lost its name.

use bowline_model::change::Change;
use bowline_model::mark::Cause;
use bowline_model::step::{Class, Step};

use super::{Given, NoPlan, STEPS_MAX};
use crate::quarantine;

/// A host that was somebody and is nobody now would lose everything that is meant for it.
pub(super) fn check_identity(given: &Given<'_>) -> Result<(), NoPlan> {
    let Some(before) = given.generation.and_then(|it| it.host.as_ref()) else { return Ok(()) };
    if given.compiled.host.is_some() {
        return Ok(());
    }
    let detail = format!(
        "this host was {before}, and no Host names its key any more: nothing is taken away for that"
    );
    Err(NoPlan::Held { reason: "HostUnknown", code: "host-unknown", detail })
}

/// What holds a plan: its size, and changes that failed before.
pub(super) fn check_holds(
    given: &Given<'_>,
    cause: Cause,
    steps: usize,
    delta: &[Change],
) -> Result<(), NoPlan> {
    let held = |reason, code, detail| Err(NoPlan::Held { reason, code, detail });
    if steps > STEPS_MAX {
        let detail = format!("{steps} steps; at most {STEPS_MAX} are done at once");
        return held("Progressing", "plan-too-large", detail);
    }
    match quarantine::blocks(given.ledger, delta) {
        Some(entry) if cause == Cause::Intentional => {
            let detail = format!(
                "the change of {} failed in deployment {} ({}) and is not tried again by itself",
                names(&entry.delta),
                entry.deployment,
                entry.reason
            );
            held("Quarantined", "quarantined", detail)
        }
        _ => Ok(()),
    }
}

/// A few names tell a person which change is meant.
fn names(delta: &[Change]) -> String {
    let few: Vec<&str> = delta.iter().take(3).map(|it| it.resource.as_str()).collect();
    let more = delta.len().saturating_sub(few.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", few.join(", "))
}

/// Resources whose change cannot be taken back.
pub(super) fn irreversible(given: &Given<'_>, steps: &[Step]) -> Result<Vec<String>, NoPlan> {
    let mut names: Vec<String> = Vec::new();
    for step in steps.iter().filter(|step| step.class == Class::None) {
        let resource = given.compiled.resources.iter().find(|it| it.id == step.resource);
        if let Some(manifest) =
            resource.map(|it| &it.manifest).filter(|it| it.policy.require_reversible)
        {
            let detail =
                format!("{} cannot be taken back, and it says requireReversible", step.resource);
            return Err(NoPlan::Refused {
                at: manifest.origin.to_string(),
                code: "irreversible",
                detail,
            });
        }
        if names.last().map(String::as_str) != Some(&*step.resource) {
            names.push(step.resource.to_string());
        }
    }
    Ok(names)
}
