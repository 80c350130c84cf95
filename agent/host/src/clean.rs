//! Removes what a transaction no longer needs from its stages.
//!
//! **Invariant:** a slot is deleted only when it holds what is known to be spare: the new object after
//! a revert, the displaced one, unchanged, after a commit. Anything else is kept and named.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use bowline_api::record::Conflict;
use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::door::root::{Folders, Root};
use crate::exchange::{KEPT, Pair, STAGE, Stages};
use crate::failure::OsFailure;
use crate::mounts::Mounts;
use crate::observe::{form_at, names_in};
use crate::stage::{MANIFEST, SlotLine, StageManifest};
use crate::undo::keep;

/// Largest stage manifest.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// How the transaction ended, as far as its slots are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It never began: nothing was displaced.
    Abandoned,
    /// Everything was taken back.
    Reverted,
    /// Slots hold what was displaced.
    Committed,
}

/// Stage roots below the root that hold something else than kept things, with what they hold.
pub fn leftovers(root: &Root) -> Result<Vec<(String, Vec<String>)>, OsFailure> {
    let mut found = Vec::new();
    for base in Mounts::read(root)?.bases() {
        let stage = format!("{base}/{STAGE}");
        let mut names = list(root, &stage)?;
        names.retain(|name| name != KEPT);
        if !names.is_empty() {
            found.push((stage, names));
        }
    }
    Ok(found)
}

/// Cleans every stage of a deployment. Gives what was kept instead of deleted.
pub fn clean(root: &Root, deployment: &str, ended: Ended) -> Result<Vec<Conflict>, OsFailure> {
    let mut conflicts = Vec::new();
    for base in Mounts::read(root)?.bases() {
        let stage = format!("{base}/{STAGE}");
        if list(root, &stage)?.iter().any(|name| name == deployment) {
            clean_stage(root, &stage, deployment, ended, &mut conflicts)?;
        }
        // Also one that an earlier process was about to fill, or had emptied.
        drop_empty(root, base, &stage)?;
    }
    Ok(conflicts)
}

/// Removes a stage root that holds nothing. Kept things stay, and the stage root with them.
fn drop_empty(root: &Root, base: &str, stage: &str) -> Result<(), OsFailure> {
    if root.folder(stage).is_err() {
        return Ok(());
    }
    let fail = |errno| OsFailure::new("remove", root.outside(stage), errno);
    let base = root.folder(base).map_err(fail)?;
    match unlinkat(base, STAGE, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::EBUSY | Errno::EROFS) => Ok(()),
        Err(errno) => Err(fail(errno)),
    }
}

fn clean_stage(
    root: &Root,
    stage: &str,
    deployment: &str,
    ended: Ended,
    conflicts: &mut Vec<Conflict>,
) -> Result<(), OsFailure> {
    let path = format!("{stage}/{deployment}");
    let stages = Stages::open(root, deployment, &[stage.to_owned()])?;
    let lines = read_manifest(root, &path)?;
    let mut folders = Folders::of(root);
    for name in list(root, &path)? {
        if name == MANIFEST {
            continue;
        }
        let line = name.parse().ok().and_then(|slot: u32| lines.get(&slot));
        conflicts.extend(clean_slot(&mut folders, &stages, stage, &name, line, ended)?);
    }
    let fail = |errno| OsFailure::new("remove", root.outside(&path), errno);
    let (folder, _) = stages.folder(0)?;
    match unlinkat(&folder, MANIFEST, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(fail(errno)),
    }
    let stage_fd = root.folder(stage).map_err(fail)?;
    unlinkat(&stage_fd, deployment, UnlinkatFlags::RemoveDir).map_err(fail)
}

fn clean_slot(
    folders: &mut Folders<'_>,
    stages: &Stages,
    stage: &str,
    name: &str,
    line: Option<&SlotLine>,
    ended: Ended,
) -> Result<Option<Conflict>, OsFailure> {
    let (folder, _) = stages.folder(0)?;
    let fail = |errno| OsFailure::new("clean a slot of", format!("{stage}/{name}"), errno);
    let (found, _) = form_at(&folder, name).map_err(fail)?;
    let spare = match line {
        // Only a stage that was cut short before its manifest has slots without a line, and then
        // nothing was displaced into them.
        None => ended == Ended::Abandoned,
        Some(line) => match ended {
            Ended::Committed => found.is_like(&line.pre),
            Ended::Reverted => found.is_like(&line.post),
            Ended::Abandoned => found.is_like(&line.post) || stands_as_before(folders, line)?,
        },
    };
    let removed = if spare { remove(&folder, name, &found) } else { Err(Errno::ENOTEMPTY) };
    match removed {
        Ok(()) => return Ok(None),
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        Err(errno) => return Err(fail(errno)),
    }
    let pair = Pair { parent: folder.clone(), name: "", stage: folder, slot: name.to_owned() };
    let kept = keep(&pair, stages.deployment(), stage).map_err(fail)?;
    let path = line.map_or_else(|| format!("{stage}/{name}"), |line| line.target.to_string());
    let detail = format!("displaced object changed meanwhile: {found}");
    Ok(Some(Conflict { path, kept: Some(kept), detail }))
}

fn stands_as_before(folders: &mut Folders<'_>, line: &SlotLine) -> Result<bool, OsFailure> {
    let Ok((parent, name)) = folders.parent(&line.target) else {
        return Ok(line.pre == Form::Absent);
    };
    let (found, _) = form_at(&parent, name)
        .map_err(|errno| OsFailure::new("look at", line.target.as_str(), errno))?;
    Ok(found.is_like(&line.pre))
}

fn remove(folder: &OwnedFd, name: &str, found: &Form) -> Result<(), Errno> {
    let flag = match found {
        Form::Directory { .. } => UnlinkatFlags::RemoveDir,
        _ => UnlinkatFlags::NoRemoveDir,
    };
    match unlinkat(folder, name, flag) {
        Err(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

/// The stage's own manifest by slot; empty when it was cut short before it was whole.
fn read_manifest(root: &Root, path: &str) -> Result<BTreeMap<u32, SlotLine>, OsFailure> {
    let bytes = root.read(&format!("{path}/{MANIFEST}"), MANIFEST_BYTES_MAX)?.unwrap_or_default();
    let whole = || {
        let text = bytes.strip_suffix(b"\n")?;
        let at = text.iter().rposition(|byte| *byte == b'\n')?;
        let (body, digest) = text.split_at_checked(at)?;
        let digest = std::str::from_utf8(digest.get(1..)?).ok()?;
        if Sha256::of(body).to_string() != digest {
            return None;
        }
        serde_json::from_slice::<StageManifest>(body).ok()
    };
    let slots = whole().map(|it| it.slots).unwrap_or_default();
    Ok(slots.into_iter().map(|line| (line.slot, line)).collect())
}

fn list(root: &Root, path: &str) -> Result<Vec<String>, OsFailure> {
    let fail = |errno| OsFailure::new("list", root.outside(path), errno);
    match root.open_at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
        Ok(fd) => names_in(fd).map_err(fail),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(Vec::new()),
        Err(errno) => Err(fail(errno)),
    }
}
