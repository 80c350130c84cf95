//! Names what a plan changes, so that it can be known again.
//!
//! **Invariant:** a change is its resource and the digest of what the resource should become; neither
//! the host's state nor the revision is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::manifest::Spec;
use bowline_model::mark::Change;
use bowline_model::step::Step;

use super::Given;

/// What the steps change, and every command of the revision by the digest of what runs.
pub(super) fn delta(given: &Given<'_>, steps: &[Step]) -> (Vec<Change>, Vec<Change>) {
    let mut commands: Vec<Change> = given
        .compiled
        .resources
        .iter()
        .filter(|it| matches!(it.manifest.spec, Spec::Command(_)))
        .filter_map(|it| {
            let digest = it.manifest.spec_digest().ok()?;
            Some(Change { resource: it.id.to_string(), digest })
        })
        .collect();
    commands.sort_unstable();
    let changed: BTreeSet<&Arc<str>> = steps.iter().map(|step| &step.resource).collect();
    if changed.is_empty() {
        return (Vec::new(), commands);
    }
    let mut forms: BTreeMap<&Arc<str>, Vec<(&str, &Form)>> = BTreeMap::new();
    for object in &given.compiled.objects {
        if let Some(resource) =
            given.compiled.resource_of(object).filter(|it| changed.contains(&it.id))
        {
            forms.entry(&resource.id).or_default().push((object.path.as_str(), &object.form));
        }
    }
    let digest_of = |resource: &Arc<str>| {
        let command = commands.iter().find(|it| it.resource == **resource).map(|it| it.digest);
        // A resource without objects or command is one that is pruned: it becomes nothing.
        command.or_else(|| Sha256::of_value(&forms.get(resource)).ok()).unwrap_or_default()
    };
    let change = |it: &Arc<str>| Change { resource: it.to_string(), digest: digest_of(it) };
    (changed.into_iter().map(change).collect(), commands)
}
