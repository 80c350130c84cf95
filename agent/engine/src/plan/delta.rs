//! Names what a revision changes against the committed generation, so that it can be known again.
//!
//! **Invariant:** a change is its resource and the digest of what the resource should become; neither
//! the host's state nor the revision is in it, so drift cannot hide one.

use std::collections::BTreeMap;

use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::generation::{Generation, HeldUnit};
use bowline_model::manifest::Spec;
use bowline_model::mark::Change;

use super::Given;
use crate::compile::Compiled;

/// What resources should become, by resource: each path with its form.
type Wishes<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a Form)>>;

/// What the revision changes, and every command, unit and probe of it by its digest.
///
/// Probes are always in it: whoever mends only a probe has made a new change.
///
/// Under the revision that stands, it is what facts or labels made of it since: they may change what a
/// resource should become, and that can fail as any other change.
pub(super) fn delta(given: &Given<'_>, asked: bool) -> (Vec<Change>, Vec<Change>) {
    let programs = programs(given.compiled);
    if !asked {
        return (Vec::new(), programs);
    }
    (changes(given.compiled, given.generation, &programs), programs)
}

/// What a revision changes against a generation, whatever stands now.
pub fn change_since(compiled: &Compiled, generation: &Generation) -> Vec<Change> {
    changes(compiled, Some(generation), &programs(compiled))
}

fn changes(
    compiled: &Compiled,
    generation: Option<&Generation>,
    programs: &[Change],
) -> Vec<Change> {
    let mut wanted: Wishes<'_> = BTreeMap::new();
    for object in compiled.objects.iter().filter(|it| it.form != Form::Absent) {
        if let Some(resource) = compiled.resource_of(object)
            && !is_unit(&resource.id)
        {
            wanted.entry(&resource.id).or_default().push((object.path.as_str(), &object.form));
        }
    }
    let mut stood: Wishes<'_> = BTreeMap::new();
    let lines = generation.iter().flat_map(|it| &it.inventory);
    for line in lines.filter(|it| !is_unit(&it.resource)) {
        stood.entry(&line.resource).or_default().push((line.path.as_str(), &line.form));
    }
    for forms in wanted.values_mut().chain(stood.values_mut()) {
        forms.sort_unstable_by_key(|(path, _)| *path);
    }
    // What a fact makes of a template is not the change: it would have another name on each kernel.
    let resources = compiled.resources.iter();
    let unrendered: BTreeMap<&str, Sha256> =
        resources.filter_map(|it| Some((&*it.id, it.unrendered?))).collect();
    let mut changed: Vec<Change> = wanted
        .iter()
        .filter(|(resource, forms)| stood.get(*resource) != Some(*forms))
        .map(|(resource, forms)| match unrendered.get(resource) {
            Some(digest) => Change { resource: (*resource).to_owned(), digest: *digest },
            None => change(resource, forms),
        })
        .collect();
    let gone = stood.keys().filter(|it| !wanted.contains_key(*it));
    changed.extend(gone.map(|resource| change(resource, &[])));
    let is_gone = |it: &&HeldUnit| !programs.iter().any(|one| *one.resource == *it.resource);
    let units = generation.into_iter().flat_map(|it| &it.units);
    changed.extend(units.filter(is_gone).map(|it| change(&it.resource, &[])));
    let before = generation.map(|it| it.commands.as_slice()).unwrap_or_default();
    let is_new = |it: &&Change| !before.contains(it) || it.resource.starts_with("Probe/");
    changed.extend(programs.iter().filter(is_new).cloned());
    changed.sort_unstable();
    // A revision that changes probes only applies nothing that could fail.
    if changed.iter().all(|it| it.resource.starts_with("Probe/")) {
        changed.clear();
    }
    changed
}

/// What a unit should become is its text and its state, and one digest stands for both.
fn is_unit(resource: &str) -> bool {
    resource.starts_with("Unit/")
}

fn programs(compiled: &Compiled) -> Vec<Change> {
    let resources = compiled.resources.iter();
    let programs = resources
        .filter(|it| matches!(it.manifest.spec, Spec::Command(_) | Spec::Probe(_) | Spec::Unit(_)));
    let change = |it: &crate::compile::Resource| {
        let digest = it.manifest.spec_digest().ok()?;
        Some(Change { resource: it.id.to_string(), digest })
    };
    let mut programs: Vec<Change> = programs.filter_map(change).collect();
    programs.sort_unstable();
    programs
}

fn change(resource: &str, forms: &[(&str, &Form)]) -> Change {
    // Paths and forms are plain data, which always has a JSON form.
    let digest = Sha256::of_list(forms).unwrap_or_default();
    Change { resource: resource.to_owned(), digest }
}
