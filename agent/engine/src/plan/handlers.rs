//! Which units hear of a change, and which programs judge it in place.
//!
//! **Invariant:** each unit is told once, by its strongest action, and only if its resource changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::host_path::HostPath;
use bowline_model::manifest::{Action, Manifest, Spec};
use bowline_model::step::{Check, Handler};
use bowline_model::unit::Verb;

use super::Given;

/// What units are told because something else changed.
pub(super) type Actions = BTreeMap<String, Verb>;

/// Units to be told, each by its strongest action.
pub(super) fn actions(given: &Given<'_>, changed: &BTreeSet<Arc<str>>) -> Actions {
    let mut strongest = Actions::new();
    let resources = given.compiled.resources.iter().filter(|it| changed.contains(&it.id));
    resources.for_each(|it| add(&mut strongest, &it.manifest));
    strongest
}

/// Adds those whom a manifest wants told.
pub(super) fn add(strongest: &mut Actions, manifest: &Manifest) {
    for notify in &manifest.notify {
        let asked = verb(notify.action);
        let action = strongest.entry(notify.unit.as_str().to_owned()).or_insert(asked);
        *action = stronger(*action, asked);
    }
}

/// The stronger of two actions: a restart reads everything that a reload would.
pub(super) fn stronger(one: Verb, other: Verb) -> Verb {
    if strength(other) > strength(one) { other } else { one }
}

/// Units to be told, sorted by unit.
pub(super) fn handlers(actions: Actions) -> Vec<Handler> {
    let told = |(unit, action): (String, Verb)| Handler { unit, action: action.word().to_owned() };
    actions.into_iter().map(told).collect()
}

/// Programs that judge changed files in place: those that do not ask for the staged file, and those that
/// only come with this change.
pub(super) fn checks(given: &Given<'_>, changed: &BTreeSet<Arc<str>>) -> Vec<Check> {
    let resources = given.compiled.resources.iter().filter(|it| changed.contains(&it.id));
    resources
        .filter_map(|it| {
            let (validation, path) = match &it.manifest.spec {
                Spec::File(spec) => (spec.validate.as_ref()?, &spec.path),
                Spec::Template(spec) => (spec.validate.as_ref()?, &spec.path),
                _ => return None,
            };
            let argv = validation.argv().words().to_vec();
            let is_late = !validation.is_staged() || arrives(given, changed, &argv);
            let file = validation.is_staged().then(|| path.clone());
            is_late.then(|| Check { resource: Arc::clone(&it.id), argv, file })
        })
        .collect()
}

/// Whether a program comes with a release that only stands once files are in place.
pub(super) fn arrives(given: &Given<'_>, changed: &BTreeSet<Arc<str>>, argv: &[String]) -> bool {
    let program: Option<HostPath> = argv.first().and_then(|it| it.parse().ok());
    let Some(program) = program else { return false };
    let mut resources = given.compiled.resources.iter().filter(|it| changed.contains(&it.id));
    resources.any(|it| match &it.manifest.spec {
        Spec::Artifact(spec) => program.is_within(&spec.link) || program.is_within(spec.folder()),
        _ => false,
    })
}

fn strength(action: Verb) -> u8 {
    match action {
        Verb::Restart => 2,
        Verb::ReloadOrRestart => 1,
        _ => 0,
    }
}

fn verb(action: Action) -> Verb {
    match action {
        Action::Restart => Verb::Restart,
        Action::Reload => Verb::Reload,
        Action::ReloadOrRestart => Verb::ReloadOrRestart,
    }
}
