//! The primitive under every change: swap a staged object with what stands at a path.
//!
//! **Invariant:** nothing is overwritten: what stood there lies in the slot afterwards.
//! **Invariant:** undo is the same call again; it needs no new data blocks.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use bowline_model::host_path::HostPath;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat2};
use nix::sys::stat::fstatat;

use crate::door::root::{Folders, Root};
use crate::failure::{Kind, OsFailure};

/// The folder in the stage root that holds other people's versions, kept for them.
pub const KEPT: &str = "kept";

/// The name of the stage root on each filesystem.
pub const STAGE: &str = ".bowline-stage";

/// The open stage folders of one deployment.
#[derive(Debug)]
pub struct Stages {
    deployment: String,
    folders: Vec<(String, Rc<OwnedFd>)>,
}

impl Stages {
    /// Opens the stage folders of a deployment that was staged before.
    pub fn open(root: &Root, deployment: &str, stages: &[String]) -> Result<Self, OsFailure> {
        let open = |stage: &String| {
            let path = format!("{stage}/{deployment}");
            root.folder(&path)
                .map(|fd| (stage.clone(), Rc::new(fd)))
                .map_err(|errno| OsFailure::new("open the stage", root.outside(&path), errno))
        };
        let folders = stages.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { deployment: deployment.to_owned(), folders })
    }

    /// The deployment they belong to.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// The folder of one filesystem's stage, and where it lies.
    pub fn folder(&self, stage: u16) -> Result<(Rc<OwnedFd>, &str), OsFailure> {
        self.folders
            .get(usize::from(stage))
            .map(|(path, fd)| (Rc::clone(fd), path.as_str()))
            .ok_or_else(|| OsFailure::new("find the stage", stage.to_string(), Errno::ENOENT))
    }
}

/// A target and its slot, both held by their folders.
#[derive(Debug)]
pub struct Pair<'p> {
    /// The target's folder.
    pub parent: Rc<OwnedFd>,
    /// The target's name in it.
    pub name: &'p str,
    /// The stage.
    pub stage: Rc<OwnedFd>,
    /// The slot's name in it.
    pub slot: String,
}

impl<'p> Pair<'p> {
    /// Opens both folders.
    pub fn open(
        folders: &mut Folders<'_>,
        stages: &Stages,
        target: &'p HostPath,
        stage: u16,
        index: u32,
    ) -> Result<Self, OsFailure> {
        let outside = folders.root().outside(target.as_str());
        let (parent, name) = folders
            .parent(target)
            .map_err(|why| OsFailure::new("open the folder of", &outside, why.errno()))?;
        let (stage, _) = stages.folder(stage)?;
        Ok(Self { parent, name, stage, slot: index.to_string() })
    }

    /// Swaps target and slot.
    pub fn exchange(&self) -> Result<(), Errno> {
        renameat2(
            &self.stage,
            self.slot.as_str(),
            &self.parent,
            self.name,
            RenameFlags::RENAME_EXCHANGE,
        )
    }

    /// Moves the slot to the target, where nothing may stand.
    pub fn put(&self) -> Result<(), Errno> {
        renameat2(
            &self.stage,
            self.slot.as_str(),
            &self.parent,
            self.name,
            RenameFlags::RENAME_NOREPLACE,
        )
    }

    /// Moves the target to the slot, where nothing may stand.
    pub fn take(&self) -> Result<(), Errno> {
        renameat2(
            &self.parent,
            self.name,
            &self.stage,
            self.slot.as_str(),
            RenameFlags::RENAME_NOREPLACE,
        )
    }

    /// The device and number of what lies in the slot; `None` when it is empty.
    pub fn slot_inode(&self) -> Result<Option<(u64, u64)>, Errno> {
        inode_at(&self.stage, &self.slot)
    }

    /// The device and number of what stands at the target.
    pub fn target_inode(&self) -> Result<Option<(u64, u64)>, Errno> {
        inode_at(&self.parent, self.name)
    }
}

fn inode_at(folder: impl AsFd, name: &str) -> Result<Option<(u64, u64)>, Errno> {
    match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some((stat.st_dev, stat.st_ino))),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What a refused exchange means: some causes lie in the manifest, not in the moment.
pub fn exchange_failure(root: &Root, target: &HostPath, errno: Errno) -> OsFailure {
    let failure = OsFailure::new("exchange", root.outside(target.as_str()), errno);
    match errno {
        Errno::EXDEV | Errno::EINVAL | Errno::EPERM | Errno::EBUSY => {
            OsFailure { kind: Kind::Refused, ..failure }
        }
        _ => failure,
    }
}
