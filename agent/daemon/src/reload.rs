//! Settings, trust file and certificates, read again while the agent runs.
//!
//! **Invariant:** files that cannot be used change nothing: what is in force stays in force, and that is
//! told.
//! **Invariant:** what only a start can change keeps its value, and is named.

use std::iter;
use std::path::{Path, PathBuf};

use bowline_host::door::files::{self, Stamp};
use bowline_host::failure::chain;
use bowline_host::repository::fetch::{FetchFailure, Remotes};
use bowline_host::settings::{self, BadSettings, Settings};
use bowline_host::trust_file::{self, NoTrust, TrustFile};
use thiserror::Error;

/// By what files are known to be the same as when they were read: those that the settings name which were
/// read last, used or refused, since it is those that a person mends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched(Vec<(PathBuf, Option<Stamp>)>);

impl Watched {
    /// Looks at the same files again: some calls of the system at each cycle, and nothing that has to be
    /// watched in between.
    pub(crate) fn again(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), files::stamp(path))).collect())
    }

    /// Looks at the files that settings name, whose own file was looked at before it was read.
    fn beside(file: Option<Stamp>, settings: &Settings) -> Self {
        let access = &settings.access;
        let identity = access.identity.as_ref();
        // Certificates and the key for them are read once, and renewed every few months.
        let certificates =
            [access.ca.as_ref(), identity.map(|it| &it.certificate), identity.map(|it| &it.key)];
        let named = iter::once(&settings.trust).chain(certificates.into_iter().flatten());
        let named = named.map(|it| (it.clone(), files::stamp(it)));
        Self(iter::once((settings.file.clone(), file)).chain(named).collect())
    }
}

/// Settings, and the files as they were before anything was read: what is written from then on is seen
/// at the next look.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    pub(crate) watched: Watched,
}

/// Reads the settings for the first time.
pub fn load(file: &Path, root: &Path) -> Result<Loaded, BadSettings> {
    let stamp = files::stamp(file);
    let settings = settings::load(file, root)?;
    let watched = Watched::beside(stamp, &settings);
    Ok(Loaded { settings, watched })
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The settings that are in force from now on.
    pub(crate) settings: Settings,
    /// The files as they were before they were read.
    pub(crate) watched: Watched,
    /// The root of trust.
    pub(crate) trust: TrustFile,
    /// Where is fetched from; those before stay when these cannot be used.
    pub(crate) remotes: Result<Remotes, FetchFailure>,
    /// Keys that were changed and need a start.
    kept: Vec<&'static str>,
}

/// Files that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum Stale {
    /// The settings.
    #[error("the changed settings are not used, those before stay in force")]
    Settings(#[from] BadSettings),
    /// The trust file.
    #[error("the changed trust file is not used, the one before stays in force")]
    Trust {
        /// The files that the refused settings name, as they were before they were read.
        watched: Watched,
        /// What is wrong with it.
        source: NoTrust,
    },
}

impl Stale {
    /// The files whose mending is waited for; `None`: those that were watched before.
    pub(crate) fn watched(self) -> Option<Watched> {
        match self {
            Self::Settings(_) => None,
            Self::Trust { watched, .. } => Some(watched),
        }
    }
}

/// Reads all files.
pub(crate) fn read(before: &Settings) -> Result<Fresh, Stale> {
    let loaded = load(&before.file, &before.root)?;
    let (settings, kept) = keep(before, loaded.settings);
    let watched = loaded.watched;
    let trust = match trust_file::load_for(&settings) {
        Ok(trust) => trust,
        Err(source) => return Err(Stale::Trust { watched, source }),
    };
    let remotes = Remotes::of(&settings);
    let remotes = remotes.check().map(|()| remotes);
    Ok(Fresh { settings, watched, trust, remotes, kept })
}

impl Fresh {
    /// What a person should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        let note =
            |key: &&str| format!("{key} was changed: restart the agent to bring it into force");
        let remotes = self.remotes.as_ref().err().map(|error| {
            let why = chain(error);
            format!("the means to fetch are not used, those before stay in force: {why}")
        });
        self.kept.iter().map(note).chain(remotes).collect()
    }
}

/// Keeps what is bound to the running process: open folders, sockets, names in records.
fn keep(before: &Settings, fresh: Settings) -> (Settings, Vec<&'static str>) {
    let differing = [
        ("host.name", before.host != fresh.host),
        ("host.key", before.key != fresh.key),
        ("state.dir", before.state != fresh.state),
        ("api.socket", before.socket != fresh.socket),
        ("api.listen", before.listen != fresh.listen),
        ("api.tokenFile", before.api_token != fresh.api_token),
        ("control", (&before.control, before.spool) != (&fresh.control, fresh.spool)),
        ("log.format", before.log != fresh.log),
    ];
    let kept = differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect();
    let old = before.clone();
    let settings = Settings {
        host: old.host,
        key: old.key,
        state: old.state,
        socket: old.socket,
        listen: old.listen,
        api_token: old.api_token,
        control: old.control,
        spool: old.spool,
        log: old.log,
        ..fresh
    };
    (settings, kept)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(text: &str) -> Settings {
        settings::resolve(text, Path::new("/srv/agent.toml"), Path::new("/")).unwrap()
    }

    #[test]
    fn what_needs_a_start_is_kept_and_named() {
        let before = of("[source]\nurl = \"a\"\n");
        let fresh = of("[source]\nurl = \"b\"\ninterval = \"5s\"\n[state]\ndir = \"elsewhere\"\n\
                        [host]\nname = \"other\"\nlabels = { role = \"web\" }\n[api]\nlisten = \"[::1]:1\"\n");
        let (settings, kept) = keep(&before, fresh.clone());
        assert_eq!(kept, ["host.name", "state.dir", "api.listen"]);
        assert_eq!(settings.remotes, ["/srv/b"]);
        assert_eq!((&settings.state, &settings.host), (&before.state, &before.host));
        assert_eq!((settings.interval, settings.labels), (fresh.interval, fresh.labels));
    }
}
