//! What cycles need and the end of an earlier transaction does not: root of trust, key, records and
//! the fetched repository.
//!
//! **Invariant:** a host whose trust file or key is gone still gets back to what it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bowline_engine::settings::Settings as Known;
use bowline_host::door::root::Root;
use bowline_host::failure::chain;
use bowline_host::key::HostKey;
use bowline_host::record::RecordLog;
use bowline_host::repository::Repository;
use bowline_host::settings::Settings;
use bowline_host::state::State;
use bowline_host::trust_file::{self, TrustFile};
use bowline_host::witness::Witness;
use bowline_model::host_path::HostPath;

use crate::cannot_start::{CannotStart, damaged, opening};

/// What cycles need.
#[derive(Debug)]
pub(crate) struct Gear {
    /// What the engine is told.
    pub(crate) known: Arc<Known>,
    /// What was fetched.
    pub(crate) repository: Repository,
    /// What happened on this host.
    pub(crate) records: RecordLog,
}

impl Gear {
    /// Opens everything, in the order in which it can fail.
    pub(crate) fn open(
        settings: &Settings,
        root: &Root,
        state: &State,
    ) -> Result<Self, CannotStart> {
        let trust = check(settings)?;
        let key = HostKey::open(&settings.key).map_err(opening("open the host's key"))?;
        let known = Arc::new(known(settings, root, &trust, key.fingerprint()));
        let records = RecordLog::open(&state.folder().join("records"), Arc::new(key))
            .map_err(damaged("open the records"))?;
        let objects = state.folder().join("objects.git");
        let repository =
            Repository::open(&objects).map_err(opening("open the fetched repository"))?;
        Ok(Self { known, repository, records })
    }

    /// What is open already, or is opened now.
    pub(crate) fn of<'a>(
        slot: &'a mut Option<Self>,
        settings: &Settings,
        root: &Root,
        state: &State,
    ) -> Result<&'a mut Self, CannotStart> {
        let gear = match slot.take() {
            Some(gear) => gear,
            None => Self::open(settings, root, state)?,
        };
        Ok(slot.insert(gear))
    }
}

/// Checks that settings and trust file can be used, without touching anything.
pub fn check(settings: &Settings) -> Result<TrustFile, CannotStart> {
    let trust =
        trust_file::load(&settings.trust).map_err(|error| CannotStart::Settings(chain(&error)))?;
    let trusted = trust.root.repo.ref_name.as_str();
    if trusted != settings.ref_name {
        let (file, ref_name) = (settings.file.display(), &settings.ref_name);
        return Err(CannotStart::Settings(format!(
            "source.ref in {file} is {ref_name}, and the trust file vouches for {trusted}"
        )));
    }
    Ok(trust)
}

fn known(settings: &Settings, root: &Root, trust: &TrustFile, fingerprint: String) -> Known {
    let number = |text: &str| text.parse().unwrap_or_default();
    Known {
        fingerprint,
        folder: settings.folder.clone(),
        local_labels: settings.labels.clone(),
        version: (
            number(env!("CARGO_PKG_VERSION_MAJOR")),
            number(env!("CARGO_PKG_VERSION_MINOR")),
            number(env!("CARGO_PKG_VERSION_PATCH")),
        ),
        trust: Arc::clone(&trust.root),
        trust_sha256: trust.sha256,
        reserved: reserved(settings, root),
    }
}

/// The agent's own paths, as paths below the root: no manifest may target them.
fn reserved(settings: &Settings, root: &Root) -> Vec<HostPath> {
    let own: Vec<PathBuf> = [
        Some(settings.state.clone()),
        Some(settings.trust.clone()),
        Some(settings.key.clone()),
        Some(Witness::beside(&settings.key).path().to_owned()),
        Some(settings.file.clone()),
        settings.socket.clone(),
        std::env::current_exe().ok(),
        Some(root.outside(bowline_host::exchange::STAGE)),
        Some(root.outside("/etc/systemd/system/bowline-agent.service")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let below = |path: &PathBuf| {
        let whole = std::path::absolute(path).ok()?;
        let top = std::path::absolute(root.path()).ok()?;
        let inner = whole.strip_prefix(top).ok().filter(|it| *it != Path::new(""))?;
        format!("/{}", inner.display()).parse().ok()
    };
    own.iter().filter_map(below).collect()
}
