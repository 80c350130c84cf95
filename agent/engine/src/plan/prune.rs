//! Removes what an earlier generation created and this revision no longer wants.
//!
//! **Invariant:** only what the agent created is removed, and only if it still is what it created.
//! **Invariant:** a plan that would remove much, or everything, is held, unless a person ordered it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::form::Form;
use bowline_model::generation::Held;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{Manifest, Spec};
use bowline_model::release::HeldRelease;
use bowline_model::step::{Class, Deed};
use bowline_model::tree::Content;

use super::difference::Found;
use super::{Given, NoPlan};

/// More removals at once are held.
const REMOVALS_MAX: usize = 20;

/// A larger share of what is managed is held, in per cent.
const SHARE_MAX: usize = 20;

/// Adds removals to what was found.
pub(super) fn prune(
    given: &Given<'_>,
    (held, kept_releases): (&BTreeMap<&HostPath, &Held>, &[HeldRelease]),
    found: &mut Found,
) -> Result<(), NoPlan> {
    let wanted: BTreeSet<&HostPath> = given.compiled.objects.iter().map(|it| &it.path).collect();
    let stays: BTreeSet<&HostPath> =
        kept_releases.iter().flat_map(|it| &it.lines).map(|it| &it.path).collect();
    let is_surplus = |it: &&&Held| !wanted.contains(&it.path) && !stays.contains(&it.path);
    // Deeper paths first, so that a folder is empty when its turn comes.
    let surplus: Vec<&Held> = held.values().rev().filter(is_surplus).copied().collect();
    let kept: BTreeSet<&str> = given.compiled.resources.iter().map(|it| &*it.id).collect();
    let mut removals = 0;
    let mut removed: BTreeSet<&str> = BTreeSet::new();
    let mut artifacts: BTreeSet<&str> = BTreeSet::new();
    for line in surplus {
        let Some(seen) = given.seen(&line.path) else {
            continue;
        };
        if !line.created || seen.form == Form::Absent {
            continue;
        }
        if !line.prune {
            found.warnings.push(format!(
                "{} is no longer wanted and left in place (policy.prune)",
                line.path
            ));
            continue;
        }
        let unchanged = seen.form.is_like(&line.form);
        if !unchanged || seen.obstacle.is_some() {
            found.warnings.push(format!(
                "{} is no longer wanted, but was changed by another: left in place",
                line.path
            ));
            found.left.insert(line.path.clone());
            continue;
        }
        if matches!(seen.form, Form::Directory { .. }) && !is_emptied(given, line, &removed) {
            found
                .warnings
                .push(format!("{} is no longer wanted, but not empty: left in place", line.path));
            found.left.insert(line.path.clone());
            continue;
        }
        removed.insert(line.path.as_str());
        // What a tree that is still wanted no longer holds is a change of that one resource; an
        // artifact that goes is one thing to a person, however much it unpacked.
        let is_told = is_unpacked(&line.resource) && !artifacts.insert(&*line.resource);
        removals += usize::from(!kept.contains(&*line.resource) && !is_told);
        push(found, &line.resource, &line.path, &seen.form, seen.inode);
    }
    if !given.ordered {
        brake(things(held), removals, wanted.is_empty())?;
    }
    purge(given, &wanted, held, found);
    Ok(())
}

/// Whether everything in a folder is removed by the same plan.
fn is_emptied(given: &Given<'_>, folder: &Held, removed: &BTreeSet<&str>) -> bool {
    let at = given.survey.listings.iter().position(|it| *it == folder.path);
    let names = at.and_then(|at| given.sight.listings.get(at));
    names.is_some_and(|names| {
        names.iter().all(|name| removed.contains(format!("{}/{name}", folder.path).as_str()))
    })
}

/// What is managed, as a person counts it: an artifact once, however much it unpacked.
fn things(held: &BTreeMap<&HostPath, &Held>) -> usize {
    let (unpacked, plain): (Vec<&Held>, Vec<&Held>) =
        held.values().copied().partition(|it| is_unpacked(&it.resource));
    let artifacts: BTreeSet<&str> = unpacked.iter().map(|it| &*it.resource).collect();
    plain.len() + artifacts.len()
}

/// Whether a resource brings members that nobody declared one by one.
fn is_unpacked(resource: &str) -> bool {
    resource.starts_with("Artifact/")
}

fn brake(managed: usize, removals: usize, nothing_wanted: bool) -> Result<(), NoPlan> {
    let share = (removals * 100).checked_div(managed).unwrap_or_default();
    // A handful may go with any share: three of five files are a small change all the same.
    let many = removals > REMOVALS_MAX || (share > SHARE_MAX && removals > 5);
    if removals == 0 || !(many || nothing_wanted) {
        return Ok(());
    }
    let detail = if nothing_wanted {
        format!(
            "the revision asks for nothing at all any more, and would remove all {managed} managed objects"
        )
    } else {
        format!(
            "it would remove {removals} of {managed} managed objects; more than {REMOVALS_MAX}, or \
             {SHARE_MAX} %, at once wait for a person"
        )
    };
    Err(NoPlan::Held { reason: "PruneBrake", code: "prune-brake", detail })
}

/// Entries of folders that say `purgeUnmanaged` which nobody declared.
fn purge(
    given: &Given<'_>,
    wanted: &BTreeSet<&HostPath>,
    held: &BTreeMap<&HostPath, &Held>,
    found: &mut Found,
) {
    for (folder, names) in given.survey.listings.iter().zip(&given.sight.listings) {
        let Some(manifest) = purging(given, folder) else {
            continue;
        };
        for name in names {
            let Ok(path) = format!("{folder}/{name}").parse::<HostPath>() else {
                continue;
            };
            if !wanted.contains(&path) && !held.contains_key(&path) {
                found.warnings.push(format!(
                    "{path} is not declared; {} asks to purge it, which this version only reports",
                    manifest.id()
                ));
            }
        }
    }
}

fn purging<'a>(given: &'a Given<'_>, folder: &HostPath) -> Option<&'a Manifest> {
    given.compiled.resources.iter().map(|it| it.manifest.as_ref()).find(
        |it| matches!(&it.spec, Spec::Directory(spec) if spec.purge_unmanaged && spec.path == *folder),
    )
}

fn push(
    found: &mut Found,
    resource: &Arc<str>,
    path: &HostPath,
    pre: &Form,
    inode: Option<bowline_model::form::Inode>,
) {
    let deed =
        Deed::Place { target: path.clone(), pre: pre.clone(), post: Form::Absent, inode, stage: 0 };
    found.push(resource, Class::Exact, deed, Content::Nothing);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(resource: &str, path: &str) -> Held {
        let form = Form::Symlink { target: "x".to_owned() };
        Held {
            path: path.parse().unwrap(),
            resource: resource.into(),
            form,
            created: true,
            prune: true,
        }
    }

    #[test]
    fn an_artifact_is_one_thing_when_it_stands_as_when_it_goes() {
        // Files, artifacts, members of each, removals, and whether they wait for a person.
        for (files, artifacts, members, removals, waits) in [
            (10, 12, 53, 12, true),
            (100, 12, 53, 12, false),
            (0, 6, 1_000, 5, false),
            (20, 6, 1_000, 6, true),
            (200, 30, 2, 21, true),
        ] {
            let plain = (0..files).map(|at| line(&format!("File/f{at}"), &format!("/etc/f{at}")));
            let unpacked = (0..artifacts * members).map(|at| {
                let whose = at % artifacts;
                line(&format!("Artifact/a{whose}"), &format!("/opt/a{whose}/{at}"))
            });
            let lines: Vec<Held> = plain.chain(unpacked).collect();
            let held: BTreeMap<&HostPath, &Held> = lines.iter().map(|it| (&it.path, it)).collect();
            assert_eq!(things(&held), files + artifacts);
            let braked = brake(things(&held), removals, false).is_err();
            assert_eq!(braked, waits, "{files} files, {artifacts} artifacts, {removals} go");
        }
    }
}
