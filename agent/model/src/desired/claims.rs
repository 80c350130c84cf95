//! Which paths manifests claim, and whether their claims can stand together.
//!
//! **Invariant:** what lies below a directory comes after it; what goes away below it comes before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Together;
use super::order::Needs;
use crate::host_path::HostPath;
use crate::manifest::{Claim, Manifest, Reach, State};
use crate::read::Faults;

/// Most manifests that may claim one path for different hosts: each is compared with each.
const MAX_RIVALS: usize = 256;

type Places<'a> = BTreeMap<&'a HostPath, Vec<(usize, Claim<'a>)>>;

/// Checks all claims, and adds to `needs` what follows from parent directories.
pub(super) fn check(
    resources: &[Arc<Manifest>],
    together: Together,
    needs: &mut Needs,
    faults: &mut Faults,
) {
    let mut places = Places::new();
    for (index, manifest) in resources.iter().enumerate() {
        for claim in manifest.claims() {
            places.entry(claim.path).or_default().push((index, claim));
        }
    }
    for rivals in places.values() {
        check_rivals(resources, rivals, together, faults);
    }
    for (index, claim) in places.values().flatten() {
        check_parent(resources, (*index, claim), &places, together, needs, faults);
    }
}

/// Two manifests that meet on a host and claim one path.
fn check_rivals(
    resources: &[Arc<Manifest>],
    rivals: &[(usize, Claim<'_>)],
    together: Together,
    faults: &mut Faults,
) {
    let held = |(index, claim): &(usize, Claim<'_>)| Some((resources.get(*index)?, claim.field));
    let manifests: Vec<_> = rivals.iter().filter_map(held).collect();
    if let Some((over, field)) = manifests.get(MAX_RIVALS) {
        let message = format!("a path that more than {MAX_RIVALS} manifests claim");
        faults.push(over.origin.fault(field, message, "fewer manifests"));
        return;
    }
    for (position, (second, field)) in manifests.iter().enumerate() {
        let mut earlier = manifests.iter().take(position);
        if let Some((first, _)) = earlier.find(|(it, _)| together(&it.target, &second.target)) {
            let (id, origin) = (first.id(), &first.origin);
            let message = format!("a path that {id} claims already (at {origin})");
            let expected = "one manifest for one path, or targets that no host has both of";
            faults.push(second.origin.fault(field, message, expected));
        }
    }
}

/// Looks for the nearest manifest that claims a directory above a path.
fn check_parent(
    resources: &[Arc<Manifest>],
    (index, claim): (usize, &Claim<'_>),
    places: &Places<'_>,
    together: Together,
    needs: &mut Needs,
    faults: &mut Faults,
) {
    let Some(manifest) = resources.get(index) else {
        return;
    };
    let mut above = claim.path.parent();
    while let Some(path) = above {
        let holders = places.get(&path).map(Vec::as_slice).unwrap_or_default();
        let mut found = false;
        for (holder_index, holder) in holders {
            let Some(other) = resources.get(*holder_index) else {
                continue;
            };
            if !together(&manifest.target, &other.target) {
                continue;
            }
            found = true;
            let what = match (holder.reach, holder.state, claim.state) {
                (Reach::Leaf, _, State::Present) => "is no directory",
                (_, State::Absent, State::Present) => "should be gone",
                (_, State::Absent, State::Absent) => {
                    needs.add(*holder_index, index);
                    continue;
                }
                (_, State::Present, _) => {
                    needs.add(index, *holder_index);
                    continue;
                }
            };
            let (id, origin) = (other.id(), &other.origin);
            let message = format!("a path below {path}, which {what} for {id} (at {origin})");
            faults.push(manifest.origin.fault(claim.field, message, "a path elsewhere"));
        }
        above = if found { None } else { path.parent() };
    }
}
