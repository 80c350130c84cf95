//! Which units hear of a change, and which programs judge it in place.
//!
//! **Invariant:** each unit is told once, by its strongest action, and only if its resource changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::manifest::{Action, Spec};
use bowline_model::step::{Check, Handler};

use super::Given;

/// Units to be told, sorted by unit.
pub(super) fn handlers(given: &Given<'_>, changed: &BTreeSet<Arc<str>>) -> Vec<Handler> {
    let mut strongest: BTreeMap<&str, Action> = BTreeMap::new();
    let resources = given.compiled.resources.iter().filter(|it| changed.contains(&it.id));
    for notify in resources.flat_map(|it| &it.manifest.notify) {
        let action = strongest.entry(notify.unit.as_str()).or_insert(notify.action);
        if strength(notify.action) > strength(*action) {
            *action = notify.action;
        }
    }
    let handler = |(unit, action): (&str, Action)| Handler {
        unit: unit.to_owned(),
        action: word(action).to_owned(),
    };
    strongest.into_iter().map(handler).collect()
}

/// Programs that judge changed files in place: those that do not ask for the staged file.
pub(super) fn checks(given: &Given<'_>, changed: &BTreeSet<Arc<str>>) -> Vec<Check> {
    let resources = given.compiled.resources.iter().filter(|it| changed.contains(&it.id));
    resources
        .filter_map(|it| {
            let validation = match &it.manifest.spec {
                Spec::File(spec) => spec.validate.as_ref(),
                Spec::Template(spec) => spec.validate.as_ref(),
                _ => None,
            };
            let validation = validation.filter(|it| !it.is_staged())?;
            let argv = validation.argv().words().to_vec();
            Some(Check { resource: Arc::clone(&it.id), argv })
        })
        .collect()
}

fn strength(action: Action) -> u8 {
    match action {
        Action::Reload => 0,
        Action::ReloadOrRestart => 1,
        Action::Restart => 2,
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Restart => "restart",
        Action::Reload => "reload",
        Action::ReloadOrRestart => "reload-or-restart",
    }
}
