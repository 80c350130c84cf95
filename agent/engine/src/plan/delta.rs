//! Names what a revision changes against the committed generation, so that it can be known again.
//!
//! **Invariant:** a change is its resource and the digest of what the resource should become; neither
//! the host's state nor the revision is in it, so drift cannot hide one.

use std::collections::BTreeMap;

use bowline_model::change::Change;
use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::generation::{Generation, HeldUnit};
use bowline_model::manifest::Spec;

use super::Given;
use crate::compile::{Compiled, Resource};

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
    let templates = templates(given.compiled);
    let asked = Asked { files: files(given.compiled), templates: &templates, programs: &programs };
    (changes(asked, given.generation, Probes::All), programs)
}

/// What one generation changed against another that stood before it: neither Git nor the host is asked.
///
/// Probes that both have are no part of it: the change is the same whoever judges it.
pub fn change_between(now: &Generation, before: &Generation) -> Vec<Change> {
    let asked =
        Asked { files: held(Some(now)), templates: &now.templates, programs: &now.commands };
    changes(asked, Some(before), Probes::Changed)
}

/// What is asked for.
struct Asked<'a> {
    files: Wishes<'a>,
    templates: &'a [Change],
    programs: &'a [Change],
}

/// Which probes count as changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Probes {
    All,
    Changed,
}

fn files(compiled: &Compiled) -> Wishes<'_> {
    let mut wanted: Wishes<'_> = BTreeMap::new();
    for object in compiled.objects.iter().filter(|it| it.form != Form::Absent) {
        if let Some(resource) = compiled.resource_of(object)
            && !is_unit(&resource.id)
        {
            wanted.entry(&resource.id).or_default().push((object.path.as_str(), &object.form));
        }
    }
    sorted(wanted)
}

fn held(generation: Option<&Generation>) -> Wishes<'_> {
    let mut stood: Wishes<'_> = BTreeMap::new();
    let lines = generation.into_iter().flat_map(|it| &it.inventory);
    for line in lines.filter(|it| !is_unit(&it.resource)) {
        stood.entry(&line.resource).or_default().push((line.path.as_str(), &line.form));
    }
    sorted(stood)
}

fn sorted(mut wishes: Wishes<'_>) -> Wishes<'_> {
    for forms in wishes.values_mut() {
        forms.sort_unstable_by_key(|(path, _)| *path);
    }
    wishes
}

fn changes(asked: Asked<'_>, generation: Option<&Generation>, probes: Probes) -> Vec<Change> {
    let Asked { files: wanted, templates, programs } = asked;
    let stood = held(generation);
    // What a fact makes of a template is not the change: it would have another name on each kernel.
    let unrendered = |resource: &str| templates.iter().find(|it| it.resource == resource).cloned();
    let mut changed: Vec<Change> = wanted
        .iter()
        .filter(|(resource, forms)| stood.get(*resource) != Some(*forms))
        .map(|(resource, forms)| unrendered(resource).unwrap_or_else(|| change(resource, forms)))
        .collect();
    let gone = stood.keys().filter(|it| !wanted.contains_key(*it));
    changed.extend(gone.map(|resource| change(resource, &[])));
    let is_gone = |it: &&HeldUnit| !programs.iter().any(|one| *one.resource == *it.resource);
    let units = generation.into_iter().flat_map(|it| &it.units);
    changed.extend(units.filter(is_gone).map(|it| change(&it.resource, &[])));
    let before = generation.map(|it| it.commands.as_slice()).unwrap_or_default();
    let always = |it: &Change| probes == Probes::All && it.resource.starts_with("Probe/");
    changed.extend(programs.iter().filter(|it| !before.contains(it) || always(it)).cloned());
    changed.sort_unstable();
    // A revision that changes probes only applies nothing that could fail.
    if changed.iter().all(|it| it.resource.starts_with("Probe/")) {
        changed.clear();
    }
    changed
}

/// Templates by the digest of their text and values, before facts come in.
pub(super) fn templates(compiled: &Compiled) -> Vec<Change> {
    let unrendered =
        |it: &Resource| Some(Change { resource: it.id.to_string(), digest: it.unrendered? });
    compiled.resources.iter().filter_map(unrendered).collect()
}

/// What a unit should become is its text and its state, and one digest stands for both.
fn is_unit(resource: &str) -> bool {
    resource.starts_with("Unit/")
}

fn programs(compiled: &Compiled) -> Vec<Change> {
    let resources = compiled.resources.iter();
    let programs = resources
        .filter(|it| matches!(it.manifest.spec, Spec::Command(_) | Spec::Probe(_) | Spec::Unit(_)));
    let change = |it: &Resource| {
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
