//! This host, looked at without touching it.
//!
//! **Invariant:** what is not there yet, such as the host's key, is not made.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bowline_api::hint;
use bowline_engine::compile::artifact::Supply;
use bowline_engine::settings::Settings as Known;
use bowline_host::artifact::Store;
use bowline_host::command::Commands;
use bowline_host::door::files;
use bowline_host::door::root::Root;
use bowline_host::observe::Observer;
use bowline_host::own_paths::own_paths;
use bowline_host::service::ServiceManager;
use bowline_host::settings::Settings;
use bowline_host::stat_cache::StatCache;
use bowline_host::state::State;
use bowline_host::{facts, trust_file};
use bowline_model::facts::Facts;
use bowline_model::generation::{Generation, Ledger};
use bowline_model::high_water::HighWater;
use bowline_model::release::Wanted;
use bowline_model::survey::{Condition, Guard, Sight, Survey};
use bowline_trust::ssh_key::SshKey;

use crate::failure::Failure;

/// A public key is one line.
const PUBLIC_KEY_BYTES_MAX: u64 = 64 << 10;

/// Stands for the fingerprint of a key that is not made yet; no host in the repository has it.
const NO_KEY: &str = "(made at the agent's first start)";

/// This host, as far as planning is concerned.
#[derive(Debug)]
pub(super) struct Here {
    /// The agent's settings.
    pub(super) settings: Settings,
    /// What the engine is told.
    pub(super) known: Known,
    /// How far this host has verified.
    pub(super) marks: Option<HighWater>,
    /// What it last committed.
    pub(super) generation: Option<Generation>,
    /// What failed on it.
    pub(super) ledger: Ledger,
    /// What it tells of itself.
    pub(super) facts: Facts,
    root: Root,
}

impl Here {
    /// Looks at trust file, state and facts.
    pub(super) fn look(settings: Settings) -> Result<Self, Failure> {
        let trust = trust_file::load_for(&settings).map_err(Failure::usage)?;
        let root = Root::open(&settings.root).map_err(|failure| {
            let hint = format!("make it first: mkdir -p {}", settings.root.display());
            Failure::usage(failure).hint(hint)
        })?;
        let facts = facts::read(&root).map_err(Failure::failed)?;
        let fingerprint = fingerprint(&settings.key)?;
        let state = State::view(&settings.state);
        Ok(Self {
            known: Known {
                fingerprint,
                folder: settings.folder.clone(),
                interval: settings.interval,
                local_labels: settings.labels.clone(),
                version: Known::version(),
                trust: Arc::clone(&trust.root),
                trust_sha256: trust.sha256,
                reserved: own_paths(&settings, &root, agent()),
            },
            marks: state.high_water()?,
            generation: state.generation()?,
            ledger: state.ledger()?,
            settings,
            facts,
            root,
        })
    }

    /// What an archive holds: as the agent knows it, else as it is fetched now, to be forgotten again.
    pub(super) fn obtain(&self, wanted: &Wanted) -> Result<Supply, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let kept = Store::of(&self.settings, &stop);
        if let Some(listing) = kept.known(&wanted.archive) {
            return Ok(Supply::here(listing));
        }
        if let Some(supply) = self.generation.as_ref().and_then(|it| Supply::standing(wanted, it)) {
            return Ok(Supply { is_here: true, ..supply });
        }
        let passing = Passing::make()?;
        let store = Store::at(passing.0.clone(), &self.settings, &stop);
        let obtained = store.obtain(&self.root, wanted, &[]);
        passing.remove()?;
        obtained.map(Supply::here).map_err(|failure| {
            let code = failure.code();
            Failure::failed(failure)
                .of(format!("{code}: {} is not planned", wanted.resource))
                .hint(hint::of(code).unwrap_or_default())
        })
    }

    /// Looks at every path; the commands whose guard is a program are given beside.
    pub(super) fn observe(&self, survey: &Survey) -> Result<(Sight, BTreeSet<String>), Failure> {
        let mut cache = StatCache::default();
        let mut observer = Observer::of(&self.root, &mut cache);
        let forms = observer.look_all(&survey.paths, survey.depth).map_err(Failure::failed)?;
        let listings = survey.listings.iter().map(|folder| observer.list(folder));
        let listings = listings.collect::<Result<_, _>>().map_err(Failure::failed)?;
        let is_path = |it: &&Guard| matches!(it.condition, Condition::Creates(_));
        let (paths, programs): (Vec<_>, Vec<_>) = survey.guards.iter().partition(is_path);
        let paths: Vec<Guard> = paths.into_iter().cloned().collect();
        let mut guards = Commands::of(&self.root).guards(&paths).map_err(Failure::failed)?;
        let unknown: BTreeSet<_> = programs.iter().map(|it| it.resource.clone()).collect();
        // Rather a step too many than one that nobody was told of.
        guards.extend(unknown.iter().map(|it| (it.clone(), true)));
        let services = ServiceManager::named(&self.settings.service_manager);
        let units = services.ask(&self.root, &survey.units).map_err(Failure::failed)?;
        Ok((Sight { forms, listings, guards, units }, unknown))
    }
}

/// A folder for as long as an archive is looked into. Where anybody may write, nothing in it is anybody
/// else's: what lay there before would be believed, or removed.
struct Passing(PathBuf);

impl Passing {
    fn make() -> Result<Self, Failure> {
        files::make_private_folder(&env::temp_dir(), "bowline-plan")
            .map(Self)
            .map_err(Failure::failed)
    }

    /// Removes it, and tells when that fails.
    fn remove(self) -> Result<(), Failure> {
        files::remove_folder(&self.0).map_err(Failure::failed)
    }
}

impl Drop for Passing {
    /// Whatever ended the look; a folder that is gone already is fine.
    fn drop(&mut self) {
        files::remove_folder(&self.0).ok();
    }
}

/// The fingerprint of the host's key, from its public half.
fn fingerprint(key: &Path) -> Result<String, Failure> {
    let mut public = key.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    let Some(bytes) = files::read(&public, PUBLIC_KEY_BYTES_MAX).map_err(Failure::usage)? else {
        return Ok(NO_KEY.to_owned());
    };
    let key = SshKey::from_line(String::from_utf8_lossy(&bytes).trim())
        .map_err(|bad| Failure::usage(bad).of(format!("read the key {}", public.display())))?;
    Ok(key.fingerprint())
}

/// The agent's own file: it lies beside this one.
fn agent() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.with_file_name("bowline-agent"))
}
