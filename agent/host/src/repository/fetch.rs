//! Brings the objects of exactly one reference into the agent's repository.
//!
//! **Invariant:** what is brought is bounded in bytes, objects and time.
//! **Invariant:** the candidate moves only after everything below it is here.

use std::cell::Cell;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_model::object_id::ObjectId;
use git2::{Config, ObjectType, Odb, Oid};
use thiserror::Error;

use super::source::Remote;
use super::{CANDIDATE, Repository, RepositoryFailure, object_id};
use crate::door::{barrier, clock, files};
use crate::failure::{Kind, chain};

/// Far more than any repository of manifests holds.
const OBJECTS_MAX: usize = 2_000_000;

/// How much a fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Bytes received.
    pub bytes: u64,
    /// Time for all sources together.
    pub timeout: Duration,
}

/// Nothing was fetched.
#[derive(Debug, Error)]
pub enum FetchFailure {
    /// No source is named.
    #[error("fetch without a source: none is named")]
    NoSource,
    /// An address of a kind that is not served.
    #[error("fetch from {url}: https/ssh remotes are not supported by this version")]
    Unsupported {
        /// The address.
        url: String,
    },
    /// There is no repository.
    #[error("fetch from {url}: there is no Git repository")]
    NotARepository {
        /// The address.
        url: String,
    },
    /// A repository without commits.
    #[error("fetch from {url}: the repository is empty")]
    Empty {
        /// The address.
        url: String,
    },
    /// It has other references, but not this one.
    #[error("fetch from {url}: it has no {reference}")]
    MissingRef {
        /// The address.
        url: String,
        /// The reference.
        reference: String,
    },
    /// The reference names something else than a commit.
    #[error("fetch {reference} from {url}: it names a {found}, not a commit")]
    NotACommit {
        /// The address.
        url: String,
        /// The reference.
        reference: String,
        /// What it names.
        found: String,
    },
    /// Objects named by SHA-256.
    #[error(
        "fetch from {url}: repositories with SHA-256 object names are not supported by this version"
    )]
    ObjectFormat {
        /// The address.
        url: String,
    },
    /// References are kept in a way that is not understood.
    #[error("fetch from {url}: its references cannot be read")]
    Unreadable {
        /// The address.
        url: String,
    },
    /// More bytes or objects than allowed.
    #[error("fetch from {url}: more than {limit}")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        limit: String,
    },
    /// It took too long.
    #[error("fetch from {url}: not done after {}", seconds(*timeout))]
    TimedOut {
        /// The address.
        url: String,
        /// How long it was given.
        timeout: Duration,
    },
    /// The agent ends.
    #[error("fetch from {url}: the agent was told to stop")]
    Stopped {
        /// The address.
        url: String,
    },
    /// Git's objects or references are not as they should be.
    #[error("{doing} {url}")]
    Git {
        /// What was being done.
        doing: &'static str,
        /// The address.
        url: String,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
    /// The agent's own repository.
    #[error("fetch into the agent's repository")]
    Own(#[from] RepositoryFailure),
    /// Several sources, and none gave anything.
    #[error("fetch: {}", all(failures))]
    NoneAnswered {
        /// Each source's failure, in order.
        failures: Vec<FetchFailure>,
    },
}

impl FetchFailure {
    /// What it means: a fetch changes nothing, so it is always tried again.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Own(failure) => failure.kind(),
            _ => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSource => "no-source",
            Self::Unsupported { .. } => "unsupported-remote",
            Self::NotARepository { .. } => "not-a-repository",
            Self::Empty { .. } => "empty-repository",
            Self::MissingRef { .. } => "missing-ref",
            Self::NotACommit { .. } => "not-a-commit",
            Self::ObjectFormat { .. } => "object-format",
            Self::Unreadable { .. } | Self::Git { .. } => "remote-damaged",
            Self::TooLarge { .. } => "too-large",
            Self::TimedOut { .. } => "fetch-timeout",
            Self::Stopped { .. } => "stopped",
            Self::Own(failure) => failure.code(),
            Self::NoneAnswered { failures } => failures.first().map_or("no-source", Self::code),
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSource => "name one under [source] url",
            Self::Unsupported { .. } => "mirror it to this machine and name its path",
            Self::NotARepository { .. } => "check [source] url; the agent must be able to read it",
            Self::Empty { .. } => "push a first commit",
            Self::MissingRef { .. } => "check [source] ref; it is written in full: refs/heads/main",
            Self::NotACommit { .. } => "name a branch; annotated tags are not followed",
            Self::ObjectFormat { .. } => "use a repository made with --object-format=sha1",
            Self::Unreadable { .. } => {
                "use Git's \"files\" reference format, and run git fsck there"
            }
            Self::Git { .. } => "run git fsck there",
            Self::TooLarge { .. } => {
                "raise limits in the trust file, or make the repository smaller"
            }
            Self::TimedOut { .. } => "raise [source] timeout",
            Self::Stopped { .. } => "nothing: it is tried again at the next start",
            Self::Own(_) => "delete the agent's objects.git: it is fetched again",
            Self::NoneAnswered { failures } => failures.first().map_or("", Self::hint),
        }
    }
}

fn all(failures: &[FetchFailure]) -> String {
    failures.iter().map(|it| chain(it)).collect::<Vec<_>>().join("; ")
}

fn seconds(timeout: Duration) -> String {
    format!("{} s", timeout.as_secs_f32())
}

impl Repository {
    /// Brings exactly one reference from the first source that has it. Gives the commit it names.
    pub fn fetch(
        &self,
        sources: &[String],
        reference: &str,
        limits: &FetchLimits,
        stop: &AtomicBool,
    ) -> Result<ObjectId, FetchFailure> {
        let deadline = clock::since_boot() + limits.timeout;
        let mut failures = Vec::new();
        for url in sources {
            let watch =
                Watch { url, limits, deadline, stop, bytes: Cell::new(0), objects: Cell::new(0) };
            match self.fetch_one(url, reference, &watch) {
                Ok(tip) => return Ok(object_id(tip)),
                Err(failure) => failures.push(failure),
            }
        }
        match (failures.pop(), failures.is_empty()) {
            (None, _) => Err(FetchFailure::NoSource),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                failures.push(last);
                Err(FetchFailure::NoneAnswered { failures })
            }
        }
    }

    fn fetch_one(
        &self,
        url: &str,
        reference: &str,
        watch: &Watch<'_>,
    ) -> Result<Oid, FetchFailure> {
        watch.check()?;
        let remote = Remote::find(url)?;
        let tip = remote.resolve(reference)?;
        let own = self.odb()?;
        let before = self.git.refname_to_id(CANDIDATE).ok();
        // A fetch moves the candidate last, so what it names is here with all its history.
        if before == Some(tip) && own.exists(tip) {
            return Ok(tip);
        }
        let theirs = remote.objects()?;
        let fail = |doing, source| FetchFailure::Git { doing, url: url.to_owned(), source };
        let (_, found) =
            theirs.read_header(tip).map_err(|error| fail("find the commit in", error))?;
        if found != ObjectType::Commit {
            let (reference, found) = (reference.to_owned(), found.to_string());
            return Err(FetchFailure::NotACommit { url: url.to_owned(), reference, found });
        }
        self.copy(theirs, &own, tip, before, watch)?;
        // Libgit2 syncs references, but not packs: one that outlived its objects would seem complete.
        let objects = self.folder.join("objects");
        let open = files::open_folder(&objects).map_err(RepositoryFailure::from)?;
        barrier::filesystem(open, &objects).map_err(RepositoryFailure::from)?;
        let moved = self.git.reference(CANDIDATE, tip, true, "fetch");
        moved.map(|_| tip).map_err(|source| self.failure("keep the newest commit", source).into())
    }

    /// Packs what is reachable from `tip` and not from `before` there, and unpacks it here.
    fn copy(
        &self,
        theirs: Odb<'static>,
        own: &Odb<'_>,
        tip: Oid,
        before: Option<Oid>,
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        let remote = |source| watch.failure("read objects of", source);
        let known = before.filter(|it| theirs.exists(*it) && own.exists(*it));
        let there = git2::Repository::from_odb(theirs).map_err(remote)?;
        // Without this libgit2 would read the account's configuration.
        there.set_config(&Config::new().map_err(remote)?).map_err(remote)?;
        let mut walk = there.revwalk().map_err(remote)?;
        walk.push(tip).map_err(remote)?;
        if let Some(known) = known {
            walk.hide(known).map_err(remote)?;
        }
        let mut pack = there.packbuilder().map_err(remote)?;
        pack.set_progress_callback(|_, count, _| watch.go_on(0, count)).map_err(remote)?;
        pack.insert_walk(&mut walk).map_err(remote)?;
        watch.check()?;
        let local = |source| self.failure("write objects", source);
        let mut writer = own.packwriter().map_err(local)?;
        let mut written = true;
        let piece = |bytes: &[u8]| {
            written = watch.go_on(bytes.len() as u64, 0) && writer.write_all(bytes).is_ok();
            written
        };
        pack.foreach(piece).or_else(|error| watch.check().and(Err(remote(error))))?;
        watch.check()?;
        writer.commit().map(drop).map_err(|source| local(source).into())
    }
}

/// Watches over a fetch while it runs.
struct Watch<'a> {
    url: &'a str,
    limits: &'a FetchLimits,
    deadline: Duration,
    stop: &'a AtomicBool,
    bytes: Cell<u64>,
    objects: Cell<usize>,
}

impl Watch<'_> {
    /// Counts, and says whether the fetch may go on.
    fn go_on(&self, bytes: u64, objects: u32) -> bool {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        self.objects.set(self.objects.get().max(objects as usize));
        self.check().is_ok()
    }

    fn check(&self) -> Result<(), FetchFailure> {
        let url = self.url.to_owned();
        if self.stop.load(Ordering::Relaxed) {
            return Err(FetchFailure::Stopped { url });
        }
        if self.bytes.get() > self.limits.bytes {
            let limit = format!("{} bytes", self.limits.bytes);
            return Err(FetchFailure::TooLarge { url, limit });
        }
        if self.objects.get() > OBJECTS_MAX {
            return Err(FetchFailure::TooLarge { url, limit: format!("{OBJECTS_MAX} objects") });
        }
        if clock::since_boot() >= self.deadline {
            return Err(FetchFailure::TimedOut { url, timeout: self.limits.timeout });
        }
        Ok(())
    }

    /// A failure to read; when the watch stopped the reading, that is the cause.
    fn failure(&self, doing: &'static str, source: git2::Error) -> FetchFailure {
        match self.check() {
            Err(failure) => failure,
            Ok(()) => FetchFailure::Git { doing, url: self.url.to_owned(), source },
        }
    }
}
