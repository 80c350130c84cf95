//! Says what must be looked at before a plan can be made.
//!
//! **Invariant:** every path a plan may touch, and every folder it needs, is asked for once, sorted.

use std::collections::BTreeSet;

use bowline_model::form::Form;
use bowline_model::generation::Generation;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{CommandSpec, Guard as Written, Spec, State};
use bowline_model::survey::{Condition, Depth, Guard, Survey};

use super::releases;
use crate::compile::Compiled;

/// What to look at for a compiled revision, beside what the host last committed.
pub fn survey(compiled: &Compiled, generation: Option<&Generation>, depth: Depth) -> Survey {
    let mut paths: Vec<HostPath> = compiled.objects.iter().map(|it| it.path.clone()).collect();
    paths.extend(generation.iter().flat_map(|it| &it.inventory).map(|it| it.path.clone()));
    let parents: BTreeSet<HostPath> =
        compiled.objects.iter().filter_map(|it| it.path.parent()).collect();
    paths.extend(parents);
    let releases = releases::sort(compiled, generation);
    paths.extend(releases.surplus().map(|it| it.path.clone()));
    paths.sort_unstable();
    paths.dedup();
    let mut listings = Vec::new();
    let mut guards = Vec::new();
    for resource in &compiled.resources {
        match &resource.manifest.spec {
            Spec::Directory(spec) if spec.purge_unmanaged || spec.state == State::Absent => {
                listings.push(spec.path.clone());
            }
            Spec::Command(spec) => guards.push(guard(&resource.id, spec)),
            _ => {}
        }
    }
    // Folders that may be pruned: only an empty one is taken away.
    let wanted: BTreeSet<&HostPath> = compiled.objects.iter().map(|it| &it.path).collect();
    let folders = generation.iter().flat_map(|it| &it.inventory).chain(releases.surplus());
    let folders = folders.filter(|it| matches!(it.form, Form::Directory { .. }));
    let gone: BTreeSet<_> = folders.map(|it| &it.path).filter(|it| !wanted.contains(it)).collect();
    listings.extend(gone.into_iter().cloned());
    Survey { paths, listings, guards, units: units(compiled, generation), depth }
}

/// Units that are wanted, and those that were.
fn units(compiled: &Compiled, generation: Option<&Generation>) -> Vec<String> {
    let wanted = compiled.resources.iter().filter_map(|it| match &it.manifest.spec {
        // A service manager knows a template by its instances only.
        Spec::Unit(spec) if !spec.is_template() => Some(spec.name.as_str().to_owned()),
        _ => None,
    });
    let held = generation.into_iter().flat_map(|it| &it.units);
    let held = held.filter(|it| !it.unit.contains("@.")).map(|it| it.unit.clone());
    wanted.chain(held).collect::<BTreeSet<_>>().into_iter().collect()
}

fn guard(resource: &str, spec: &CommandSpec) -> Guard {
    let condition = match &spec.guard {
        Written::Creates(path) => Condition::Creates(path.clone()),
        Written::Unless(argv) => Condition::Unless(argv.words().to_vec()),
        Written::OnlyIf(argv) => Condition::OnlyIf(argv.words().to_vec()),
    };
    Guard {
        resource: resource.to_owned(),
        condition,
        timeout_ms: u64::try_from(spec.timeout.as_duration().as_millis()).unwrap_or(u64::MAX),
        run_as: spec.run_as.as_ref().map(|it| it.as_str().to_owned()),
    }
}
