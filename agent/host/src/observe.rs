//! Looks at paths: how they stand, which object stands there, and what hinders an exchange.
//!
//! **Invariant:** looking changes nothing and follows no link.
//! **Invariant:** what cannot be looked at is an error or an obstacle, never "absent".
//! **Invariant:** no file is read beyond the size that a managed one may have: whoever may write one may
//! make it as large as the filesystem lets him.

use std::os::fd::{AsFd, OwnedFd};

use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::form::{Form, Inode};
use bowline_model::host_path::HostPath;
use bowline_model::survey::{Depth, Seen};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::read;
use rustix::fs::{fgetxattr, flistxattr, flistxattr_query};

use crate::door::clock;
use crate::door::root::{Folders, NoFolder, Root};
use crate::failure::OsFailure;
use crate::stat_cache::{Held, StatCache};

/// Bytes read at once: most managed files fit, and the buffer is made once.
const BUFFER: usize = 128 << 10;

/// Said before a stamp, so that no content is taken for one.
const UNREAD: &[u8] = b"bowline: not read, known by inode, size and time\0";

/// Largest file that is managed: one binary of a release. Larger ones are not read.
pub(crate) const MANAGED_BYTES_MAX: u64 = 512 << 20;

/// No file's extended attributes are larger on common filesystems.
const XATTR_BYTES_MAX: usize = 64 << 10;

/// Entries of a listed directory; more means that it is no configuration folder.
const LISTING_MAX: usize = 100_000;

/// Looks at paths.
#[derive(Debug)]
pub struct Observer<'a> {
    folders: Folders<'a>,
    cache: &'a mut StatCache,
    buffer: Vec<u8>,
    wall: i64,
    bytes: u64,
}

impl<'a> Observer<'a> {
    /// Begins a look around.
    pub fn of(root: &'a Root, cache: &'a mut StatCache) -> Self {
        Self {
            folders: Folders::of(root),
            cache,
            buffer: vec![0; BUFFER],
            wall: clock::wall(),
            bytes: 0,
        }
    }

    /// How many bytes of files were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// Looks at every path, in order.
    pub fn look_all(&mut self, paths: &[HostPath], depth: Depth) -> Result<Vec<Seen>, OsFailure> {
        paths.iter().map(|path| self.look(path, depth)).collect()
    }

    /// Looks at one path.
    pub fn look(&mut self, path: &HostPath, depth: Depth) -> Result<Seen, OsFailure> {
        let outside = |root: &Root| root.outside(path.as_str());
        let (folder, name) = match self.folders.parent(path) {
            Ok(found) => found,
            Err(NoFolder::Missing) => return Ok(absent(None)),
            Err(NoFolder::Link) => {
                let why = "a symbolic link stands on the way to it".to_owned();
                return Ok(absent(Some(why)));
            }
            Err(NoFolder::Refused(errno)) => {
                return Err(OsFailure::new("look at", outside(self.folders.root()), errno));
            }
        };
        let fail = |errno: Errno| OsFailure::new("look at", outside(self.folders.root()), errno);
        let stat = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(absent(None)),
            Err(errno) => return Err(fail(errno)),
        };
        let inode = Some(Inode { dev: stat.st_dev, ino: stat.st_ino, links: stat.st_nlink });
        let form = match kind(&stat) {
            SFlag::S_IFREG => {
                let known = (depth == Depth::Stat).then(|| self.cache.look(path, &stat, self.wall));
                let held = match known.flatten() {
                    Some(held) => held,
                    None => match read_held(&folder, name, &stat, &mut self.buffer) {
                        Ok(held) => {
                            self.bytes = self.bytes.saturating_add(readable(&stat).unwrap_or(0));
                            self.cache.keep(path, &stat, self.wall, held);
                            held
                        }
                        // Gone, or a link now: between two looks, so look again next time.
                        Err(Errno::ENOENT | Errno::ELOOP) => return Ok(absent(None)),
                        Err(errno) => return Err(fail(errno)),
                    },
                };
                file_form(&stat, held)
            }
            SFlag::S_IFLNK => Form::Symlink { target: link_target(&folder, name).map_err(fail)? },
            _ => plain_form(&stat),
        };
        let hard_links = kind(&stat) == SFlag::S_IFREG && stat.st_nlink > 1;
        let obstacle = hard_links.then(|| format!("it has {} hard links", stat.st_nlink));
        Ok(Seen { form, inode, obstacle })
    }

    /// Lists a directory; nothing when it is not there.
    pub fn list(&mut self, path: &HostPath) -> Result<Vec<String>, OsFailure> {
        let root = self.folders.root();
        let fail = |errno: Errno| OsFailure::new("list", root.outside(path.as_str()), errno);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let fd = match root.open_at(path.as_str(), flags) {
            Ok(fd) => fd,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Vec::new()),
            Err(errno) => return Err(fail(errno)),
        };
        names_in(fd).map_err(fail)
    }
}

/// Names in an open folder, sorted.
pub(crate) fn names_in(fd: OwnedFd) -> Result<Vec<String>, Errno> {
    let mut folder = nix::dir::Dir::from_fd(fd)?;
    let mut names = Vec::new();
    for entry in folder.iter() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
        if names.len() > LISTING_MAX {
            return Err(Errno::E2BIG);
        }
    }
    names.sort();
    Ok(names)
}

/// How the object of this name in an open folder stands, read in full.
pub(crate) fn form_at(folder: impl AsFd, name: &str) -> Result<(Form, Option<Inode>), Errno> {
    let stat = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::ENOENT) => return Ok((Form::Absent, None)),
        Err(errno) => return Err(errno),
    };
    let inode = Some(Inode { dev: stat.st_dev, ino: stat.st_ino, links: stat.st_nlink });
    let form = match kind(&stat) {
        SFlag::S_IFREG => {
            let size = usize::try_from(stat.st_size).unwrap_or(BUFFER).min(BUFFER);
            let mut buffer = vec![0; size + 1];
            file_form(&stat, read_held(&folder, name, &stat, &mut buffer)?)
        }
        SFlag::S_IFLNK => Form::Symlink { target: link_target(&folder, name)? },
        _ => plain_form(&stat),
    };
    Ok((form, inode))
}

fn absent(obstacle: Option<String>) -> Seen {
    Seen { form: Form::Absent, inode: None, obstacle }
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn file_form(stat: &FileStat, held: Held) -> Form {
    Form::File {
        sha256: held.sha256,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        xattrs: held.xattrs,
    }
}

fn plain_form(stat: &FileStat) -> Form {
    let what = match kind(stat) {
        SFlag::S_IFDIR => {
            let mode = stat.st_mode & 0o7777;
            return Form::Directory { mode, uid: stat.st_uid, gid: stat.st_gid };
        }
        SFlag::S_IFCHR => "a character device",
        SFlag::S_IFBLK => "a block device",
        SFlag::S_IFIFO => "a pipe",
        SFlag::S_IFSOCK => "a socket",
        _ => "something unknown",
    };
    Form::Other { what: what.to_owned() }
}

fn link_target(folder: impl AsFd, name: &str) -> Result<String, Errno> {
    Ok(readlinkat(folder, name)?.to_string_lossy().into_owned())
}

/// The size of a file that is read in full; `None` for one that is larger than any wanted one, and thus
/// different from it whatever it holds.
fn readable(stat: &FileStat) -> Option<u64> {
    u64::try_from(stat.st_size).ok().filter(|it| *it <= MANAGED_BYTES_MAX)
}

fn read_held(
    folder: impl AsFd,
    name: &str,
    stat: &FileStat,
    buffer: &mut [u8],
) -> Result<Held, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let fd = openat(folder, name, flags | OFlag::O_CLOEXEC, Mode::empty())?;
    let xattrs = xattrs_of(&fd)?;
    let Some(size) = readable(stat) else {
        return Ok(Held { sha256: stamp_of(stat), xattrs });
    };
    let first = read(&fd, buffer)?;
    let piece = buffer.get(..first).unwrap_or_default();
    // A regular file gives less than was asked for only at its end.
    if first < buffer.len() && u64::try_from(first) == Ok(size) {
        return Ok(Held { sha256: Sha256::of(piece), xattrs });
    }
    let mut stream = Sha256Stream::new();
    stream.update(piece);
    let mut bytes = first;
    loop {
        let more = read(&fd, buffer)?;
        if more == 0 {
            return Ok(Held { sha256: stream.finish(), xattrs });
        }
        bytes = bytes.saturating_add(more);
        // It grows while it is read; how it stands now is another form already.
        if u64::try_from(bytes).is_ok_and(|it| it > MANAGED_BYTES_MAX) {
            return Ok(Held { sha256: stamp_of(&fstat(&fd)?), xattrs });
        }
        stream.update(buffer.get(..more).unwrap_or_default());
    }
}

/// Stands for the content of a file that is too large to be read. It survives an exchange and its undo,
/// and neither a write nor another file of the same size.
fn stamp_of(stat: &FileStat) -> Sha256 {
    let mut stream = Sha256Stream::new();
    stream.update(UNREAD);
    stream.update(&stat.st_ino.to_le_bytes());
    for number in [stat.st_size, stat.st_mtime, stat.st_mtime_nsec] {
        stream.update(&number.to_le_bytes());
    }
    stream.finish()
}

/// SHA-256 over names and values of an open file's extended attributes.
fn xattrs_of(fd: impl AsFd) -> Result<Option<Sha256>, Errno> {
    let errno = |error: rustix::io::Errno| Errno::from_raw(error.raw_os_error());
    // Most files have none; asking for the length alone tells that without a buffer.
    match flistxattr_query(&fd) {
        Ok(0) | Err(rustix::io::Errno::NOTSUP) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(errno(error)),
    }
    let mut list = vec![0; XATTR_BYTES_MAX];
    let length = flistxattr(&fd, &mut list).map_err(errno)?;
    list.truncate(length);
    let mut names: Vec<&[u8]> = list.split(|byte| *byte == 0).filter(|it| !it.is_empty()).collect();
    names.sort_unstable();
    let mut stream = Sha256Stream::new();
    let mut value = vec![0; XATTR_BYTES_MAX];
    for name in names {
        let length = fgetxattr(&fd, name, &mut value).map_err(errno)?;
        stream.update(&(name.len() as u64).to_le_bytes());
        stream.update(name);
        stream.update(&(length as u64).to_le_bytes());
        stream.update(value.get(..length).unwrap_or_default());
    }
    Ok(Some(stream.finish()))
}
