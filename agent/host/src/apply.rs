//! Carries out a batch of staged steps: exchanges first, then one barrier.
//!
//! **Invariant:** a target that is not as the plan saw it is left alone, and the batch stops.
//! **Invariant:** a step that finds its goal already there still owes the barrier.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use bowline_model::form::{Form, Inode};
use bowline_model::host_path::HostPath;
use bowline_model::step::{Deed, Step};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{Gid, Uid, fchown};
use thiserror::Error;

use crate::door::barrier;
use crate::door::root::{Folders, NoFolder, Root};
use crate::exchange::{Pair, Stages, exchange_failure};
use crate::failure::{Kind, OsFailure};
use crate::observe::{form_at, names_in};

/// A step could not be done.
#[derive(Debug, Error)]
pub enum ApplyFailure {
    /// The system refused.
    #[error("apply a step")]
    Os(#[from] OsFailure),
    /// Somebody else changed the target since the plan was made.
    #[error("{path} was changed by another since the plan was made: {found}")]
    Conflict {
        /// The target.
        path: String,
        /// What was found.
        found: String,
    },
}

impl ApplyFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Conflict { .. } => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os(_) => "io",
            Self::Conflict { .. } => "conflict",
        }
    }
}

/// Carries out file steps, in order, and makes them durable.
pub fn apply(root: &Root, stages: &Stages, steps: &[Step]) -> Result<(), ApplyFailure> {
    let mut folders = Folders::of(root);
    let mut touched = Touched::default();
    let done = steps.iter().try_for_each(|step| one(&mut folders, stages, step, &mut touched));
    // Even after a failure: what was exchanged is taken back later, from a durable state.
    touched.sync()?;
    done
}

/// Filesystems that a batch touched: each owes one barrier.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    folders: Vec<(u64, Rc<OwnedFd>, String)>,
}

impl Touched {
    pub(crate) fn add(&mut self, dev: u64, folder: &Rc<OwnedFd>, path: &HostPath) {
        if !self.folders.iter().any(|(it, _, _)| *it == dev) {
            self.folders.push((dev, Rc::clone(folder), path.to_string()));
        }
    }

    pub(crate) fn sync(self) -> Result<(), OsFailure> {
        for (_, folder, path) in self.folders {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let fd = openat(&folder, ".", flags, Mode::empty())
                .map_err(|errno| OsFailure::new("open the folder of", &path, errno))?;
            barrier::filesystem(fd, path)?;
        }
        Ok(())
    }
}

fn one(
    folders: &mut Folders<'_>,
    stages: &Stages,
    step: &Step,
    touched: &mut Touched,
) -> Result<(), ApplyFailure> {
    match &step.deed {
        Deed::Place { target, pre, post, inode, stage } => {
            let pair = Pair::open(folders, stages, target, *stage, step.index)?;
            touched.add(dev_of(&pair.stage, target)?, &pair.stage, target);
            place(folders.root(), &pair, target, pre, post, inode.as_ref())
        }
        Deed::Alter { target, pre, post } => {
            let (parent, name) = folders.parent(target).map_err(|why| missing(target, why))?;
            touched.add(dev_of(&parent, target)?, &parent, target);
            let (found, _) = form_at(&parent, name).map_err(|errno| look_failure(target, errno))?;
            if !altered_from(&found, pre, post) {
                return Err(conflict(target, &found));
            }
            Ok(alter(&parent, name, target, post)?)
        }
        Deed::Run(_) | Deed::Unit(_) => Ok(()),
    }
}

fn place(
    root: &Root,
    pair: &Pair<'_>,
    target: &HostPath,
    pre: &Form,
    post: &Form,
    inode: Option<&Inode>,
) -> Result<(), ApplyFailure> {
    let (found, here) =
        form_at(&pair.parent, pair.name).map_err(|errno| look_failure(target, errno))?;
    let same_object = here.map(|it| (it.dev, it.ino)) == inode.map(|it| (it.dev, it.ino));
    if !(found == *pre && same_object) {
        return Err(conflict(target, &found));
    }
    if here.is_some_and(|it| it.links > 1 && matches!(found, Form::File { .. })) {
        return Err(conflict(target, &found));
    }
    if matches!((pre, post), (Form::Directory { .. }, Form::Absent)) {
        let names = entries(pair).map_err(|errno| look_failure(target, errno))?;
        if !names.is_empty() {
            return Err(conflict(target, &found));
        }
    }
    let done = match (pre, post) {
        (Form::Absent, Form::Absent) => Ok(()),
        (Form::Absent, _) => pair.put(),
        (_, Form::Absent) => pair.take(),
        (_, _) => pair.exchange(),
    };
    match done {
        Ok(()) => {}
        Err(Errno::EEXIST | Errno::ENOENT) => return Err(conflict(target, &found)),
        Err(errno) => return Err(exchange_failure(root, target, errno).into()),
    }
    // Between the look and the exchange another may have replaced the object: then theirs lies in
    // the slot now, and the undo brings it back.
    let displaced = pair.slot_inode().map_err(|errno| look_failure(target, errno))?;
    if *pre != Form::Absent && displaced != inode.map(|it| (it.dev, it.ino)) {
        return Err(conflict(target, &found));
    }
    Ok(())
}

/// What lies in the folder at the target.
fn entries(pair: &Pair<'_>) -> Result<Vec<String>, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    names_in(openat(&pair.parent, pair.name, flags, Mode::empty())?)
}

/// Whether a directory stands as before, as after, or between the two calls that change it.
pub(crate) fn altered_from(found: &Form, pre: &Form, post: &Form) -> bool {
    let parts = |form: &Form| match form {
        Form::Directory { mode, uid, gid } => Some((*mode, *uid, *gid)),
        _ => None,
    };
    let (Some(found), Some(pre), Some(post)) = (parts(found), parts(pre), parts(post)) else {
        return false;
    };
    (found.0 == pre.0 || found.0 == post.0)
        && (found.1 == pre.1 || found.1 == post.1)
        && (found.2 == pre.2 || found.2 == post.2)
}

/// Sets a directory's owner and mode.
pub(crate) fn alter(
    parent: &OwnedFd,
    name: &str,
    target: &HostPath,
    to: &Form,
) -> Result<(), OsFailure> {
    let fail = |errno| OsFailure::new("change owner and mode of", target.as_str(), errno);
    let Form::Directory { mode, uid, gid } = to else {
        return Err(fail(Errno::ENOTDIR));
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = openat(parent, name, flags, Mode::empty()).map_err(fail)?;
    let stat = fstat(&fd).map_err(fail)?;
    if (stat.st_uid, stat.st_gid) != (*uid, *gid) {
        fchown(&fd, Some(Uid::from_raw(*uid)), Some(Gid::from_raw(*gid))).map_err(fail)?;
    }
    fchmod(&fd, Mode::from_bits_truncate(*mode)).map_err(fail)
}

pub(crate) fn dev_of(folder: &OwnedFd, path: &HostPath) -> Result<u64, OsFailure> {
    fstat(folder)
        .map(|stat| stat.st_dev)
        .map_err(|errno| OsFailure::new("look at the folder of", path.as_str(), errno))
}

fn conflict(target: &HostPath, found: &Form) -> ApplyFailure {
    ApplyFailure::Conflict { path: target.to_string(), found: found.to_string() }
}

fn missing(target: &HostPath, why: NoFolder) -> OsFailure {
    OsFailure::new("open the folder of", target.as_str(), why.errno())
}

fn look_failure(target: &HostPath, errno: Errno) -> ApplyFailure {
    OsFailure::new("look at", target.as_str(), errno).into()
}

#[cfg(test)]
mod tests;
