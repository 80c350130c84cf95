//! What all manifests together ask for, in the order in which it comes to stand.
//!
//! **Invariant:** no two manifests have one id, and no two that meet on a host claim one path.
//! **Invariant:** the order depends on nothing but the manifests: what a manifest needs stands before
//! it, and whatever is free is sorted by kind and name.

mod claims;
mod order;
mod units;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::host_path::reserved;
use crate::manifest::{HostSpec, Kind, Manifest, ResourceId, Spec};
use crate::name::{Key, Label};
use crate::read::Faults;
use crate::target::Target;

/// Most manifests of one repository: twenty times a large fleet's, small enough to sort at once.
pub const MAX_MANIFESTS: usize = 20_000;

/// Most faults for which a name is suggested.
const SUGGESTED: usize = 20;

/// The manifests of a revision, checked against each other.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    repository: Option<Arc<Manifest>>,
    hosts: Vec<Arc<Manifest>>,
    resources: Vec<Arc<Manifest>>,
}

/// Says whether two manifests meet on a host.
type Together = fn(&Target, &Target) -> bool;

impl Desired {
    /// Checks all manifests of a revision against each other and puts them in order.
    ///
    /// Of two targets it is not always known whether some host has both; here they are taken to meet
    /// when one implies the other. [`Desired::select`] judges again, for one host, exactly.
    ///
    /// # Errors
    /// Every fault found: ids and keys used twice, missing dependencies, cycles, paths claimed twice
    /// or reserved.
    pub fn assemble(mut manifests: Vec<Manifest>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        if let Some(over) = manifests.get(MAX_MANIFESTS) {
            let message = format!("more than {MAX_MANIFESTS} manifests");
            return Err(over.origin.fault("", message, "trees instead of single files").into());
        }
        manifests.sort_by_cached_key(|it| (it.id(), Arc::clone(&it.origin.file), it.origin.line));
        let manifests: Vec<_> = manifests.into_iter().map(Arc::new).collect();
        check_ids(&manifests, &mut faults);
        check_dependencies(&manifests, &mut faults);
        let of = |kind| manifests.iter().filter(move |it| it.kind == kind).map(Arc::clone);
        let hosts: Vec<_> = of(Kind::Host).collect();
        check_keys(&hosts, &mut faults);
        let mut repositories = of(Kind::Repository);
        let repository = repositories.next();
        for another in repositories {
            let message = "a second manifest of kind Repository";
            faults.push(another.origin.fault("kind", message, "one, in bowline.yaml"));
        }
        let resources = manifests.iter().filter(|it| it.kind.is_resource()).map(Arc::clone);
        let together = |one: &Target, two: &Target| one.implies(two) || two.implies(one);
        let resources = arrange(resources.collect(), together, &mut faults);
        faults.or_value(Self { repository, hosts, resources })
    }

    /// What one host should hold: the resources whose targets match its labels and facts.
    ///
    /// A resource that is for this host but needs one that is not is a fault, not a shorter order:
    /// what it needs would be missing, and nothing is changed on a guess.
    ///
    /// # Errors
    /// Every such fault, and every path that is claimed twice on this host.
    pub fn select(
        &self,
        labels: &BTreeMap<Key, Label>,
        facts: &BTreeMap<String, String>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let (chosen, others): (Vec<_>, Vec<_>) =
            self.resources.iter().cloned().partition(|it| it.target.matches(labels, facts));
        let others: BTreeMap<_, _> = others.iter().map(|it| (it.id(), it)).collect();
        for manifest in &chosen {
            for (index, needed) in manifest.depends_on.iter().enumerate() {
                if let Some(missing) = others.get(needed) {
                    let message = format!("{needed} ({}) is not for this host", missing.origin);
                    let expected = "the same target for both";
                    let field = format!("dependsOn[{index}]");
                    faults.push(manifest.origin.fault(&field, message, expected));
                }
            }
        }
        let resources = arrange(chosen, |_, _| true, &mut faults);
        let (repository, hosts) = (self.repository.clone(), self.hosts.clone());
        faults.or_value(Self { repository, hosts, resources })
    }

    /// What stands on hosts, each after everything that it needs.
    pub fn resources(&self) -> &[Arc<Manifest>] {
        &self.resources
    }

    /// The hosts that may take part, by name.
    pub fn hosts(&self) -> &[Arc<Manifest>] {
        &self.hosts
    }

    /// The host that has a key, by the key's fingerprint as `SHA256:…`.
    pub fn host_with(&self, fingerprint: &str) -> Option<(&Manifest, &HostSpec)> {
        self.hosts.iter().find_map(|host| match &host.spec {
            Spec::Host(spec) if spec.key_fingerprint.as_str() == fingerprint => {
                Some((&**host, spec))
            }
            _ => None,
        })
    }

    /// What `bowline.yaml` says of the repository.
    pub fn repository(&self) -> Option<&Manifest> {
        self.repository.as_deref()
    }

    /// One resource by its id.
    pub fn find(&self, id: &ResourceId) -> Option<&Manifest> {
        let is_meant = |it: &&Arc<Manifest>| it.kind == id.kind && it.metadata.name == id.name;
        self.resources.iter().find(is_meant).map(AsRef::as_ref)
    }
}

/// Checks claims and puts resources in order.
fn arrange(
    mut resources: Vec<Arc<Manifest>>,
    together: Together,
    faults: &mut Faults,
) -> Vec<Arc<Manifest>> {
    resources.sort_by_cached_key(|it| it.id());
    let mut needs = order::explicit(&resources);
    claims::check(&resources, together, &mut needs, faults);
    units::check(&resources, together, faults);
    let order = order::sort(&resources, &needs, faults);
    units::check_late(&resources, &order, faults);
    order.iter().filter_map(|index| resources.get(*index)).map(Arc::clone).collect()
}

/// Expects manifests sorted by id.
fn check_ids(manifests: &[Arc<Manifest>], faults: &mut Faults) {
    for pair in manifests.windows(2) {
        let [first, second] = pair else { continue };
        if first.id() == second.id() {
            let message = format!("{} is written twice (first at {})", second.id(), first.origin);
            let expected = "a name of its own for each manifest of a kind";
            faults.push(second.origin.fault("metadata.name", message, expected));
        }
    }
}

fn check_dependencies(manifests: &[Arc<Manifest>], faults: &mut Faults) {
    for manifest in manifests {
        for claim in manifest.claims() {
            let Some(holder) = reserved(claim.path, &[]) else { continue };
            let message = format!("a path below {holder}, which no manifest may change");
            faults.push(manifest.origin.fault(claim.field, message, "a path elsewhere"));
        }
        for (index, needed) in manifest.depends_on.iter().enumerate() {
            let found = manifests.binary_search_by(|it| {
                (it.kind, &it.metadata.name).cmp(&(needed.kind, &needed.name))
            });
            if found.is_err() {
                // Suggestions compare with every name, so only the first faults get one.
                let compared = if faults.len() < SUGGESTED { manifests } else { &[] };
                let names = compared.iter().filter(|it| it.kind == needed.kind);
                let names = names.map(|it| it.metadata.name.as_str());
                let expected = match crate::read::nearest(needed.name.as_str(), names) {
                    Some(meant) => format!("`{}/{meant}` (did you mean that?)", needed.kind),
                    None => "a manifest of this repository".to_owned(),
                };
                let message = format!("{needed} is not written anywhere");
                let field = format!("dependsOn[{index}]");
                faults.push(manifest.origin.fault(&field, message, expected));
            }
        }
    }
}

/// Two hosts with one key could not be told apart.
fn check_keys(hosts: &[Arc<Manifest>], faults: &mut Faults) {
    let mut seen = BTreeMap::new();
    for host in hosts {
        let Spec::Host(spec) = &host.spec else {
            continue;
        };
        if let Some(first) = seen.insert(&spec.key_fingerprint, host) {
            let message = format!("the key of {} ({}) again", first.metadata.name, first.origin);
            let expected = "a key of its own for each host";
            faults.push(host.origin.fault("spec.keyFingerprint", message, expected));
        }
    }
}
