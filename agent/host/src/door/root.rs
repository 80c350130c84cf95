//! The folder under which everything managed lies, and the only way to a path in it.
//!
//! **Invariant:** no path leads outside the root or through a symbolic link, whoever swaps folders
//! meanwhile; a few links that distributions ship are resolved by name first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bowline_model::host_path::HostPath;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::{getegid, geteuid};

use crate::failure::OsFailure;

/// Links that distributions ship below `/`, by which people write paths.
const DISTRIBUTION_LINKS: [&str; 7] =
    ["/bin", "/sbin", "/lib", "/lib64", "/var/run", "/var/lock", "/usr/lib64"];

/// Folders kept open at once: more than the siblings of one tree level, fewer than the file limit.
const OPEN_FOLDERS_MAX: usize = 64;

/// A root folder, held open.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
    links: BTreeMap<String, String>,
}

impl Root {
    /// Opens the root.
    pub fn open(path: &Path) -> Result<Self, OsFailure> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(path, flags, Mode::empty())
            .map_err(|source| OsFailure::new("open the root", path, source))?;
        let links = DISTRIBUTION_LINKS
            .iter()
            .filter_map(|link| {
                let target = readlinkat(&fd, link.trim_start_matches('/')).ok()?;
                let target = target.into_string().ok()?;
                let base = link.rsplit_once('/').map_or("", |(base, _)| base);
                let whole =
                    if target.starts_with('/') { target } else { format!("{base}/{target}") };
                Some(((*link).to_owned(), whole))
            })
            .collect();
        Ok(Self { fd, path: path.to_owned(), links })
    }

    /// Links of the distribution at the top of the tree, and where they lead.
    pub fn links(&self) -> &BTreeMap<String, String> {
        &self.links
    }

    /// Where the root lies on the real filesystem.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the root is the machine's own.
    pub fn is_machine(&self) -> bool {
        self.path == Path::new("/")
    }

    /// Where a managed path lies on the real filesystem, for programs and people.
    pub fn outside(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    /// The path with a distribution's link at its beginning resolved.
    pub fn resolve(&self, path: &str) -> String {
        self.links
            .iter()
            .find_map(|(link, target)| {
                let rest = path.strip_prefix(link.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then(|| format!("{target}{rest}"))
            })
            .unwrap_or_else(|| path.to_owned())
    }

    /// Opens a folder below the root; `/` is the root itself.
    pub fn folder(&self, path: &str) -> Result<OwnedFd, Errno> {
        // Without O_NOFOLLOW a link in the last place is told as a link, not as "no folder"; it is not
        // followed either way.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        self.open_below(path, flags)
    }

    /// Opens anything below the root.
    pub fn open_at(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        self.open_below(path, flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW)
    }

    fn open_below(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let resolved = self.resolve(path);
        let relative = match resolved.trim_start_matches('/') {
            "" => ".",
            relative => relative,
        };
        let how = OpenHow::new().flags(flags).resolve(
            ResolveFlag::RESOLVE_IN_ROOT
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
        openat2(&self.fd, relative, how)
    }

    /// Reads a small file below the root; `None` when there is none.
    pub fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, OsFailure> {
        let fail = |source: Errno| OsFailure::new("read", self.outside(path), source);
        let fd = match self.open_at(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
            Ok(fd) => fd,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(source) => return Err(fail(source)),
        };
        let mut bytes = Vec::new();
        File::from(fd)
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| OsFailure::new("read", self.outside(path), source))?;
        if bytes.len() as u64 > limit { Err(fail(Errno::EFBIG)) } else { Ok(Some(bytes)) }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Folders held open while many paths are visited.
#[derive(Debug)]
pub struct Folders<'a> {
    root: &'a Root,
    open: BTreeMap<String, Rc<OwnedFd>>,
    trusted: BTreeSet<String>,
}

/// Why a path's folder cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFolder {
    /// It is not there.
    Missing,
    /// Something on the way is a link.
    Link,
    /// The system said so.
    Refused(Errno),
}

impl NoFolder {
    /// What the system would say.
    pub fn errno(self) -> Errno {
        match self {
            Self::Missing => Errno::ENOENT,
            Self::Link => Errno::ELOOP,
            Self::Refused(errno) => errno,
        }
    }
}

impl<'a> Folders<'a> {
    /// Begins with none open.
    pub fn of(root: &'a Root) -> Self {
        Self { root, open: BTreeMap::new(), trusted: BTreeSet::new() }
    }

    /// The root.
    pub fn root(&self) -> &'a Root {
        self.root
    }

    /// The folder that holds a path, and the path's own name in it.
    pub fn parent<'p>(&mut self, path: &'p HostPath) -> Result<(Rc<OwnedFd>, &'p str), NoFolder> {
        let (parent, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if let Some(fd) = self.open.get(parent) {
            return Ok((Rc::clone(fd), name));
        }
        let fd = self.root.folder(parent).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => NoFolder::Missing,
            Errno::ELOOP => NoFolder::Link,
            other => NoFolder::Refused(other),
        })?;
        if self.open.len() >= OPEN_FOLDERS_MAX {
            self.open.clear();
        }
        let fd = Rc::new(fd);
        self.open.insert(parent.to_owned(), Rc::clone(&fd));
        Ok((fd, name))
    }

    /// Forgets open folders: what stands at a path may have been exchanged.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// Says why others could swap what lies on the way to a path; `None` when only its owner can.
    pub fn weakness(&mut self, path: &HostPath) -> Option<String> {
        let parent = path.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
        let mut ends: Vec<usize> = parent.match_indices('/').map(|(at, _)| at).collect();
        ends.push(parent.len());
        for end in ends {
            let folder = parent.get(..end).unwrap_or("");
            if self.trusted.contains(folder) {
                continue;
            }
            match self.root.folder(folder).and_then(fstat) {
                Ok(stat) if others_may_write(&stat) => {
                    let shown = if folder.is_empty() { "/" } else { folder };
                    return Some(format!("others than its owner may write to {shown}"));
                }
                Ok(_) => drop(self.trusted.insert(folder.to_owned())),
                // What is not there yet, or no folder, is made one by the same plan, with its own mode.
                Err(Errno::ENOENT | Errno::ENOTDIR) => return None,
                Err(errno) => return Some(format!("{folder} cannot be looked at: {errno}")),
            }
        }
        None
    }
}

/// Whether somebody else than root and the agent can put folders of theirs, or of ours, at other names
/// of this folder.
pub(crate) fn others_may_swap(folder: &FileStat) -> bool {
    let foreign = folder.st_uid != 0 && folder.st_uid != geteuid().as_raw();
    foreign || (others_may_write(folder) && folder.st_mode & 0o1000 == 0)
}

/// Whether somebody else than root and the agent can rename things in this folder.
fn others_may_write(folder: &FileStat) -> bool {
    is_open(folder.st_mode, folder.st_uid, folder.st_gid)
}

/// The same of a folder of this mode and these owners.
pub(crate) fn is_open(mode: u32, uid: u32, gid: u32) -> bool {
    let foreign = uid != 0 && uid != geteuid().as_raw();
    // A private group of the agent's own user (umask 002) is not "others".
    let own_group = !geteuid().is_root() && gid == getegid().as_raw();
    foreign || mode & 0o002 != 0 || (mode & 0o020 != 0 && !own_group)
}
