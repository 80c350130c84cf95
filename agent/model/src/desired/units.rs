//! Whether manifests of units can stand together, and what may come after one.
//!
//! **Invariant:** a unit has one manifest on a host.
//! **Invariant:** units are told once all files stand, so only units and commands come after one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Together;
use crate::manifest::{Kind, Manifest, ResourceId, Spec};
use crate::read::Faults;

/// Two manifests that meet on a host and name one unit.
pub(super) fn check(resources: &[Arc<Manifest>], together: Together, faults: &mut Faults) {
    let mut named: BTreeMap<&str, Vec<&Arc<Manifest>>> = BTreeMap::new();
    for manifest in resources {
        let Spec::Unit(spec) = &manifest.spec else { continue };
        let rivals = named.entry(spec.name.as_str()).or_default();
        if let Some(first) = rivals.iter().find(|it| together(&it.target, &manifest.target)) {
            let (id, origin) = (first.id(), &first.origin);
            let message = format!("the unit of {id} (at {origin}) again");
            let expected = "one manifest for one unit, or targets that no host has both of";
            faults.push(manifest.origin.fault("spec.name", message, expected));
        }
        rivals.push(manifest);
    }
}

/// Files that ask to come after a unit, or after a command that does.
pub(super) fn check_late(resources: &[Arc<Manifest>], order: &[usize], faults: &mut Faults) {
    let mut late: BTreeSet<ResourceId> = BTreeSet::new();
    for manifest in order.iter().filter_map(|it| resources.get(*it)) {
        let id = manifest.id();
        let Some(needed) = manifest.depends_on.iter().position(|it| late.contains(it)) else {
            if id.kind == Kind::Unit {
                late.insert(id);
            }
            continue;
        };
        if matches!(id.kind, Kind::Unit | Kind::Command) {
            late.insert(id);
        } else if id.kind != Kind::Probe {
            let message = "a need of something that comes after all files: units are told last";
            let expected = "a need of files and of commands that need no unit";
            let field = format!("dependsOn[{needed}]");
            faults.push(manifest.origin.fault(&field, message, expected));
        }
    }
}
