//! Removes what a transaction no longer needs from its stages.
//!
//! **Invariant:** a slot is deleted only when it holds what is known to be spare: the new object after
//! a revert, the displaced one, unchanged, after a commit. Anything else is kept and named.
//! **Invariant:** what others put where a stage would lie is neither read nor touched, and strands nobody.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use bowline_api::record::Conflict;
use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::door::barrier;
use crate::door::root::{Folders, Root};
use crate::exchange::{KEPT, Pair, STAGE, Stages};
use crate::failure::OsFailure;
use crate::mounts::OwnMounts;
use crate::observe::{form_at, names_in};
use crate::stage::place::{self, Stands};
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

/// The agent's own stage roots below the root that hold something else than kept things, with what they
/// hold. What others put there is nobody's transaction, and is left alone.
pub fn leftovers(root: &Root) -> Result<Vec<(String, Vec<String>)>, OsFailure> {
    let mut found = Vec::new();
    for base in OwnMounts::read(root)?.bases() {
        let stage = format!("{base}/{STAGE}");
        let Some(fd) = own_stage(root, base)? else { continue };
        if passable(place::is_open_to_others(root, base), root, &stage)?.unwrap_or(true) {
            let stage = root.outside(&stage).display().to_string();
            tracing::warn!(stage, "passed over: others may write to the folder that holds it");
            continue;
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let names = openat(&fd, ".", flags, Mode::empty()).and_then(names_in);
        let Some(mut names) = passable(names, root, &stage)? else { continue };
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
    for base in OwnMounts::read(root)?.bases() {
        let stage = format!("{base}/{STAGE}");
        let Some(fd) = own_stage(root, base)? else { continue };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat(&fd, deployment, flags, Mode::empty()) {
            Ok(_) => clean_stage(root, &stage, deployment, ended, &mut conflicts)?,
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(OsFailure::new("look into", root.outside(&stage), errno)),
        }
        // Also one that an earlier process was about to fill, or had emptied.
        drop_empty(root, base, &stage)?;
    }
    Ok(conflicts)
}

/// The stage root below a base, if it is the agent's own and can be looked at.
fn own_stage(root: &Root, base: &str) -> Result<Option<OwnedFd>, OsFailure> {
    let stage = format!("{base}/{STAGE}");
    match place::look(root, base) {
        Stands::Nothing => Ok(None),
        Stands::Own(fd) => Ok(Some(fd)),
        Stands::Foreign(why) => {
            let stage = root.outside(&stage).display().to_string();
            tracing::warn!(stage, why, "passed over: it is not the agent's");
            Ok(None)
        }
        Stands::Unseen(errno) => passable(Err(errno), root, &stage),
    }
}

/// What was seen of a stage root; `None`, with a warning, when its filesystem cannot be looked at.
fn passable<T>(seen: Result<T, Errno>, root: &Root, stage: &str) -> Result<Option<T>, OsFailure> {
    let path = root.outside(stage);
    match seen {
        Ok(seen) => Ok(Some(seen)),
        Err(
            errno @ (Errno::EACCES
            | Errno::ENOTCONN
            | Errno::ESTALE
            | Errno::EIO
            | Errno::ENOENT
            | Errno::EHOSTDOWN
            | Errno::ENODEV),
        ) => {
            let stage = path.display().to_string();
            tracing::warn!(stage, %errno, "passed over: it cannot be looked at");
            Ok(None)
        }
        Err(errno) => Err(OsFailure::new("look at", path, errno)),
    }
}

/// Removes a stage root that holds nothing. Kept things stay, and the stage root with them.
fn drop_empty(root: &Root, base: &str, stage: &str) -> Result<(), OsFailure> {
    let fail = |errno| OsFailure::new("remove", root.outside(stage), errno);
    let base = root.folder(base).map_err(fail)?;
    match unlinkat(base, STAGE, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST | Errno::EBUSY) => Ok(()),
        Err(errno) => Err(fail(errno)),
    }
}

/// One stage of a deployment that is over.
struct Cleaning<'a> {
    stages: &'a Stages,
    stage: &'a str,
    /// The stage's own manifest by slot.
    lines: BTreeMap<u32, SlotLine>,
    ended: Ended,
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
    let cleaning = Cleaning { stages: &stages, stage, lines, ended };
    let mut folders = Folders::of(root);
    let mut kept = Vec::new();
    for name in list(root, &path)? {
        if name != MANIFEST {
            kept.extend(cleaning.clean_slot(&mut folders, &name)?);
        }
    }
    let fail = |errno| OsFailure::new("remove", root.outside(&path), errno);
    let folder = root.open_at(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(fail)?;
    // A slot that outlived the manifest in a power cut could not be told from somebody else's object.
    if kept.is_empty() {
        barrier::whole(&folder, &path)?;
    } else {
        barrier::filesystem(&folder, &path)?;
    }
    conflicts.extend(kept);
    match unlinkat(&folder, MANIFEST, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(fail(errno)),
    }
    // The journal goes next, and a stage that outlived its journal would be nobody's.
    barrier::whole(&folder, &path)?;
    let stage_fd = root.open_at(stage, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(fail)?;
    unlinkat(&stage_fd, deployment, UnlinkatFlags::RemoveDir).map_err(fail)?;
    barrier::whole(&stage_fd, stage)
}

impl Cleaning<'_> {
    fn clean_slot(
        &self,
        folders: &mut Folders<'_>,
        name: &str,
    ) -> Result<Option<Conflict>, OsFailure> {
        let (folder, _) = self.stages.folder(0)?;
        let stage = self.stage;
        let fail = |errno| OsFailure::new("clean a slot of", format!("{stage}/{name}"), errno);
        let line = name.parse().ok().and_then(|slot: u32| self.lines.get(&slot));
        let (found, _) = form_at(&folder, name).map_err(fail)?;
        let spare = match line {
            // Only a stage that was cut short before its manifest has slots without a line, and then
            // nothing was displaced into them.
            None => self.ended == Ended::Abandoned,
            Some(line) => match self.ended {
                Ended::Committed => found.is_like(&line.pre),
                Ended::Reverted => found.is_like(&line.post),
                Ended::Abandoned => found.is_like(&line.post) || stands_as_before(folders, line)?,
            },
        };
        if let (true, Some(line), Form::Directory { .. }) = (spare, line, &found) {
            self.empty_of_own(&folder, name, line.target.as_str()).map_err(fail)?;
        }
        let removed = if spare { remove(&folder, name, &found) } else { Err(Errno::ENOTEMPTY) };
        match removed {
            Ok(()) => return Ok(None),
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        let pair = Pair { parent: folder.clone(), name: "", stage: folder, slot: name.to_owned() };
        let kept = keep(&pair, self.stages.deployment(), stage).map_err(fail)?;
        let path = line.map_or_else(|| format!("{stage}/{name}"), |line| line.target.to_string());
        let detail = format!("displaced object changed meanwhile: {found}");
        Ok(Some(Conflict { path, kept: Some(kept), detail }))
    }

    /// Removes from a new folder what the same plan put into it. A power cut may keep the move into the
    /// folder and lose the folder's own to its place, and then the way back does not find it there.
    fn empty_of_own(&self, parent: &OwnedFd, name: &str, target: &str) -> Result<(), Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = openat(parent, name, flags, Mode::empty())?;
        for name in names_in(openat(&folder, ".", flags, Mode::empty())?)? {
            let target = format!("{target}/{name}");
            let is_its = |line: &&SlotLine| line.target.as_str() == target;
            let Some(line) = self.lines.values().find(is_its) else { continue };
            let (found, _) = form_at(&folder, &name)?;
            if line.pre != Form::Absent || !found.is_like(&line.post) {
                continue;
            }
            if matches!(found, Form::Directory { .. }) {
                self.empty_of_own(&folder, &name, &target)?;
            }
            match remove(&folder, &name, &found) {
                Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
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
