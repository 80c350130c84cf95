//! Brings the objects of exactly one reference into the agent's repository.
//!
//! **Invariant:** what is brought is bounded in bytes, objects and time.
//! **Invariant:** the candidate moves only after everything below it is here.

use std::cell::Cell;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_model::object_id::ObjectId;
use git2::{Config, Indexer, ObjectType, Odb, Oid};

pub use super::fetch_failure::FetchFailure;
use super::source::{Remote, path_of};
use super::{Repository, RepositoryFailure, object_id, oid};
use crate::door::{clock, files};

/// Far more than any repository of manifests holds.
const OBJECTS_MAX: usize = 2_000_000;

/// Bytes up to which objects are packed whole. Looking for deltas costs ten times the copying of a
/// first fetch, and pays only where a long history repeats itself.
const WHOLE_BYTES_MAX: u64 = 32 << 20;

/// Settings under which libgit2 looks for no deltas: it takes the size from which on objects are left
/// whole from this key, and not from `core.bigFileThreshold`.
const WHOLE: &str = "[pack]\n\tdeltaCacheSize = 1\n";

/// How much a fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Bytes received.
    pub bytes: u64,
    /// Time for all sources together.
    pub timeout: Duration,
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
        // What cannot be read as a name is replaced by a good one.
        let before = self.local_tip().ok().flatten().as_ref().and_then(oid);
        // A fetch moves the candidate last, so what it names is here with all its history.
        if before == Some(tip) && self.odb.exists(tip) {
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
        let known = before.filter(|it| theirs.exists(*it) && self.odb.exists(*it));
        let span = Span { tip, known };
        if self.copy(theirs, &span, Packing::Whole, watch)? == Copied::TooMuch {
            watch.bytes.set(0);
            self.copy(remote.objects()?, &span, Packing::Deltas, watch)?;
        }
        self.keep_tip(tip)?;
        Ok(tip)
    }

    /// Packs what a span holds there, and unpacks it here.
    fn copy(
        &self,
        theirs: Odb<'static>,
        span: &Span,
        packing: Packing,
        watch: &Watch<'_>,
    ) -> Result<Copied, FetchFailure> {
        let remote = |source| watch.failure("read objects of", source);
        let there = git2::Repository::from_odb(theirs).map_err(remote)?;
        // Without this libgit2 would read the account's configuration.
        there.set_config(&self.config_for(packing)?).map_err(remote)?;
        let mut walk = there.revwalk().map_err(remote)?;
        walk.push(span.tip).map_err(remote)?;
        if let Some(known) = span.known {
            walk.hide(known).map_err(remote)?;
        }
        let mut pack = there.packbuilder().map_err(remote)?;
        pack.set_progress_callback(|_, count, _| watch.go_on(0, count)).map_err(remote)?;
        pack.insert_walk(&mut walk).map_err(remote)?;
        watch.check()?;
        let local = |source| self.failure("write objects", source);
        let packs = self.folder.join("objects/pack");
        // Read by the agent alone, and complete in itself: no base is looked for elsewhere.
        let mut index = Indexer::new(None, &packs, 0o400, false).map_err(local)?;
        let mut refused = None;
        let fits = || packing == Packing::Deltas || watch.bytes.get() <= WHOLE_BYTES_MAX;
        let read = pack.foreach(|bytes| {
            refused = index.write_all(bytes).err();
            refused.is_none() && watch.go_on(bytes.len() as u64, 0) && fits()
        });
        if !fits() {
            return Ok(Copied::TooMuch);
        }
        if let Some(error) = refused {
            return Err(local(git2::Error::from_str(&error.to_string())).into());
        }
        read.map_err(remote)?;
        watch.check()?;
        index.commit().and_then(|_| self.odb.refresh()).map_err(local)?;
        Ok(Copied::All)
    }

    /// The only configuration that counts for packing.
    fn config_for(&self, packing: Packing) -> Result<Config, FetchFailure> {
        let fail = |source| self.failure("set how to pack", source);
        if packing == Packing::Deltas {
            return Ok(Config::new().map_err(fail)?);
        }
        let path = self.folder.join("packing");
        files::replace_cheaply(&path, WHOLE.as_bytes(), 0o600).map_err(RepositoryFailure::from)?;
        Ok(Config::open(&path).map_err(fail)?)
    }
}

/// Whether remotes of this kind can be fetched from, whatever is there now.
pub fn check_kind(url: &str) -> Result<(), FetchFailure> {
    path_of(url).map(drop)
}

/// What a fetch brings: everything below the tip that is not below what is known.
struct Span {
    tip: Oid,
    known: Option<Oid>,
}

/// How objects are packed on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// Each by itself.
    Whole,
    /// As differences, where that saves bytes.
    Deltas,
}

/// How far a copy came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    /// Everything is here.
    All,
    /// Whole objects take too many bytes; nothing is here.
    TooMuch,
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
