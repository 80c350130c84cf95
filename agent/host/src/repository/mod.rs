//! The agent's own bare repository: what fetches brought, by object id.
//!
//! **Invariant:** nothing here is believed: objects go out raw, under names that were recomputed.
//! **Invariant:** no configuration, hook, filter or reference of a stranger counts.

mod source;
mod fetch_failure;
pub mod fetch;
pub mod history;
pub mod view;
mod objects;
mod symlink;
pub mod tree;
pub mod blobs;

use std::fmt;
use std::path::{Path, PathBuf};

use bowline_model::object_id::ObjectId;
use git2::{Config, ErrorCode, ObjectType, Odb, Oid, RepositoryInitOptions};
use thiserror::Error;

use crate::door::files;
use crate::failure::{Kind, OsFailure};
use crate::stage::Source;

/// Where the newest fetched commit is kept.
const CANDIDATE: &str = "refs/bowline/candidate";

/// A reference must not outlive its objects in a power cut.
const FSYNC: &str = "core.fsyncObjectFiles";

/// Packs, and whatever else lies in one folder; each fetch of something new adds two files.
const FILES_MAX: usize = 1_000_000;

/// No blob of a revision is larger.
pub const BLOB_BYTES_MAX: u64 = 64 << 20;

/// The agent's repository.
pub struct Repository {
    git: git2::Repository,
    folder: PathBuf,
}

/// The agent's own repository could not be read or written.
#[derive(Debug, Error)]
pub enum RepositoryFailure {
    /// The system refused.
    #[error("keep the repository")]
    Os(#[from] OsFailure),
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
            Self::Git { .. } => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os(_) => "io",
            Self::Git { .. } => "repository",
        }
    }
}

impl Repository {
    /// Opens the repository, and makes it when there is none.
    pub fn open(folder: &Path) -> Result<Self, RepositoryFailure> {
        let fail =
            |doing, source| RepositoryFailure::Git { doing, folder: folder.to_owned(), source };
        files::make_folder(folder)?;
        clear_remains(folder)?;
        let git = match git2::Repository::open_bare(folder) {
            Ok(git) => git,
            Err(error) if error.code() == ErrorCode::NotFound => {
                let mut options = RepositoryInitOptions::new();
                // Without a template there are no hooks, and no_reinit keeps what is there.
                options.bare(true).external_template(false).no_reinit(true).mkdir(false);
                git2::Repository::init_opts(folder, &options)
                    .map_err(|source| fail("make what belongs", source))?
            }
            Err(source) => return Err(fail("open what is", source)),
        };
        settle_config(&git, folder)?;
        Ok(Self { git, folder: folder.to_owned() })
    }

    /// Throws the repository away and makes an empty one: for one that is damaged.
    pub fn remake(folder: &Path) -> Result<Self, RepositoryFailure> {
        files::remove_folder(folder)?;
        Self::open(folder)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest commit that a fetch brought; `None` before the first.
    pub fn local_tip(&self) -> Result<Option<ObjectId>, RepositoryFailure> {
        match self.git.refname_to_id(CANDIDATE) {
            Ok(id) => Ok(Some(object_id(id))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(self.failure("find the newest commit", source)),
        }
    }

    /// Forgets the newest commit, so that the next fetch brings everything again.
    pub fn forget_tip(&self) -> Result<(), RepositoryFailure> {
        match self.git.find_reference(CANDIDATE).and_then(|mut it| it.delete()) {
            Err(error) if error.code() != ErrorCode::NotFound => {
                Err(self.failure("forget the newest commit", error))
            }
            _ => Ok(()),
        }
    }

    fn odb(&self) -> Result<Odb<'_>, RepositoryFailure> {
        self.git.odb().map_err(|source| self.failure("open the objects", source))
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
        let odb = self.git.odb().map_err(|error| fail(error.message().to_owned()))?;
        let oid = oid(id).ok_or_else(|| fail("it is named by SHA-256".to_owned()))?;
        let object = odb.read(oid).map_err(|error| fail(error.message().to_owned()))?;
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

/// Removes what a process that was killed left: locks would be in the way for ever, and half packs
/// are never read. There is one writer, who holds the lock on the state folder.
fn clear_remains(folder: &Path) -> Result<(), OsFailure> {
    for (below, is_remains) in [
        ("", is_lock as fn(&str) -> bool),
        ("refs/bowline", is_lock),
        ("objects/pack", is_unfinished),
    ] {
        let folder = folder.join(below);
        for name in files::names(&folder, FILES_MAX)? {
            if is_remains(&name) {
                files::remove(&folder.join(name))?;
            }
        }
    }
    Ok(())
}

fn is_lock(name: &str) -> bool {
    name.strip_suffix(".lock").is_some()
}

/// What libgit2 calls a file that it is still writing.
fn is_unfinished(name: &str) -> bool {
    name.contains("_git2_")
}

/// Makes the repository's own file the only configuration, whatever an account or the system sets.
fn settle_config(git: &git2::Repository, folder: &Path) -> Result<(), RepositoryFailure> {
    let fail = |source| RepositoryFailure::Git {
        doing: "set what counts",
        folder: folder.to_owned(),
        source,
    };
    let mut config = Config::open(&folder.join("config")).map_err(fail)?;
    if !config.get_bool(FSYNC).unwrap_or(false) {
        config.set_bool(FSYNC, true).map_err(fail)?;
    }
    git.set_config(&config).map_err(fail)
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
