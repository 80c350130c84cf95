//! Which releases of artifacts stay on the host, and which go.
//!
//! **Invariant:** the release that is wanted and those that stay are as many as the artifact keeps, at most.
//! **Invariant:** what goes is taken away by the same transaction, so a revert has it back.

use std::collections::BTreeMap;

use bowline_model::generation::{Generation, Held};
use bowline_model::host_path::HostPath;
use bowline_model::manifest::Spec;
use bowline_model::release::HeldRelease;

use crate::compile::Compiled;

/// The releases of a host once a revision stands on it.
#[derive(Debug, Default)]
pub(super) struct Releases<'a> {
    /// Those that stay, the newest of each artifact first.
    pub(super) kept: Vec<HeldRelease>,
    /// Paths of those that go.
    pub(super) surplus: Vec<&'a Held>,
}

/// Sorts the releases of a generation by what a revision asks for.
pub(super) fn sort<'a>(compiled: &Compiled, generation: Option<&'a Generation>) -> Releases<'a> {
    let mut sorted = Releases::default();
    let held = || generation.into_iter().flat_map(|it| &it.releases);
    let keeps: BTreeMap<&str, usize> = compiled
        .resources
        .iter()
        .filter_map(|it| match &it.manifest.spec {
            Spec::Artifact(spec) => Some((&*it.id, usize::from(spec.keep))),
            _ => None,
        })
        .collect();
    for wanted in &compiled.releases {
        sorted.kept.push(wanted.clone());
        let is_mine = |it: &&HeldRelease| it.resource == wanted.resource;
        let others = held().filter(is_mine).filter(|it| it.folder != wanted.folder);
        let room = keeps.get(&*wanted.resource).map_or(0, |it| it.saturating_sub(1));
        let mut room = room;
        for release in others {
            let lines = lines_of(release, generation);
            if room > 0 && !lines.is_empty() {
                room -= 1;
                let lines = lines.into_iter().cloned().collect();
                sorted.kept.push(HeldRelease { lines, ..release.clone() });
            } else {
                sorted.surplus.extend(lines);
            }
        }
    }
    let is_gone = |it: &&HeldRelease| !keeps.contains_key(&*it.resource);
    let gone = held().filter(is_gone).flat_map(|it| lines_of(it, generation));
    sorted.surplus.extend(gone);
    sorted
}

/// The paths of a release.
fn lines_of<'a>(release: &'a HeldRelease, generation: Option<&'a Generation>) -> Vec<&'a Held> {
    if release.is_earlier() {
        return release.lines.iter().collect();
    }
    let inventory = generation.into_iter().flat_map(|it| &it.inventory);
    let is_in = |it: &&Held| it.resource == release.resource && it.path.is_within(&release.folder);
    inventory.filter(is_in).collect()
}

/// Everything that a generation answers for, by path.
pub(super) fn held(generation: Option<&Generation>) -> BTreeMap<&HostPath, &Held> {
    let earlier = generation.into_iter().flat_map(|it| &it.releases).flat_map(|it| &it.lines);
    let inventory = generation.into_iter().flat_map(|it| &it.inventory);
    earlier.chain(inventory).map(|it| (&it.path, it)).collect()
}
