//! Files of the agent's own: small, read with a limit, replaced in one go.
//!
//! **Invariant:** a reader sees the old content or the new, never a part; after a power cut too.
#![allow(clippy::disallowed_methods, reason = "this is the door to files")]

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::door::barrier;
use crate::failure::OsFailure;

/// Reads a file of at most `limit` bytes; `None` when there is none.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, OsFailure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OsFailure::new("open", path, source)),
    };
    read_open(file, path, limit).map(Some)
}

/// Reads an open file of at most `limit` bytes.
pub fn read_open(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, OsFailure> {
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| OsFailure::new("read", path, source))?;
    if bytes.len() as u64 > limit {
        return Err(OsFailure::new("read", path, Errno::EFBIG));
    }
    Ok(bytes)
}

/// Reads up to `limit` bytes of a file from an offset on; `None` when there is none.
pub fn read_part(path: &Path, offset: u64, limit: usize) -> Result<Option<Vec<u8>>, OsFailure> {
    let Some(mut file) = look(path)? else {
        return Ok(None);
    };
    let failed = |source: io::Error| OsFailure::new("read", path, source);
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit as u64).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Replaces a file durably. `mode` counts for the new file.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), OsFailure> {
    let folder = parent_of(path);
    let temporary = temporary_of(path);
    let file = create(&temporary, mode)?;
    write_all(&file, &temporary, content)?;
    barrier::data(&file, &temporary)?;
    fs::rename(&temporary, path).map_err(|source| OsFailure::new("replace", path, source))?;
    let folder_fd = open_folder(&folder)?;
    barrier::whole(&folder_fd, &folder)
}

/// Replaces a file durably by a copy of another one.
pub fn replace_by_copy(from: &Path, to: &Path, mode: u32) -> Result<(), OsFailure> {
    let (folder, temporary) = (parent_of(to), temporary_of(to));
    let mut source = File::open(from).map_err(|it| OsFailure::new("open", from, it))?;
    let mut copy = create(&temporary, mode)?;
    let copied = io::copy(&mut source, &mut copy).map_err(|it| OsFailure::new("copy", from, it));
    let copied = copied.and_then(|_| barrier::data(&copy, &temporary));
    if copied.is_err() {
        remove(&temporary)?;
    }
    copied?;
    fs::rename(&temporary, to).map_err(|source| OsFailure::new("replace", to, source))?;
    barrier::whole(&open_folder(&folder)?, &folder)
}

/// Replaces a file that may be lost: no barrier.
pub fn replace_cheaply(path: &Path, content: &[u8], mode: u32) -> Result<(), OsFailure> {
    let temporary = temporary_of(path);
    let file = create(&temporary, mode)?;
    write_all(&file, &temporary, content)?;
    fs::rename(&temporary, path).map_err(|source| OsFailure::new("replace", path, source))
}

/// Creates a new file; an old one of that name is emptied.
pub fn create(path: &Path, mode: u32) -> Result<File, OsFailure> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    open(path, flags | OFlag::O_NOFOLLOW, Mode::from_bits_truncate(mode))
        .map(File::from)
        .map_err(|source| OsFailure::new("create", path, source))
}

/// Opens an existing file for reading and writing.
pub fn edit(path: &Path) -> Result<Option<File>, OsFailure> {
    match open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::ENOENT) => Ok(None),
        Err(source) => Err(OsFailure::new("open", path, source)),
    }
}

/// Opens a file for adding to its end, and makes it when there is none.
pub fn append(path: &Path, mode: u32) -> Result<File, OsFailure> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_CLOEXEC;
    open(path, flags | OFlag::O_NOFOLLOW, Mode::from_bits_truncate(mode))
        .map(File::from)
        .map_err(|source| OsFailure::new("open", path, source))
}

/// Opens an existing file for looking at it; `None` when there is none.
pub fn look(path: &Path) -> Result<Option<File>, OsFailure> {
    match open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::ENOENT) => Ok(None),
        Err(source) => Err(OsFailure::new("open", path, source)),
    }
}

/// How long a file is; 0 when there is none.
pub fn length(path: &Path) -> Result<u64, OsFailure> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(OsFailure::new("look at", path, source)),
    }
}

/// By what a file is known to be the same as before, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// The stamp of what a path leads to; `None` when there is nothing, or nobody may look.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    let changed = (found.ctime(), found.ctime_nsec());
    Some(Stamp { inode: found.ino(), size: found.len(), changed })
}

/// The group of what a path leads to; `None` when there is nothing.
pub fn group(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|it| it.gid())
}

/// Sets a file's mode.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), OsFailure> {
    let permissions = Permissions::from_mode(mode);
    fs::set_permissions(path, permissions)
        .map_err(|source| OsFailure::new("set the mode of", path, source))
}

/// Whether a path is a regular file that has no other name.
pub fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.is_file() && it.nlink() == 1)
}

/// Makes a folder that only the agent may enter, and everything above it; durable.
pub fn make_folder(path: &Path) -> Result<(), OsFailure> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    make_folder(&parent)?;
    match nix::unistd::mkdir(path, Mode::from_bits_truncate(0o700)) {
        Ok(()) => barrier::whole(open_folder(&parent)?, &parent),
        Err(Errno::EEXIST) if path.is_dir() => Ok(()),
        Err(source) => Err(OsFailure::new("make the folder", path, source)),
    }
}

/// Makes a folder of this process's own in one that anybody may write to, such as `/tmp`: its name is
/// random, nothing stood there before, and nobody else may enter.
pub fn make_private_folder(within: &Path, name: &str) -> Result<PathBuf, OsFailure> {
    let template = within.join(format!("{name}.XXXXXX"));
    nix::unistd::mkdtemp(&template)
        .map_err(|source| OsFailure::new("make a folder in", within, source))
}

/// Opens a folder.
pub fn open_folder(path: &Path) -> Result<OwnedFd, OsFailure> {
    open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|source| OsFailure::new("open the folder", path, source))
}

/// Removes a file that may be gone already.
pub fn remove(path: &Path) -> Result<(), OsFailure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OsFailure::new("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Moves a file to another name in the same folder, durably. Gives whether it was there.
pub fn rename(from: &Path, to: &Path) -> Result<bool, OsFailure> {
    match fs::rename(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(OsFailure::new("rename", from, source)),
    }
    let folder = parent_of(to);
    barrier::whole(open_folder(&folder)?, &folder)?;
    Ok(true)
}

/// Moves a file that may be lost to another name in the same folder: no barrier.
pub fn rename_cheaply(from: &Path, to: &Path) -> Result<(), OsFailure> {
    fs::rename(from, to).map_err(|source| OsFailure::new("rename", from, source))
}

/// Makes a folder that may be lost, in one that is there: no barrier.
pub fn make_folder_cheaply(path: &Path) -> Result<(), OsFailure> {
    match nix::unistd::mkdir(path, Mode::from_bits_truncate(0o700)) {
        Ok(()) => Ok(()),
        Err(Errno::EEXIST) if path.is_dir() => Ok(()),
        Err(source) => Err(OsFailure::new("make the folder", path, source)),
    }
}

/// When a file was last changed, in a form that can be compared; `None` when there is none.
pub fn changed(path: &Path) -> Option<(i64, i64)> {
    stamp(path).map(|it| it.changed)
}

/// Removes a folder of the agent's own, with everything in it.
pub fn remove_folder(path: &Path) -> Result<(), OsFailure> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OsFailure::new("remove the folder", path, error))
        }
        _ => Ok(()),
    }
}

/// Copies a file beside itself under another name, for a person to look at.
pub fn copy_aside(path: &Path, aside: &Path) -> Result<(), OsFailure> {
    fs::copy(path, aside).map(drop).map_err(|source| OsFailure::new("copy aside", path, source))
}

/// Names in a folder, sorted; none when it is not there. More than `limit` is an error.
pub fn names(folder: &Path, limit: usize) -> Result<Vec<String>, OsFailure> {
    let fail = |source: io::Error| OsFailure::new("list", folder, source);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(fail(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
        if names.len() > limit {
            return Err(fail(Errno::E2BIG.into()));
        }
    }
    names.sort();
    Ok(names)
}

/// Writes everything.
pub fn write_all(mut file: &File, path: &Path, content: &[u8]) -> Result<(), OsFailure> {
    file.write_all(content).map_err(|source| OsFailure::new("write", path, source))
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_private_folder_is_new_each_time_and_nobody_else_may_enter() {
        let scratch = Scratch::new();
        let [one, two] = [(); 2].map(|()| make_private_folder(scratch.path(), "a").unwrap());
        assert_ne!(one, two);
        for folder in [one, two] {
            assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o7777, 0o700);
            assert_eq!(names(&folder, 1).unwrap(), [""; 0]);
        }
        let nowhere = make_private_folder(&scratch.path().join("none"), "a").unwrap_err();
        assert!(nowhere.to_string().starts_with("make a folder in "), "{nowhere}");
    }
}
