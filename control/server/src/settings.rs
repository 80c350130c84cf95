//! The service's settings: a file over defaults, resolved to plain values.
//!
//! **Invariant:** settings are values: no live client, no open file.
//! **Invariant:** an unknown key is an error; `control/server/default.toml` holds every key.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_model::digest::Sha256;
use bowline_model::duration::Span;
use serde::Deserialize;
use thiserror::Error;
use toml::{Table, Value};

use crate::door;
use crate::public_url::PublicUrl;
use crate::tls::{Files, Written};

/// Every key with its default.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// Some thousand tokens.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// What `printf %s "$TOKEN"` and `echo $TOKEN` give to `sha256sum` where no token is set.
const NO_TOKENS: [&[u8]; 2] = [b"", b"\n"];

/// An older count than this would be taken for news.
const COUNT_TIME_MAX: Duration = Duration::from_mins(1);

/// The resolved settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens.
    pub address: SocketAddr,
    /// The address by which browsers reach it, where that is another.
    pub public_url: Option<PublicUrl>,
    /// Proxies whose word counts on who asked them.
    pub proxies: Vec<IpAddr>,
    /// The certificates by which it ends TLS itself; `None`: it speaks plain HTTP.
    pub tls: Option<Files>,
    /// The database.
    pub store: PathBuf,
    /// How long a count of the whole fleet is shown before it is made anew.
    pub count_time: Duration,
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
    /// Connections of one address served at once.
    pub connections_per_address: usize,
    /// Listeners for events at once.
    pub listeners: usize,
    /// How long a request's head may take.
    pub head_time: Duration,
    /// How long a request's body may take.
    pub body_time: Duration,
    /// How long a client may take nothing of an answer.
    pub write_time: Duration,
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
    tls: Written,
    store: Store,
    read: Read,
    enrol: Enrol,
    limits: LimitsText,
    log: Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Listen {
    address: SocketAddr,
    public_url: String,
    trusted_proxies: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Store {
    file: PathBuf,
    count_time: Span,
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
    connections_per_address: usize,
    listeners: usize,
    head_time: Span,
    body_time: Span,
    write_time: Span,
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
    let Fragment { listen, tls, store, read, enrol, limits, log } =
        merged.try_into().map_err(malformed)?;
    let bad =
        |key, what: &str| BadSettings::Value { path: file.to_owned(), key, what: what.to_owned() };
    let public_url = match listen.public_url.as_str() {
        "" => None,
        url => Some(PublicUrl::parse(url).map_err(|it| bad("listen.publicUrl", it))?),
    };
    let is_seen_elsewhere = public_url.as_ref().is_some_and(|it| !it.is_local());
    if (!listen.address.ip().is_loopback() || is_seen_elsewhere) && read.token_sha256.is_empty() {
        let what = "name at least one token, or listen on loopback, for this machine only";
        return Err(bad("read.tokenSha256", what));
    }
    if NO_TOKENS.iter().any(|it| read.token_sha256.contains(&Sha256::of(it))) {
        let what =
            "one of them is the digest of no text at all, which everybody has: was TOKEN set?";
        return Err(bad("read.tokenSha256", what));
    }
    if store.count_time.as_duration() > COUNT_TIME_MAX {
        return Err(bad("store.countTime", "it lies between 0s and 1m"));
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    Ok(Settings {
        address: listen.address,
        public_url,
        proxies: listen.trusted_proxies,
        tls: tls.files(folder).map_err(|(key, what)| bad(key, what))?,
        store: folder.join(store.file),
        count_time: store.count_time.as_duration(),
        hosts: (!enrol.hosts.as_os_str().is_empty()).then(|| folder.join(enrol.hosts)),
        readers: read.token_sha256,
        limits: limits_of(&limits).map_err(|(key, what)| bad(key, what))?,
        log: log.format,
    })
}

/// The limits, or the key of one that makes no sense, and what would.
fn limits_of(limits: &LimitsText) -> Result<Limits, (&'static str, &'static str)> {
    for (key, number) in [
        ("limits.connections", limits.connections),
        ("limits.connectionsPerAddress", limits.connections_per_address),
    ] {
        if !(1..=65_536).contains(&number) {
            return Err((key, "it lies between 1 and 65536"));
        }
    }
    if !(1..=4096).contains(&limits.listeners) {
        return Err(("limits.listeners", "it lies between 1 and 4096"));
    }
    for (key, span) in [
        ("limits.headTime", limits.head_time),
        ("limits.bodyTime", limits.body_time),
        ("limits.writeTime", limits.write_time),
        ("limits.connectionTime", limits.connection_time),
        ("limits.stopTime", limits.stop_time),
    ] {
        let span = span.as_duration();
        if span < Duration::from_millis(100) || span > Duration::from_hours(1) {
            return Err((key, "it lies between 100ms and 1h"));
        }
    }
    Ok(Limits {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        listeners: limits.listeners,
        head_time: limits.head_time.as_duration(),
        body_time: limits.body_time.as_duration(),
        write_time: limits.write_time.as_duration(),
        connection_time: limits.connection_time.as_duration(),
        stop_time: limits.stop_time.as_duration(),
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
            ("[listen]\ntrustedProxies = [\"proxy.example\"]\n", "trustedProxies"),
            ("[listen]\naddress = \"0.0.0.0:1\"\n", "read.tokenSha256"),
            ("[listen]\naddress = \"[::]:1\"\n", "read.tokenSha256"),
            ("[read]\ntokenSha256 = [\"secret\"]\n", "tokenSha256"),
            ("[listen]\npublicUrl = \"http://control.example\"\n", "listen.publicUrl"),
            ("[listen]\npublicUrl = \"https://control.example\"\n", "read.tokenSha256"),
            ("[tls]\ncertFile = \"a\"\n", "tls.keyFile"),
            ("[tls]\nkeyFile = \"a\"\n", "tls.certFile"),
            ("[tls]\nclientCaFile = \"a\"\n", "tls.clientCaFile"),
            ("[tls]\ncertFile = \"a\"\nclientCaFile = \"b\"\n", "tls.keyFile"),
            ("[tls]\ncaFile = \"a\"\n", "caFile"),
            ("[store]\ncountTime = \"2m\"\n", "store.countTime"),
            ("[limits]\nconnections = 0\n", "limits.connections"),
            ("[limits]\nconnectionsPerAddress = 0\n", "limits.connectionsPerAddress"),
            ("[limits]\nwriteTime = \"2h\"\n", "limits.writeTime"),
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
    fn certificates_lie_beside_the_settings_file() {
        assert_eq!(of("").unwrap().tls, None);
        let text = "[tls]\ncertFile = \"tls/c.pem\"\nkeyFile = \"/k.pem\"\n";
        let path = |it: &str| PathBuf::from(it);
        let files = Files {
            certificate: path("/etc/bowline/tls/c.pem"),
            key: path("/k.pem"),
            client_ca: None,
        };
        assert_eq!(of(text).unwrap().tls.as_ref(), Some(&files));
        let files = Files { client_ca: Some(path("/etc/bowline/ca.pem")), ..files };
        let text = format!("{text}clientCaFile = \"ca.pem\"\n");
        assert_eq!(of(&text).unwrap().tls, Some(files));
    }

    #[test]
    fn the_digest_of_no_token_opens_nothing() {
        for empty in NO_TOKENS {
            let text = format!("[read]\ntokenSha256 = [\"{}\"]\n", Sha256::of(empty));
            assert!(of(&text).unwrap_err().to_string().contains("was TOKEN set?"));
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
