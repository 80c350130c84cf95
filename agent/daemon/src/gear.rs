//! What cycles need and the end of an earlier transaction does not: root of trust, key, records and
//! the fetched repository.
//!
//! **Invariant:** a host whose trust file or key is gone still gets back to what it was.

use std::path::PathBuf;
use std::sync::Arc;

use bowline_engine::settings::Settings as Known;
use bowline_host::door::root::Root;
use bowline_host::failure::chain;
use bowline_host::key::HostKey;
use bowline_host::own_paths::own_paths;
use bowline_host::record::{self, Bookmark, RecordLog};
use bowline_host::repository::Repository;
use bowline_host::repository::fetch::Remotes;
use bowline_host::settings::Settings;
use bowline_host::state::State;
use bowline_host::trust_file::{self, TrustFile};
use bowline_host::witness::Witness;
use thiserror::Error;

use crate::cannot_start::{CannotStart, damaged, opening};
use crate::report::Post;

/// What cycles need.
#[derive(Debug)]
pub(crate) struct Gear {
    /// What the engine is told.
    pub(crate) known: Arc<Known>,
    /// Where it is fetched from.
    pub(crate) remotes: Remotes,
    /// What was fetched.
    pub(crate) repository: Repository,
    /// Whether a whole revision was read of it since the last rest.
    pub(crate) was_read: bool,
    /// What happened on this host.
    pub(crate) records: RecordLog,
}

impl Gear {
    /// Opens everything, in the order in which it can fail.
    pub(crate) fn open(
        settings: &Settings,
        root: &Root,
        state: &State,
        post: &Post,
    ) -> Result<Self, CannotStart> {
        let trust = check(settings)?;
        let key = key(settings, state)?;
        let known = Arc::new(known(settings, root, &trust, key.fingerprint()));
        let key = Arc::new(key);
        let spool = Arc::clone(post.spool());
        let records =
            RecordLog::open_within(&state.folder().join("records"), Arc::clone(&key), spool)
                .map_err(damaged("open the records"))?;
        let bookmark = Bookmark::beside(&settings.key);
        let generation = state.generation_number().map_err(damaged("read the generation"))?;
        if records.next_seq() == 1 && generation == 0 {
            // A state that was lost begins anew, with its records.
            bookmark.forget().map_err(opening("begin the records"))?;
        }
        let records = records.marked_by(bookmark).map_err(damaged("open the records"))?;
        post.open(key, records.next_seq() - 1);
        let objects = state.folder().join("objects.git");
        let repository =
            Repository::open(&objects).map_err(opening("open the fetched repository"))?;
        let remotes = Remotes::of(settings);
        Ok(Self { known, remotes, repository, was_read: false, records })
    }

    /// Gives back the memory that reading a revision took: the next one may be days away. `None`: all is
    /// to be opened anew.
    pub(crate) fn let_go(mut self) -> Option<Self> {
        if std::mem::take(&mut self.was_read)
            && let Err(error) = self.repository.let_go()
        {
            tracing::warn!(error = %chain(&error), "the fetched repository is opened anew");
            return None;
        }
        Some(self)
    }

    /// What is open already, or is opened now.
    pub(crate) fn of<'a>(
        slot: &'a mut Option<Self>,
        settings: &Settings,
        root: &Root,
        state: &State,
        post: &Post,
    ) -> Result<&'a mut Self, CannotStart> {
        let gear = match slot.take() {
            Some(gear) => gear,
            None => Self::open(settings, root, state, post)?,
        };
        Ok(slot.insert(gear))
    }
}

/// The host's key; it is made only where nothing was ever signed with one.
fn key(settings: &Settings, state: &State) -> Result<HostKey, CannotStart> {
    let path = &settings.key;
    let silent = record::newest(&state.folder().join("records"), 1).is_ok_and(|it| it.is_empty());
    if !path.exists() && (!silent || Witness::beside(path).path().exists()) {
        return Err(damaged("open the host's key")(KeyLost { path: path.clone() }));
    }
    HostKey::open(path).map_err(opening("open the host's key"))
}

/// The key is gone with which this host is known.
#[derive(Debug, Error)]
#[error(
    "the host's key {} is gone: bring it back from a copy; or, to begin as a new host, remove the state \
     folder and {}.witness as well",
    path.display(),
    path.display()
)]
struct KeyLost {
    path: PathBuf,
}

/// Checks that settings and trust file can be used, without touching anything.
pub(crate) fn check(settings: &Settings) -> Result<TrustFile, CannotStart> {
    trust_file::load_for(settings).map_err(|error| CannotStart::Settings(chain(&error)))
}

/// What the engine is told of settings and trust file.
pub(crate) fn known(
    settings: &Settings,
    root: &Root,
    trust: &TrustFile,
    fingerprint: String,
) -> Known {
    Known {
        fingerprint,
        folder: settings.folder.clone(),
        interval: settings.interval,
        local_labels: settings.labels.clone(),
        version: Known::version(),
        trust: Arc::clone(&trust.root),
        trust_sha256: trust.sha256,
        reserved: own_paths(settings, root, std::env::current_exe().ok()),
    }
}
