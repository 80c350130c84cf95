//! The service's settings: a file over defaults, resolved to plain values.
//!
//! **Invariant:** settings are values: no live client, no open file.
//! **Invariant:** an unknown key is an error; `control/server/default.toml` holds every key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_model::digest::Sha256;
use bowline_model::duration::Span;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use crate::door;

/// Every key with its default.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// Some thousand tokens.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// The resolved settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens.
    pub address: SocketAddr,
    /// The database.
    pub store: PathBuf,
    /// Digests of tokens that may read; empty: everybody who can connect.
    pub readers: Vec<Sha256>,
    /// The folder of merged Hosts whose keys are let in; `None`: none are.
    pub hosts: Option<PathBuf>,
    /// Limits on clients.
    pub limits: Limits,
    /// How to log.
    pub log: LogFormat,
}

/// Limits on clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once.
    pub connections: usize,
    /// Listeners for events at once.
    pub listeners: usize,
    /// How long a request's head may take.
    pub head_time: Duration,
    /// How long a request's body may take.
    pub body_time: Duration,
    /// How long a connection may last.
    pub connection_time: Duration,
    /// How long requests may go on after the service was asked to stop.
    pub stop_time: Duration,
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines for programs.
    Json,
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum BadSettings {
    /// The file cannot be read.
    #[error("read the settings file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{} is not a settings file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        #[source]
        source: toml::de::Error,
    },
    /// A value makes no sense.
    #[error("{key} in {}: {what}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong, and what would be right.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    listen: Listen,
    store: Store,
    read: Read,
    enrol: Enrol,
    limits: LimitsText,
    log: Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listen {
    address: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Read {
    token_sha256: Vec<Sha256>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrol {
    hosts: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LimitsText {
    connections: usize,
    listeners: usize,
    head_time: Span,
    body_time: Span,
    connection_time: Span,
    stop_time: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    format: LogFormat,
}

/// Reads a settings file and resolves it.
pub fn load(file: &Path) -> Result<Settings, BadSettings> {
    let fail = |source| BadSettings::Unreadable { path: file.to_owned(), source };
    let absolute = std::path::absolute(file).map_err(fail)?;
    let text = door::read_text(&absolute, SETTINGS_BYTES_MAX).map_err(fail)?;
    resolve(&text, &absolute)
}

/// Resolves the text of a settings file.
pub fn resolve(text: &str, file: &Path) -> Result<Settings, BadSettings> {
    let malformed = |source| BadSettings::Malformed { path: file.to_owned(), source };
    // The text as it stands is checked first, so that a fault is shown with its line.
    let given: Table = toml::from_str(text).map_err(malformed)?;
    let mut merged: Table = toml::from_str(DEFAULTS).map_err(malformed)?;
    lay_over(&mut merged, given);
    let Fragment { listen, store, read, enrol, limits, log } =
        merged.try_into().map_err(malformed)?;
    let bad =
        |key, what: &str| BadSettings::Value { path: file.to_owned(), key, what: what.to_owned() };
    if !listen.address.ip().is_loopback() && read.token_sha256.is_empty() {
        let what = "name at least one token, or listen on loopback";
        return Err(bad("read.tokenSha256", what));
    }
    if !(1..=65_536).contains(&limits.connections) {
        return Err(bad("limits.connections", "it lies between 1 and 65536"));
    }
    if !(1..=4096).contains(&limits.listeners) {
        return Err(bad("limits.listeners", "it lies between 1 and 4096"));
    }
    for (key, span) in [
        ("limits.headTime", limits.head_time),
        ("limits.bodyTime", limits.body_time),
        ("limits.connectionTime", limits.connection_time),
        ("limits.stopTime", limits.stop_time),
    ] {
        let span = span.as_duration();
        if span < Duration::from_millis(100) || span > Duration::from_hours(1) {
            return Err(bad(key, "it lies between 100ms and 1h"));
        }
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    Ok(Settings {
        address: listen.address,
        store: folder.join(store.file),
        hosts: (!enrol.hosts.as_os_str().is_empty()).then(|| folder.join(enrol.hosts)),
        readers: read.token_sha256,
        limits: Limits {
            connections: limits.connections,
            listeners: limits.listeners,
            head_time: limits.head_time.as_duration(),
            body_time: limits.body_time.as_duration(),
            connection_time: limits.connection_time.as_duration(),
            stop_time: limits.stop_time.as_duration(),
        },
        log: log.format,
    })
}

/// Lays what is given over defaults, key by key.
fn lay_over(defaults: &mut Table, given: Table) {
    for (key, value) in given {
        match (defaults.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => lay_over(inner, value),
            (_, value) => drop(defaults.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn of(text: &str) -> Result<Settings, BadSettings> {
        resolve(text, Path::new("/etc/bowline/control.toml"))
    }

    #[test]
    fn a_file_that_says_nothing_is_the_defaults() {
        let settings = of("").unwrap();
        assert_eq!(settings, of(DEFAULTS).unwrap());
        assert_eq!(settings.address.to_string(), "127.0.0.1:9480");
        assert_eq!(settings.store, Path::new("/var/lib/bowline-control/control.db"));
        assert_eq!(settings.hosts, None);
        let settings = of("[enrol]\nhosts = \"desired/hosts\"\n").unwrap();
        assert_eq!(settings.hosts.as_deref(), Some(Path::new("/etc/bowline/desired/hosts")));
        let settings = of("[store]\nfile = \"c.db\"\n").unwrap();
        assert_eq!(settings.store, Path::new("/etc/bowline/c.db"));
    }

    #[test]
    fn bad_settings_name_the_key() {
        let cases = [
            ("[listen]\naddres = \"127.0.0.1:1\"\n", "addres"),
            ("[listen]\naddress = \"here\"\n", "address"),
            ("[listen]\naddress = \"0.0.0.0:1\"\n", "read.tokenSha256"),
            ("[listen]\naddress = \"[::]:1\"\n", "read.tokenSha256"),
            ("[read]\ntokenSha256 = [\"secret\"]\n", "tokenSha256"),
            ("[limits]\nconnections = 0\n", "limits.connections"),
            ("[limits]\nlisteners = 5000\n", "limits.listeners"),
            ("[limits]\nheadTime = \"0s\"\n", "limits.headTime"),
            ("[limits]\nstopTime = \"2h\"\n", "limits.stopTime"),
            ("[log]\nformat = \"loud\"\n", "format"),
            ("[pages]\n", "pages"),
        ];
        for (text, key) in cases {
            let error = of(text).unwrap_err();
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(format!("{error} {cause}").contains(key), "{text}: {error} {cause}");
        }
    }

    #[test]
    fn with_a_token_it_listens_anywhere() {
        let digest = Sha256::of(b"t");
        let text =
            format!("[listen]\naddress = \"0.0.0.0:1\"\n[read]\ntokenSha256 = [\"{digest}\"]\n");
        assert_eq!(of(&text).unwrap().readers, [digest]);
    }
}
