//! Copies objects from a repository on this machine.
//!
//! **Invariant:** what is copied is complete: the walk over there fails at whatever is missing.

use std::io::Write as _;

use git2::{Config, Indexer, ObjectType, Odb, Oid};

use super::arrivals::clear_arrivals;
use super::fetch_failure::FetchFailure;
use super::source::Remote;
use super::watch::Watch;
use super::{ARRIVALS, Repository, RepositoryFailure};
use crate::door::files;

/// Bytes up to which objects are packed whole. Looking for deltas costs ten times the copying of a
/// first fetch, and pays only where a long history repeats itself.
const WHOLE_BYTES_MAX: u64 = 32 << 20;

/// Settings under which libgit2 looks for no deltas: it takes the size from which on objects are left
/// whole from this key, and not from `core.bigFileThreshold`.
const WHOLE: &str = "[pack]\n\tdeltaCacheSize = 1\n";

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

impl Repository {
    /// Copies what lies below a commit, and not below one that is known already.
    pub(super) fn copy_from(
        &self,
        remote: &Remote,
        (tip, known): (Oid, Option<Oid>),
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        let theirs = remote.objects()?;
        let known = known.filter(|it| theirs.exists(*it));
        self.pack_up(|| remote.objects(), (&[tip], known), watch)?;
        self.let_in()?;
        Ok(())
    }

    /// Packs what lies below some commits, beside the repository.
    pub(super) fn pack_up(
        &self,
        objects: impl Fn() -> Result<Odb<'static>, FetchFailure>,
        what: (&[Oid], Option<Oid>),
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        if self.copy(objects()?, what, Packing::Whole, watch)? == Copied::TooMuch {
            watch.begin_again();
            self.copy(objects()?, what, Packing::Deltas, watch)?;
        }
        Ok(())
    }

    /// Packs objects there, and unpacks them here.
    fn copy(
        &self,
        theirs: Odb<'static>,
        (tips, known): (&[Oid], Option<Oid>),
        packing: Packing,
        watch: &Watch<'_>,
    ) -> Result<Copied, FetchFailure> {
        let remote = |source| watch.failure("read objects of", source);
        let there = git2::Repository::from_odb(theirs).map_err(remote)?;
        // Without this libgit2 would read the account's configuration.
        there.set_config(&self.config_for(packing)?).map_err(remote)?;
        let mut walk = there.revwalk().map_err(remote)?;
        for tip in tips {
            walk.push(*tip).map_err(remote)?;
        }
        if let Some(known) = known {
            walk.hide(known).map_err(remote)?;
        }
        let mut pack = there.packbuilder().map_err(remote)?;
        pack.set_progress_callback(|_, count, _| watch.go_on(0, count)).map_err(remote)?;
        pack.insert_walk(&mut walk).map_err(remote)?;
        watch.check()?;
        let local = |source| self.failure("write objects", source);
        // Read by the agent alone, and complete in itself: no base is looked for elsewhere.
        clear_arrivals(&self.folder).map_err(RepositoryFailure::from)?;
        let arrivals = self.folder.join(ARRIVALS);
        let mut index = Indexer::new(None, &arrivals, 0o400, false).map_err(local)?;
        let mut refused = None;
        let fits = || packing == Packing::Deltas || watch.bytes() <= WHOLE_BYTES_MAX;
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
        index.commit().map_err(local)?;
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

/// What a reference names there must be a commit.
pub(super) fn check_commit(remote: &Remote, tip: Oid, reference: &str) -> Result<(), FetchFailure> {
    let url = || remote.url.clone();
    let fail = |source| FetchFailure::Git { doing: "find the commit in", url: url(), source };
    match remote.objects()?.read_header(tip).map_err(fail)? {
        (_, ObjectType::Commit) => Ok(()),
        (_, found) => {
            let (reference, found) = (reference.to_owned(), found.to_string());
            Err(FetchFailure::NotACommit { url: url(), reference, found })
        }
    }
}
