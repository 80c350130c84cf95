//! Prepares everything new beside the host's files: same filesystem, read by nobody.
//!
//! **Invariant:** nothing that another program reads is touched.
//! **Invariant:** when staging is done, every new object is durable and was read back.

pub(crate) mod place;

use std::os::fd::OwnedFd;
use std::rc::Rc;

use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::host_path::HostPath;
use bowline_model::object_id::ObjectId;
use bowline_model::release::Extract;
use bowline_model::step::{Deed, Step};
use bowline_model::tree::Content;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Gid, Uid, fchown, getegid, geteuid, symlinkat, write};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::door::barrier;
use crate::door::root::{Folders, Root};
use crate::exchange::STAGE;
use crate::failure::{Kind, OsFailure};
use crate::observe::form_at;
use place::Stands;

/// Left free on every filesystem, so that staging does not fill it for others.
const HEADROOM_BYTES: u64 = 4 << 20;

/// The name of the stage's own manifest.
pub const MANIFEST: &str = "manifest";

/// Where contents come from.
pub trait Source {
    /// The content of a blob of the verified revision.
    fn blob(&self, id: &ObjectId) -> Result<Vec<u8>, OsFailure>;

    /// Copies a file of an archive, known by its digest.
    fn copy_member(
        &self,
        (archive, _): (Sha256, Extract),
        file: Sha256,
        _into: &OwnedFd,
    ) -> Result<(), StageFailure> {
        Err(StageFailure::Away { archive: archive.to_string(), file: file.to_string() })
    }
}

/// What was staged where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The stage root of each filesystem.
    pub stages: Vec<String>,
    /// For each step, which of them holds its slot.
    pub of_step: Vec<u16>,
}

/// What a stage says of itself, so that it can be cleaned without its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageManifest {
    /// The deployment.
    pub deployment: String,
    /// Its slots.
    pub slots: Vec<SlotLine>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotLine {
    /// Its name: the step's index.
    pub slot: u32,
    /// What it is for.
    pub target: HostPath,
    /// How the target stood.
    pub pre: Form,
    /// What was put into the slot.
    pub post: Form,
}

/// Staging failed; nothing outside the stage was touched.
#[derive(Debug, Error)]
pub enum StageFailure {
    /// The system refused.
    #[error("stage the new objects")]
    Os(#[from] OsFailure),
    /// A path that must not be exchanged.
    #[error("{path} cannot be changed safely: {why}")]
    Unsafe {
        /// The path.
        path: String,
        /// Why.
        why: String,
    },
    /// Not enough room.
    #[error("the filesystem of {path} has {free} bytes free, and {needed} are needed")]
    NoRoom {
        /// The stage.
        path: String,
        /// Free bytes.
        free: u64,
        /// Needed bytes.
        needed: u64,
    },
    /// A file of an archive is not here, or not what it was.
    #[error("the file with SHA-256 {file} of the archive {archive} is not here any more")]
    Away {
        /// The archive.
        archive: String,
        /// The file.
        file: String,
    },
    /// What was read back is not what was written.
    #[error("{path} reads back as {found}, not as {expected}")]
    Mismatch {
        /// The slot.
        path: String,
        /// What was read.
        found: String,
        /// What was written.
        expected: String,
    },
}

impl StageFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Unsafe { .. } => Kind::Refused,
            Self::NoRoom { .. } | Self::Mismatch { .. } | Self::Away { .. } => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os(_) => "io",
            Self::Unsafe { .. } => "unsafe-path",
            Self::NoRoom { .. } => "no-room",
            Self::Mismatch { .. } => "stage-mismatch",
            Self::Away { .. } => "artifact-away",
        }
    }
}

/// Stages every new object of a plan.
pub fn stage(
    root: &Root,
    deployment: &str,
    steps: &[(&Step, &Content)],
    source: &dyn Source,
) -> Result<Staged, StageFailure> {
    let mut folders = Folders::of(root);
    let placed = place::locate(root, &mut folders, steps)?;
    for (number, stage) in placed.stages.iter().enumerate() {
        let mine = |at: usize| placed.of_step.get(at).is_some_and(|it| usize::from(*it) == number);
        let here: Vec<_> =
            steps.iter().enumerate().filter(|(at, _)| mine(*at)).map(|(_, it)| *it).collect();
        let folder = Rc::new(make_stage(root, stage, deployment)?);
        check_room(&folder, stage, &here)?;
        write_manifest(&folder, deployment, &here, stage)?;
        for (step, content) in &here {
            fill(&folder, step, content, source, &mut folders)?;
        }
        barrier::filesystem(open_for_sync(&folder, stage)?, stage)?;
        for (step, _) in &here {
            read_back(&folder, step, stage)?;
        }
    }
    Ok(placed)
}

fn make_stage(root: &Root, stage: &str, deployment: &str) -> Result<OwnedFd, StageFailure> {
    let fail = |doing, errno| OsFailure::new(doing, root.outside(stage), errno);
    let base = stage.strip_suffix(STAGE).unwrap_or("").trim_end_matches('/');
    let base_fd = root.folder(base).map_err(|errno| fail("open the folder of", errno))?;
    match mkdirat(&base_fd, STAGE, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(fail("make the stage", errno).into()),
    }
    let unsafe_because = |why| StageFailure::Unsafe { path: stage.to_owned(), why };
    let stage_fd = match place::look(root, base) {
        Stands::Own(fd) => fd,
        Stands::Foreign(why) => return Err(unsafe_because(why.to_owned())),
        Stands::Nothing => return Err(fail("open the stage", Errno::ENOENT).into()),
        Stands::Unseen(errno) => return Err(fail("open the stage", errno).into()),
    };
    let stat = fstat(&stage_fd).map_err(|errno| fail("look at the stage", errno))?;
    if stat.st_mode & 0o077 != 0 {
        return Err(unsafe_because("it exists, and others than the agent may enter it".to_owned()));
    }
    mkdirat(&stage_fd, deployment, Mode::S_IRWXU)
        .map_err(|errno| fail("make a folder in", errno))?;
    let path = format!("{stage}/{deployment}");
    Ok(root.folder(&path).map_err(|errno| fail("open a folder in", errno))?)
}

fn check_room(
    folder: &OwnedFd,
    stage: &str,
    steps: &[(&Step, &Content)],
) -> Result<(), StageFailure> {
    let needed: u64 = steps
        .iter()
        .map(|(step, _)| match step.post() {
            Some(Form::File { size, .. }) => size.next_multiple_of(4096),
            _ => 4096,
        })
        .sum();
    let needed = needed + HEADROOM_BYTES;
    let fd = open_for_sync(folder, stage)?;
    let stat = fstatvfs(&fd).map_err(|errno| OsFailure::new("measure", stage, errno))?;
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    if free < needed {
        return Err(StageFailure::NoRoom { path: stage.to_owned(), free, needed });
    }
    Ok(())
}

fn write_manifest(
    folder: &OwnedFd,
    deployment: &str,
    steps: &[(&Step, &Content)],
    stage: &str,
) -> Result<(), StageFailure> {
    let slots = steps
        .iter()
        .filter_map(|(step, _)| match &step.deed {
            Deed::Place { target, pre, post, .. } => Some(SlotLine {
                slot: step.index,
                target: target.clone(),
                pre: pre.clone(),
                post: post.clone(),
            }),
            Deed::Alter { .. } | Deed::Run(_) | Deed::Unit(_) => None,
        })
        .collect();
    let manifest = StageManifest { deployment: deployment.to_owned(), slots };
    let mut bytes = serde_json::to_vec(&manifest).map_err(|error| {
        OsFailure::new("write the manifest of", stage, std::io::Error::other(error))
    })?;
    let digest = Sha256::of(&bytes);
    bytes.extend_from_slice(format!("\n{digest}\n").as_bytes());
    let fd =
        new_file(folder, MANIFEST).map_err(|errno| OsFailure::new("write to", stage, errno))?;
    write_all(&fd, &bytes).map_err(|errno| OsFailure::new("write to", stage, errno))?;
    barrier::data(&fd, stage)?;
    barrier::whole(open_for_sync(folder, stage)?, stage)?;
    Ok(())
}

/// Puts the new object of one step into its slot.
fn fill(
    folder: &OwnedFd,
    step: &Step,
    content: &Content,
    source: &dyn Source,
    folders: &mut Folders<'_>,
) -> Result<(), StageFailure> {
    let Deed::Place { target, pre, post, .. } = &step.deed else {
        return Ok(());
    };
    let slot = step.index.to_string();
    let fail = |errno: Errno| OsFailure::new("stage", target.as_str(), errno);
    match post {
        Form::Absent | Form::Other { .. } => {}
        Form::Symlink { target: to } => {
            symlinkat(to.as_str(), folder, slot.as_str()).map_err(fail)?;
        }
        Form::Directory { mode, uid, gid } => {
            mkdirat(folder, slot.as_str(), Mode::S_IRWXU).map_err(fail)?;
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let fd = openat(folder, slot.as_str(), flags, Mode::empty()).map_err(fail)?;
            dress(&fd, *mode, *uid, *gid).map_err(fail)?;
        }
        Form::File { mode, uid, gid, sha256, .. } => {
            let fd = new_file(folder, &slot).map_err(fail)?;
            match content {
                Content::Blob(id) => write_all(&fd, &source.blob(id)?).map_err(fail)?,
                Content::Bytes(bytes) => write_all(&fd, bytes).map_err(fail)?,
                Content::Member { archive, extract } => {
                    source.copy_member((*archive, *extract), *sha256, &fd)?;
                }
                Content::Away => {
                    let (archive, file) = ("that it comes from".to_owned(), sha256.to_string());
                    return Err(StageFailure::Away { archive, file });
                }
                Content::Nothing => {}
            }
            let dressed = matches!(pre, Form::File { xattrs: Some(_), .. });
            if dressed && let Ok((parent, name)) = folders.parent(target) {
                crate::xattrs::copy(&parent, name, &fd).map_err(fail)?;
            }
            dress(&fd, *mode, *uid, *gid).map_err(fail)?;
        }
    }
    Ok(())
}

/// Sets owner, then mode: changing the owner clears setuid.
fn dress(fd: &OwnedFd, mode: u32, uid: u32, gid: u32) -> Result<(), Errno> {
    if uid != geteuid().as_raw() || gid != getegid().as_raw() {
        fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    fchmod(fd, Mode::from_bits_truncate(mode))
}

fn read_back(folder: &OwnedFd, step: &Step, stage: &str) -> Result<(), StageFailure> {
    let Deed::Place { post, .. } = &step.deed else {
        return Ok(());
    };
    let slot = step.index.to_string();
    let path = format!("{stage}/…/{slot}");
    let (found, _) =
        form_at(folder, &slot).map_err(|errno| OsFailure::new("read back", &path, errno))?;
    if found.is_like(post) {
        return Ok(());
    }
    Err(StageFailure::Mismatch { path, found: found.to_string(), expected: post.to_string() })
}

fn new_file(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
    openat(folder, name, flags | OFlag::O_CLOEXEC, Mode::S_IRUSR | Mode::S_IWUSR)
}

fn write_all(fd: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = write(fd, bytes)?;
        if written == 0 {
            return Err(Errno::EIO);
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Folders are held by path only; a barrier needs one that is open for reading.
fn open_for_sync(folder: &OwnedFd, stage: &str) -> Result<OwnedFd, OsFailure> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(folder, ".", flags, Mode::empty()).map_err(|errno| OsFailure::new("open", stage, errno))
}
