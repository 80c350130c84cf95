//! What holds or refuses a plan as a whole: who the host is, what failed before, what cannot be undone.
//!
//! **Invariant:** nothing is taken away from a host that merely lost its name.

use std::collections::BTreeMap;

use bowline_model::change::Change;
use bowline_model::generation::{BYTES_MAX, Held, LINES_MAX};
use bowline_model::mark::Cause;
use bowline_model::release::HeldRelease;
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
            // What was committed without a step has no deployment.
            let by = match entry.deployment.as_str() {
                "" => String::new(),
                it => format!("; deployment {it}"),
            };
            let (names, reason) = (names(&entry.delta), &entry.reason);
            let detail = format!(
                "the change of {names} was taken back ({reason}{by}) and is not tried again by itself"
            );
            held("Quarantined", "quarantined", detail)
        }
        _ => Ok(()),
    }
}

/// What could not be read back is never committed.
pub(super) fn check_room(inventory: &[Held], releases: &[HeldRelease]) -> Result<(), NoPlan> {
    let earlier = || releases.iter().flat_map(|it| &it.lines);
    let lines = inventory.len() + earlier().count();
    let bytes: u64 = inventory.iter().chain(earlier()).map(bytes_of).sum();
    if lines <= LINES_MAX && bytes <= BYTES_MAX {
        return Ok(());
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for release in releases {
        *most.entry(&release.resource).or_default() += release.lines.len();
    }
    // The artifact whose earlier releases take most is the one to begin with.
    let largest = most.iter().max_by_key(|(_, lines)| **lines).filter(|(_, lines)| **lines > 0);
    let lower =
        largest.map(|(name, _)| format!(": lower spec.keep of {name}, or let it hold less"));
    let detail = format!(
        "the host would manage {lines} paths in {bytes} bytes of state, and there may be {LINES_MAX} in \
         {BYTES_MAX}{}",
        lower.unwrap_or_default()
    );
    Err(NoPlan::Refused { at: "the revision".to_owned(), code: "generation-too-large", detail })
}

/// What a line takes in a state file.
fn bytes_of(line: &Held) -> u64 {
    // Plain data, which always has a JSON form.
    serde_json::to_vec(line).map_or(0, |it| it.len() as u64 + 1)
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

#[cfg(test)]
mod tests {
    use bowline_model::digest::Sha256;
    use bowline_model::form::Form;
    use bowline_model::release::{Archive, Extract};

    use super::*;

    fn lines(resource: &str, count: usize, path: usize) -> Vec<Held> {
        let line = |at: usize| Held {
            path: format!("{}/{at}", format!("/{}", "d".repeat(34)).repeat(path)).parse().unwrap(),
            resource: resource.into(),
            form: Form::Directory { mode: 0o755, uid: 0, gid: 0 },
            created: true,
            prune: true,
        };
        (0..count).map(line).collect()
    }

    fn release(resource: &str, count: usize, path: usize) -> HeldRelease {
        let (sha256, name) = (Sha256::default(), "x".parse().unwrap());
        let archive = Archive { sha256, extract: Extract::Zip, name };
        let (folder, lines) = ("/opt/x".parse().unwrap(), lines(resource, count, path));
        HeldRelease { resource: resource.into(), archive, folder, lines, is_rest: false }
    }

    #[test]
    fn what_a_host_may_manage_has_a_limit_in_lines_and_in_bytes() {
        let (one, two) = ("Artifact/one", "Artifact/two");
        for (inventory, releases, names) in [
            (0, vec![], None),
            (1_000, vec![(one, 1_000, 30)], None),
            (LINES_MAX + 1, vec![], Some("there may be")),
            (100, vec![(one, 50, 1), (two, LINES_MAX, 1)], Some("spec.keep of Artifact/two")),
            (100, vec![(one, 28_500, 100), (two, 50, 1)], Some("spec.keep of Artifact/one")),
        ] {
            let releases: Vec<_> = releases
                .into_iter()
                .map(|(name, count, path)| release(name, count, path))
                .collect();
            let room = check_room(&lines("File/a", inventory, 1), &releases);
            let told = room.err().map(|it| it.to_string());
            let is_so = match (&told, names) {
                (Some(told), Some(name)) => told.contains(name),
                (told, name) => told.is_none() && name.is_none(),
            };
            assert!(is_so, "{inventory} lines: {told:?}");
        }
    }
}
