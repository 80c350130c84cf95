//! The agent's own bare repository: what fetches brought, by object id.
//!
//! **Invariant:** nothing here is believed: objects go out raw, under names that were recomputed.
//! **Invariant:** no configuration counts: neither an account's nor the system's nor a stranger's is read.

pub(crate) mod address;
mod remotes;
mod watch;
mod source;
mod local;
mod ssh;
mod credentials;
mod web;
mod intake;
mod arrivals;
mod room;
pub mod pack_index;
pub mod unpack;
pub mod bundle;
mod complete;
mod renew;
mod line;
mod fetch_failure;
pub mod fetch;
pub mod history;
mod notes;
mod side;
mod difference;
mod manifests;
pub mod evidence;
mod heads;
mod receipts;
pub mod proof_objects;
pub mod view;
pub mod revision;
mod objects;
mod symlink;
pub mod tree;
pub mod blobs;

use std::fmt;
use std::path::{Path, PathBuf};

use bowline_model::object_id::ObjectId;
use bowline_trust::commit::LARGEST_COMMIT;
use git2::{ObjectType, Odb, Oid};
use thiserror::Error;

use crate::door::{barrier, files};
use crate::failure::{Kind, OsFailure};
use crate::stage::Source;

/// Where the newest fetched commit is kept.
const CANDIDATE: &str = "refs/bowline/candidate";

/// Where the notes are kept that carry attestations: what the branch's commits can show for themselves.
pub const NOTES: &str = "refs/notes/attestations";

/// What a branch that is tried out named last.
const TESTING: &str = "refs/bowline/testing";

/// Where what is on its way in lies: nothing else looks there.
const ARRIVALS: &str = "arriving/pack";

/// What Git's own programs look at first.
const HEAD: &str = "ref: refs/bowline/candidate\n";

/// A repository without a work tree, to which nothing is committed.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";

/// HEAD, the configuration and references have some lines.
const SMALL_BYTES_MAX: u64 = 64 << 10;

/// Packs, and whatever else lies in one folder; each fetch of something new adds two files.
const FILES_MAX: usize = 1_000_000;

/// The agent's repository.
pub struct Repository {
    odb: Odb<'static>,
    folder: PathBuf,
}

/// The agent's own repository could not be read or written.
#[derive(Debug, Error)]
pub enum RepositoryFailure {
    /// The system refused.
    #[error("keep the repository")]
    Os(#[from] OsFailure),
    /// The name of the newest commit is not as it was written.
    #[error("read the name of the newest commit in {}", path.display())]
    Tip {
        /// Where it stands.
        path: PathBuf,
    },
    /// It is not as it was written.
    #[error("{doing} in the repository {}", folder.display())]
    Git {
        /// What was being done.
        doing: &'static str,
        /// The repository.
        folder: PathBuf,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
}

impl RepositoryFailure {
    /// What it means for a deployment: everything in the repository can be fetched again.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Git { .. } | Self::Tip { .. } => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os(_) => "io",
            Self::Git { .. } | Self::Tip { .. } => "repository",
        }
    }
}

impl Repository {
    /// Opens the repository, and makes it when there is none.
    pub fn open(folder: &Path) -> Result<Self, RepositoryFailure> {
        for below in ["objects/pack", "objects/info", ARRIVALS, "refs/bowline", "refs/notes"] {
            files::make_folder(&folder.join(below))?;
        }
        // The agent needs neither file; with them Git's own programs can look at the repository.
        for (name, text) in [("HEAD", HEAD), ("config", CONFIG)] {
            if files::read(&folder.join(name), SMALL_BYTES_MAX)?.is_none() {
                files::replace(&folder.join(name), text.as_bytes(), 0o600)?;
            }
        }
        clear_remains(folder)?;
        arrivals::open_to_nobody(folder)?;
        let fail = |source| RepositoryFailure::Git {
            doing: "open the objects",
            folder: folder.to_owned(),
            source,
        };
        Ok(Self {
            odb: objects_in(&[folder.join("objects")]).map_err(fail)?,
            folder: folder.to_owned(),
        })
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest commit that a fetch brought; `None` before the first.
    pub fn local_tip(&self) -> Result<Option<ObjectId>, RepositoryFailure> {
        self.named(CANDIDATE)
    }

    /// The newest notes that a fetch brought.
    pub fn notes(&self) -> Result<Option<ObjectId>, RepositoryFailure> {
        self.named(NOTES)
    }

    /// The commit that one of the agent's own names leads to.
    fn named(&self, name: &str) -> Result<Option<ObjectId>, RepositoryFailure> {
        let path = self.folder.join(name);
        let Some(bytes) = files::read(&path, SMALL_BYTES_MAX)? else { return Ok(None) };
        let id = std::str::from_utf8(&bytes).ok().and_then(|it| it.trim_end().parse().ok());
        id.map(Some).ok_or(RepositoryFailure::Tip { path })
    }

    /// Forgets the newest commit, so that the next fetch brings everything again.
    pub fn forget_tip(&self) -> Result<(), RepositoryFailure> {
        Ok(files::remove(&self.folder.join(CANDIDATE))?)
    }

    /// Makes what a fetch brought durable, and only then its name.
    fn keep(&self, name: &str, tip: Oid) -> Result<(), RepositoryFailure> {
        let objects = self.folder.join("objects");
        // A reference that outlived its objects in a power cut would seem complete.
        barrier::filesystem(files::open_folder(&objects)?, &objects)?;
        let line = format!("{tip}\n");
        Ok(files::replace(&self.folder.join(name), line.as_bytes(), 0o600)?)
    }

    /// Lets go of packs that were read: libgit2 keeps them mapped for as long as anybody knows them, so the
    /// one goes before the other comes. After a failure nothing is found any more: it is to be opened anew.
    pub fn let_go(&mut self) -> Result<(), RepositoryFailure> {
        let opened = Odb::new().and_then(|empty| {
            self.odb = empty;
            objects_in(&[self.folder.join("objects")])
        });
        self.odb = opened.map_err(|source| self.failure("open the objects", source))?;
        Ok(())
    }

    /// Where packs lie.
    fn packs(&self) -> PathBuf {
        self.folder.join("objects/pack")
    }

    /// The commit that a commit was merged into.
    /// A commit and the first parents behind it, newest first; at most so many.
    fn first_parents(&self, commit: &ObjectId, most: usize) -> Vec<ObjectId> {
        let chain = std::iter::successors(oid(commit), |at| self.first_parent(*at));
        chain.take(most).map(object_id).collect()
    }

    fn first_parent(&self, commit: Oid) -> Option<Oid> {
        let commit = objects::read(&self.odb, commit, ObjectType::Commit, LARGEST_COMMIT as u64);
        let commit = commit.ok()?;
        let mut lines = commit.data().split(|it| *it == b'\n').skip(1);
        let parent = lines.next()?.strip_prefix(b"parent ")?;
        Oid::from_str(std::str::from_utf8(parent).ok()?).ok()
    }

    fn failure(&self, doing: &'static str, source: git2::Error) -> RepositoryFailure {
        RepositoryFailure::Git { doing, folder: self.folder.clone(), source }
    }
}

impl Source for Repository {
    fn blob(&self, id: &ObjectId) -> Result<Vec<u8>, OsFailure> {
        let fail = |cause: String| {
            OsFailure::new("read the blob", id.to_string(), std::io::Error::other(cause))
        };
        let oid = oid(id).ok_or_else(|| fail("it is named by SHA-256".to_owned()))?;
        let object = self.odb.read(oid).map_err(|error| fail(error.message().to_owned()))?;
        match object.kind() {
            ObjectType::Blob => Ok(object.data().to_vec()),
            other => Err(fail(format!("it is a {other}"))),
        }
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Removes what a process that was killed left: half packs are never read, and would stay for ever.
fn clear_remains(folder: &Path) -> Result<(), OsFailure> {
    let packs = folder.join("objects/pack");
    for name in files::names(&packs, FILES_MAX)? {
        // What libgit2 calls a file that it is still writing.
        if name.contains("_git2_") {
            files::remove(&packs.join(name))?;
        }
    }
    arrivals::clear_arrivals(folder)
}

/// The objects of some folders, and of their alternates; nothing else of a repository is read.
fn objects_in(folders: &[PathBuf]) -> Result<Odb<'static>, git2::Error> {
    let odb = Odb::new()?;
    for folder in folders {
        let path = folder.to_str();
        let path = path.ok_or_else(|| git2::Error::from_str("its path is not UTF-8"))?;
        odb.add_disk_alternate(path)?;
    }
    Ok(odb)
}

/// An id as libgit2 has it; `None` for SHA-256, which this build of libgit2 does not read.
fn oid(id: &ObjectId) -> Option<Oid> {
    match id {
        ObjectId::Sha1(bytes) => Oid::from_bytes(bytes).ok(),
        ObjectId::Sha256(_) => None,
    }
}

fn object_id(oid: Oid) -> ObjectId {
    let mut bytes = [0; 20];
    for (to, from) in bytes.iter_mut().zip(oid.as_bytes()) {
        *to = *from;
    }
    ObjectId::Sha1(bytes)
}

#[cfg(test)]
mod tests;
