//! Which releases of artifacts stay on the host, and which go.
//!
//! **Invariant:** the release that is wanted and those that stay are as many as the artifact keeps, at most.
//! **Invariant:** what somebody else stands in the way of is not forgotten: it goes once it can.
//! **Invariant:** what goes is taken away by the same transaction, so a revert has it back.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Those that go, each with its paths.
    pub(super) going: Vec<(&'a HeldRelease, Vec<&'a Held>)>,
}

impl<'a> Releases<'a> {
    /// Paths of those that go.
    pub(super) fn surplus(&self) -> impl Iterator<Item = &'a Held> {
        self.going.iter().flat_map(|(_, lines)| lines).copied()
    }

    /// Keeps in mind what could not go. It counts for no artifact, and goes as soon as it can.
    pub(super) fn keep_rests(&mut self, left: &BTreeSet<HostPath>) {
        for (release, lines) in &self.going {
            let lines = lines.iter().filter(|it| left.contains(&it.path));
            let lines: Vec<Held> = lines.map(|it| (*it).clone()).collect();
            if !lines.is_empty() {
                self.kept.push(HeldRelease { lines, is_rest: true, ..(*release).clone() });
            }
        }
    }
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
        let mut room = keeps.get(&*wanted.resource).map_or(0, |it| it.saturating_sub(1));
        for release in others {
            let lines = lines_of(release, generation);
            if room > 0 && !lines.is_empty() && !release.is_rest {
                room -= 1;
                let lines = lines.into_iter().cloned().collect();
                sorted.kept.push(HeldRelease { lines, ..release.clone() });
            } else {
                sorted.going.push((release, lines));
            }
        }
    }
    let is_gone = |it: &&HeldRelease| !keeps.contains_key(&*it.resource);
    sorted.going.extend(held().filter(is_gone).map(|it| (it, all_lines_of(it, generation))));
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

/// The paths of a release, and for the one that was wanted all of its artifact: where releases lie goes with them.
fn all_lines_of<'a>(release: &'a HeldRelease, generation: Option<&'a Generation>) -> Vec<&'a Held> {
    if release.is_earlier() {
        return release.lines.iter().collect();
    }
    let inventory = generation.into_iter().flat_map(|it| &it.inventory);
    inventory.filter(|it| it.resource == release.resource).collect()
}

/// Everything that a generation answers for, by path.
pub(super) fn held(generation: Option<&Generation>) -> BTreeMap<&HostPath, &Held> {
    let earlier = generation.into_iter().flat_map(|it| &it.releases).flat_map(|it| &it.lines);
    let inventory = generation.into_iter().flat_map(|it| &it.inventory);
    earlier.chain(inventory).map(|it| (&it.path, it)).collect()
}
