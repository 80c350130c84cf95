//! Settings and trust file, read again while the agent runs.
//!
//! **Invariant:** files that cannot be used change nothing: what is in force stays in force, and that is
//! told.
//! **Invariant:** what only a start can change keeps its value, and is named.

use bowline_host::door::files::{self, Stamp};
use bowline_host::settings::{self, BadSettings, Settings};
use bowline_host::trust_file::{self, NoTrust, TrustFile};
use thiserror::Error;

/// By what both files are known to be the same as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watched {
    settings: Option<Stamp>,
    trust: Option<Stamp>,
}

impl Watched {
    /// Looks at both files: two calls of the system at each cycle, and nothing that has to be watched
    /// in between.
    pub(crate) fn look(settings: &Settings) -> Self {
        Self { settings: files::stamp(&settings.file), trust: files::stamp(&settings.trust) }
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// The settings that are in force from now on.
    pub(crate) settings: Settings,
    /// The root of trust.
    pub(crate) trust: TrustFile,
    /// Keys that were changed and need a start.
    pub(crate) kept: Vec<&'static str>,
}

/// Files that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum Stale {
    /// The settings.
    #[error("the changed settings are not used, those before stay in force")]
    Settings(#[from] BadSettings),
    /// The trust file.
    #[error("the changed trust file is not used, the one before stays in force")]
    Trust(#[from] NoTrust),
}

/// Reads both files.
pub(crate) fn read(before: &Settings) -> Result<Fresh, Stale> {
    let fresh = settings::load(&before.file, &before.root)?;
    let (settings, kept) = keep(before, fresh);
    let trust = trust_file::load_for(&settings)?;
    Ok(Fresh { settings, trust, kept })
}

impl Fresh {
    /// What a person should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        let note =
            |key: &&str| format!("{key} was changed: restart the agent to bring it into force");
        self.kept.iter().map(note).collect()
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
