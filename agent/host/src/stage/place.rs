//! Where stages lie: the stage root of each filesystem, and whether what stands there is the agent's.
//!
//! **Invariant:** a stage root counts only when nobody else can have made it; another's is never
//! entered, emptied or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use bowline_model::form::Form;
use bowline_model::host_path::HostPath;
use bowline_model::step::{Deed, Step};
use bowline_model::tree::Content;
use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::geteuid;

use super::{StageFailure, Staged};
use crate::door::root::{Folders, Root, is_open, others_may_swap};
use crate::exchange::STAGE;
use crate::mounts::{self, Mounts, OwnMounts};

/// What stands where a stage root would.
#[derive(Debug)]
pub(crate) enum Stands {
    /// Nothing.
    Nothing,
    /// A stage root of the agent's own.
    Own(OwnedFd),
    /// Something that others made, or may write to.
    Foreign(&'static str),
    /// It cannot be looked at.
    Unseen(Errno),
}

/// Looks at the place of a stage root below a base.
pub(crate) fn look(root: &Root, base: &str) -> Stands {
    let fd = match root.folder(&format!("{base}/{STAGE}")) {
        Ok(fd) => fd,
        Err(Errno::ENOENT) => return Stands::Nothing,
        // A single file may be a mount point, too.
        Err(Errno::ENOTDIR) if matches!(root.folder(base), Err(Errno::ENOTDIR)) => {
            return Stands::Nothing;
        }
        Err(Errno::ENOTDIR | Errno::ELOOP) => return Stands::Foreign("it exists and is no folder"),
        Err(errno) => return Stands::Unseen(errno),
    };
    match fstat(&fd) {
        Ok(stat) if stat.st_uid != geteuid().as_raw() => {
            Stands::Foreign("it exists and belongs to somebody else")
        }
        Ok(stat) if stat.st_mode & 0o022 != 0 => {
            Stands::Foreign("it exists, and others than the agent may write to it")
        }
        Ok(_) => Stands::Own(fd),
        Err(errno) => Stands::Unseen(errno),
    }
}

/// Whether somebody else could have moved a folder of the agent's to the place of a stage root.
pub(crate) fn is_open_to_others(root: &Root, base: &str) -> Result<bool, Errno> {
    Ok(others_may_swap(&fstat(root.folder(base)?)?))
}

/// Finds the stage of each step, and refuses paths that cannot be changed safely.
pub(super) fn locate(
    root: &Root,
    folders: &mut Folders<'_>,
    steps: &[(&Step, &Content)],
) -> Result<Staged, StageFailure> {
    let (mounts, own) = (Mounts::read(root)?, OwnMounts::read(root)?);
    let opened: BTreeSet<_> = steps.iter().filter_map(|(step, _)| opened_by(step)).collect();
    let mut stages: Vec<String> = Vec::new();
    let mut of_parent: BTreeMap<String, u16> = BTreeMap::new();
    let mut of_step = Vec::with_capacity(steps.len());
    for (step, _) in steps {
        let Some(target) = step.target() else {
            of_step.push(0);
            continue;
        };
        let unsafe_because = |why: String| StageFailure::Unsafe { path: target.to_string(), why };
        if target.as_str().split('/').any(|name| name == STAGE) {
            return Err(unsafe_because("it lies where the agent stages".to_owned()));
        }
        let path = target.as_str();
        let mut above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        let opened = above.find(|folder| opened.contains(folder));
        if let Some(folder) = opened {
            let why = format!("the same plan lets others than its owner write to {folder}");
            return Err(unsafe_because(why));
        }
        if let Some(why) = folders.weakness(target) {
            return Err(unsafe_because(why));
        }
        if matches!(step.deed, Deed::Place { .. })
            && let Some(why) = mounts.obstacle(root, target)
        {
            return Err(unsafe_because(why));
        }
        let parent = target.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        let number = if let Some(number) = of_parent.get(parent) {
            *number
        } else {
            let base = mounts::mount_root(root, parent)?;
            if let Some(why) = own.hindrance(&base) {
                return Err(unsafe_because(why));
            }
            let stage = format!("{base}/{STAGE}");
            let number = stages.iter().position(|it| *it == stage).unwrap_or_else(|| {
                stages.push(stage);
                stages.len() - 1
            });
            let Ok(number) = u16::try_from(number) else {
                let why = "it lies on too many filesystems".to_owned();
                return Err(unsafe_because(why));
            };
            of_parent.insert(parent.to_owned(), number);
            number
        };
        of_step.push(number);
    }
    Ok(Staged { stages, of_step })
}

/// The folder that a step leaves open to others than its owner, if it is one.
fn opened_by(step: &Step) -> Option<&str> {
    match step.post()? {
        Form::Directory { mode, uid, gid } if is_open(*mode, *uid, *gid) => {
            step.target().map(HostPath::as_str)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::super::make_stage;
    use super::*;
    use crate::clean::{Ended, clean, leftovers};
    use crate::scratch::Scratch;

    fn set_mode(path: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_put_in_the_place_of_a_stage_root_is_left_alone() {
        type Put = fn(&Path);
        let cases: [(&str, Put); 4] = [
            ("a folder that all may write to", |stage| {
                fs::create_dir_all(stage.join("d1")).unwrap();
                set_mode(stage, 0o777);
            }),
            ("a folder that a group may write to", |stage| {
                fs::create_dir_all(stage.join("d1")).unwrap();
                set_mode(stage, 0o770);
            }),
            ("a link to a folder of the agent's", |stage| {
                fs::create_dir_all(stage.with_file_name("own/d1")).unwrap();
                symlink("own", stage).unwrap();
            }),
            ("a file", |stage| fs::write(stage, "x").unwrap()),
        ];
        for (what, put) in cases {
            let scratch = Scratch::new();
            let stage = scratch.path().join(STAGE);
            put(&stage);
            let root = Root::open(scratch.path()).unwrap();
            assert!(matches!(look(&root, ""), Stands::Foreign(_)), "{what}");
            assert_eq!(leftovers(&root).unwrap(), [], "{what}");
            assert_eq!(clean(&root, "d1", Ended::Reverted).unwrap(), [], "{what}");
            assert!(stage.symlink_metadata().is_ok(), "{what} was removed");
            let refused = make_stage(&root, &format!("/{STAGE}"), "d2").unwrap_err();
            assert_eq!(refused.code(), "unsafe-path", "{what}");
        }
    }

    #[test]
    fn a_stage_root_counts_where_nobody_else_can_have_put_it() {
        for (mode, counts) in [(0o755, true), (0o1777, true), (0o777, false), (0o775, false)] {
            let scratch = Scratch::new();
            let stage = scratch.path().join(STAGE);
            fs::create_dir_all(stage.join("d1")).unwrap();
            set_mode(&stage, 0o700);
            set_mode(scratch.path(), mode);
            let root = Root::open(scratch.path()).unwrap();
            let found = leftovers(&root).unwrap();
            assert_eq!(!found.is_empty(), counts, "{mode:o}");
            // Its own deployment is cleaned all the same: nobody else can have filled it.
            assert_eq!(clean(&root, "d1", Ended::Abandoned).unwrap(), [], "{mode:o}");
            assert!(!stage.exists(), "{mode:o}");
        }
    }
}
