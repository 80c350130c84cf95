//! Takes file steps back, last first: the same exchange again.
//!
//! **Invariant:** what the slot holds tells whether a step was done, not what the journal hopes; so
//! taking back twice is taking back once.
//! **Invariant:** somebody else's version is never lost: it is kept under a name and reported.

use bowline_api::record::Conflict;
use bowline_model::form::Form;
use bowline_model::host_path::HostPath;
use bowline_model::step::{Deed, Step};
use nix::errno::Errno;
use nix::fcntl::{RenameFlags, renameat2};
use nix::sys::stat::{Mode, mkdirat};

use crate::apply::{Touched, alter, altered_from, dev_of};
use crate::door::root::{Folders, NoFolder, Root};
use crate::exchange::{KEPT, Pair, Stages, exchange_failure};
use crate::failure::OsFailure;
use crate::observe::{form_at, names_in};

/// Takes steps back, last first, and makes that durable. Gives the conflicts that were met.
pub fn undo(root: &Root, stages: &Stages, steps: &[Step]) -> Result<Vec<Conflict>, OsFailure> {
    let mut folders = Folders::of(root);
    let mut touched = Touched::default();
    let mut conflicts = Vec::new();
    let mut one = |step: &Step| -> Result<(), OsFailure> {
        match &step.deed {
            Deed::Place { target, pre, post, stage, .. } => {
                let place = Place { target, pre, post };
                let pair = match Pair::open(&mut folders, stages, target, *stage, step.index) {
                    Ok(pair) => pair,
                    // Its folder was made by the same plan and never put in place.
                    Err(failure) if is_missing(&failure) && *pre == Form::Absent => return Ok(()),
                    Err(failure) => return Err(failure),
                };
                touched.add(dev_of(&pair.stage, target)?, &pair.stage, target);
                conflicts.extend(place.undo(root, &pair, stages, *stage)?);
                // What stands at the target may be a folder: handles into the old one are stale.
                if matches!(pre, Form::Directory { .. }) || matches!(post, Form::Directory { .. }) {
                    folders.forget();
                }
                Ok(())
            }
            Deed::Alter { target, pre, post } => {
                let (parent, name) = match folders.parent(target) {
                    Ok(found) => found,
                    Err(NoFolder::Missing) => return Ok(()),
                    Err(_) => return Err(fail(target, Errno::ELOOP)),
                };
                touched.add(dev_of(&parent, target)?, &parent, target);
                let (found, _) = form_at(&parent, name).map_err(|errno| fail(target, errno))?;
                if !matches!(found, Form::Directory { .. }) {
                    conflicts.push(met(target, None, &format!("found {found}, left alone")));
                    return Ok(());
                }
                if !altered_from(&found, pre, post) {
                    conflicts.push(met(target, None, &format!("found {found}, set back")));
                }
                alter(&parent, name, target, pre)
            }
            Deed::Run(_) | Deed::Unit(_) => Ok(()),
        }
    };
    let done = steps.iter().rev().try_for_each(&mut one);
    touched.sync()?;
    done.map(|()| conflicts)
}

/// Names of everything kept for others during one deployment.
pub fn kept(root: &Root, stage: &str, deployment: &str) -> Result<Vec<String>, OsFailure> {
    let path = format!("{stage}/{KEPT}");
    let fail = |errno| OsFailure::new("list", root.outside(&path), errno);
    let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_DIRECTORY;
    let names = match root.open_at(&path, flags) {
        Ok(fd) => names_in(fd).map_err(fail)?,
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        Err(errno) => return Err(fail(errno)),
    };
    let of_deployment = |name: &String| name.starts_with(&format!("{deployment}-"));
    Ok(names.into_iter().filter(of_deployment).map(|name| format!("{path}/{name}")).collect())
}

struct Place<'a> {
    target: &'a HostPath,
    pre: &'a Form,
    post: &'a Form,
}

impl Place<'_> {
    fn undo(
        &self,
        root: &Root,
        pair: &Pair<'_>,
        stages: &Stages,
        stage: u16,
    ) -> Result<Option<Conflict>, OsFailure> {
        let look = |errno| fail(self.target, errno);
        let (slot, _) = form_at(&pair.stage, &pair.slot).map_err(look)?;
        let (target, _) = form_at(&pair.parent, pair.name).map_err(look)?;
        let stands = target != Form::Absent;
        if !self.was_done(&slot, &target) {
            return self.left_alone(pair, stages, stage, &slot, &target);
        }
        let moved = match (self.pre, stands) {
            (Form::Absent, false) => return Ok(None),
            (Form::Absent, true) => pair.take(),
            (_, false) => pair.put(),
            (_, true) => pair.exchange(),
        };
        moved.map_err(|errno| exchange_failure(root, self.target, errno))?;
        if stands { self.keep_foreign(pair, stages, stage) } else { Ok(None) }
    }

    /// Whether the step was done and not taken back, as slot and target tell by what they hold. Device
    /// and inode numbers would not do: they may be others after a boot.
    fn was_done(&self, slot: &Form, target: &Form) -> bool {
        let displaced = slot.is_like(self.pre);
        match (self.pre, self.post) {
            (Form::Absent, Form::Absent) => false,
            (Form::Absent, _) => *slot == Form::Absent,
            (_, Form::Absent) => displaced || (*slot != Form::Absent && *target == Form::Absent),
            (_, _) if displaced => true,
            (_, _) if target.is_like(self.pre) => false,
            // Another's version that was displaced in the moment of the exchange.
            (_, _) => *slot != Form::Absent && !slot.is_like(self.post),
        }
    }

    /// The step was never done, or is taken back already; another may have changed the target, and an
    /// earlier try may have left another's version in the slot.
    fn left_alone(
        &self,
        pair: &Pair<'_>,
        stages: &Stages,
        stage: u16,
        slot: &Form,
        target: &Form,
    ) -> Result<Option<Conflict>, OsFailure> {
        if *slot != Form::Absent && !slot.is_like(self.post) {
            return self.keep_foreign(pair, stages, stage);
        }
        if target.is_like(self.pre) {
            return Ok(None);
        }
        Ok(Some(met(self.target, None, &format!("found {target}, left alone"))))
    }

    /// Keeps what came out of the target's place when it is not what this transaction put there.
    fn keep_foreign(
        &self,
        pair: &Pair<'_>,
        stages: &Stages,
        stage: u16,
    ) -> Result<Option<Conflict>, OsFailure> {
        let look = |errno| fail(self.target, errno);
        let (found, _) = form_at(&pair.stage, &pair.slot).map_err(look)?;
        if found.is_like(self.post) && !holds_anything(pair, &found).map_err(look)? {
            return Ok(None);
        }
        let (_, path) = stages.folder(stage)?;
        let kept = keep(pair, stages.deployment(), path).map_err(look)?;
        Ok(Some(met(self.target, Some(kept), &format!("found {found}, kept it"))))
    }
}

/// Whether a folder that was taken out of its place holds something.
fn holds_anything(pair: &Pair<'_>, found: &Form) -> Result<bool, Errno> {
    if !matches!(found, Form::Directory { .. }) {
        return Ok(false);
    }
    let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_DIRECTORY;
    let fd = nix::fcntl::openat(&pair.stage, pair.slot.as_str(), flags, Mode::empty())?;
    Ok(!names_in(fd)?.is_empty())
}

/// Moves a slot's content to the folder of kept things.
pub(crate) fn keep(pair: &Pair<'_>, deployment: &str, stage: &str) -> Result<String, Errno> {
    let kept_folder = format!("../{KEPT}");
    match mkdirat(&pair.stage, kept_folder.as_str(), Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let name = format!("{deployment}-{}", pair.slot);
    let to = format!("{kept_folder}/{name}");
    let flags = RenameFlags::RENAME_NOREPLACE;
    renameat2(&pair.stage, pair.slot.as_str(), &pair.stage, to.as_str(), flags)?;
    Ok(format!("{stage}/{KEPT}/{name}"))
}

fn is_missing(failure: &OsFailure) -> bool {
    failure.source.raw_os_error() == Some(Errno::ENOENT as i32)
}

fn met(path: &HostPath, kept: Option<String>, detail: &str) -> Conflict {
    Conflict { path: path.to_string(), kept, detail: detail.to_owned() }
}

fn fail(target: &HostPath, errno: Errno) -> OsFailure {
    OsFailure::new("take back", target.as_str(), errno)
}
