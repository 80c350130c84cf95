//! The folder and the control group of one lab, and what is left of labs that were killed.
//!
//! **Invariant:** both go at the end, whatever happened; the folder stays when it is to be kept.
//! **Invariant:** only folders and groups whose lab does not run any more are swept.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::fcntl::{Flock, FlockArg};
use tests::patience;

/// What all labs' names begin with.
pub(crate) const PREFIX: &str = "bowline-lab-";

/// The file that a running lab holds locked; a folder without it is one that was kept.
const LOCK: &str = "lock";

/// Processes that were killed leave their groups at once; a busy machine takes a little longer.
const GROUP_EMPTY: Duration = Duration::from_secs(20);

/// What becomes of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It stays, for whoever wants to look.
    Kept,
    /// It goes.
    Removed,
}

/// Where everything of one lab lies.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The control group's name.
    pub(crate) group: String,
    groups: PathBuf,
    afterwards: Afterwards,
    /// Held as long as the lab runs: who finds it free may sweep the folder.
    _lock: Flock<File>,
}

impl Place {
    /// Makes both, after sweeping what killed labs left.
    pub(crate) fn make(afterwards: Afterwards) -> Result<Self> {
        let groups = control_groups()?;
        let parent = std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from);
        let parent = parent.canonicalize().with_context(|| format!("find {}", parent.display()))?;
        sweep(&parent, &groups);
        let group = format!("{PREFIX}{}", std::process::id());
        let folder = parent.join(&group);
        fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
        let lock = File::create(folder.join(LOCK)).context("mark the lab's folder as in use")?;
        let lock = locked(lock).context("mark the lab's folder as in use")?;
        // Hosts' services run as accounts of their own, and pass through it.
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        fs::create_dir(groups.join(&group)).context("make a control group")?;
        Ok(Self { folder, group, groups, afterwards, _lock: lock })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let group = self.groups.join(&self.group);
        let gone = patience::until_even_if_interrupted("the hosts to end", GROUP_EMPTY, || {
            remove_group(&group);
            Ok((!group.exists()).then_some(()))
        });
        if let Err(error) = gone {
            eprintln!("{}: {error}", group.display());
        }
        if self.afterwards == Afterwards::Kept {
            drop(fs::remove_file(self.folder.join(LOCK)));
            println!("\nkept: {}", self.folder.display());
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} could not be removed: {error}", self.folder.display());
        }
    }
}

fn locked(file: File) -> Result<Flock<File>> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

/// Whether a folder is of a lab that does not run any more, and was not to be kept.
fn is_left_over(folder: &Path) -> bool {
    File::open(folder.join(LOCK)).is_ok_and(|it| locked(it).is_ok())
}

/// Where the machine has the second form of control groups mounted.
pub(crate) fn control_groups() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("read /proc/self/mounts")?;
    let of_form_2 = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let folder = words.next()?;
        (words.next()? == "cgroup2").then(|| PathBuf::from(folder))
    };
    mounts.lines().find_map(of_form_2).context("find a mount of cgroup2 in /proc/self/mounts")
}

/// Removes what labs left that could not tidy up themselves. What cannot be removed stays, named by nobody:
/// the next lab tries again.
fn sweep(parent: &Path, groups: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && is_left_over(&entry.path()) {
            remove_group(&groups.join(&name));
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Removes a group and those in it, as far as they are empty.
fn remove_group(group: &Path) {
    let inner = fs::read_dir(group).into_iter().flatten().flatten();
    for entry in inner.filter(|it| it.file_type().is_ok_and(|it| it.is_dir())) {
        remove_group(&entry.path());
    }
    drop(fs::remove_dir(group));
}
