//! The agent's settings: a file's fragments over defaults, resolved to plain values.
//!
//! **Invariant:** settings are values: no live client, no open file.
//! **Invariant:** an unknown key is an error; packaging/default.toml holds every key.

mod artifacts;
mod control;
mod fragment;
mod access;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::door::files;
use crate::failure::OsFailure;
use crate::http::Proxy;
use crate::http::tls::Identity;
use bowline_model::duration::Span;
use bowline_model::name::{Key, Label};
use thiserror::Error;

pub use access::Access;
pub use artifacts::Artifacts;
pub use control::Control;
use fragment::Fragment;

/// Every key with its default.
pub const DEFAULTS: &str = include_str!("../../../../packaging/default.toml");

/// Largest settings file: some hundred labels and remotes.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// The resolved settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Below which everything managed lies.
    pub root: PathBuf,
    /// The remotes, in the order in which they are tried.
    pub remotes: Vec<String>,
    /// By what means they are reached.
    pub access: Access,
    /// The branch.
    pub ref_name: String,
    /// The folder of the repository that holds `bowline.yaml`.
    pub folder: String,
    /// How often the repository is asked; zero: only when asked.
    pub interval: Duration,
    /// How long one fetch may take.
    pub fetch_timeout: Duration,
    /// How archives of releases are fetched and kept.
    pub artifacts: Artifacts,
    /// Whether this host tries out a branch of its own.
    pub testing: bool,
    /// The host's name; empty: the system's.
    pub host: String,
    /// Labels that count where the policy says so.
    pub labels: BTreeMap<Key, Label>,
    /// The host's key.
    pub key: PathBuf,
    /// `systemd`, or a program.
    pub service_manager: String,
    /// How many folders are watched for changes at most.
    pub watches: usize,
    /// The state folder.
    pub state: PathBuf,
    /// The root of trust.
    pub trust: PathBuf,
    /// The local API's socket.
    pub socket: Option<PathBuf>,
    /// The local API's address.
    pub listen: Option<String>,
    /// The token for changing calls at that address.
    pub api_token: Option<PathBuf>,
    /// The control service.
    pub control: Option<Control>,
    /// How many bytes of records are kept.
    pub spool: u64,
    /// How to log.
    pub log: LogFormat,
    /// The settings file itself.
    pub file: PathBuf,
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// journald under systemd, else text.
    Auto,
    /// The system's journal.
    Journald,
    /// Lines for people.
    Text,
    /// Lines for programs.
    Json,
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum BadSettings {
    /// The file cannot be read.
    #[error("read the settings")]
    Unreadable(#[from] OsFailure),
    /// There is no such file.
    #[error("there is no settings file {}", path.display())]
    Missing {
        /// Where it was sought.
        path: PathBuf,
    },
    /// It is not what it should be. The line itself is not repeated: it may hold a secret by mistake.
    #[error("{} is not a settings file: line {line}, column {column}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The letter in the line.
        column: usize,
        /// What is wrong there.
        what: String,
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

/// Reads a settings file and resolves it for a root.
pub fn load(file: &Path, root: &Path) -> Result<Settings, BadSettings> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|source| OsFailure::new("find", path, source))
    };
    let (file, root) = (absolute(file)?, absolute(root)?);
    let bytes = files::read(&file, SETTINGS_BYTES_MAX)?
        .ok_or_else(|| BadSettings::Missing { path: file.clone() })?;
    let text = String::from_utf8_lossy(&bytes);
    resolve(&text, &file, &root)
}

/// Resolves the text of a settings file.
pub fn resolve(text: &str, file: &Path, root: &Path) -> Result<Settings, BadSettings> {
    let given: Fragment = toml::from_str(text).map_err(|it| malformed(file, text, &it))?;
    let defaults: Fragment =
        toml::from_str(DEFAULTS).map_err(|it| malformed(file, DEFAULTS, &it))?;
    let at = Place { file, root };
    at.settle(&given, &defaults)
}

/// What is wrong with a text, and where.
fn malformed(file: &Path, text: &str, error: &toml::de::Error) -> BadSettings {
    let start = error.span().map_or(0, |it| it.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
    let what = error.message().to_owned();
    BadSettings::Malformed { path: file.to_owned(), line, column, what }
}

/// Where an agent of this machine keeps everything when its settings say nothing about it.
pub fn default_of_this_machine() -> Result<Settings, BadSettings> {
    // A settings file that says nothing but what it must: all else is the default.
    resolve("[source]\nurl = \"none\"\n", Path::new("/agent.toml"), Path::new("/"))
}

struct Place<'a> {
    file: &'a Path,
    root: &'a Path,
}

impl Place<'_> {
    fn settle(&self, given: &Fragment, defaults: &Fragment) -> Result<Settings, BadSettings> {
        let merged = given.over(defaults);
        let (source, host) = (&merged.source, &merged.host);
        let remotes: Vec<String> =
            source.url.iter().flat_map(fragment::Urls::list).map(|it| self.remote(it)).collect();
        if remotes.is_empty() {
            return Err(self.bad("source.url", "no repository is named".to_owned()));
        }
        let labels = host.labels.iter().flatten();
        Ok(Settings {
            root: self.root.to_owned(),
            remotes,
            access: self.access(source)?,
            ref_name: text(source.ref_name.as_ref()),
            folder: text(source.path.as_ref()),
            interval: self.span("source.interval", source.interval.as_ref())?,
            fetch_timeout: self.span("source.timeout", source.timeout.as_ref())?,
            artifacts: self.artifacts(&merged.artifacts)?,
            testing: source.testing.unwrap_or_default(),
            host: text(host.name.as_ref()),
            labels: labels.map(|(key, value)| self.label(key, value)).collect::<Result<_, _>>()?,
            key: self.path(given.host.key.as_ref(), defaults.host.key.as_ref()),
            service_manager: self.program(&text(host.service_manager.as_ref())),
            watches: host.watches.and_then(|it| usize::try_from(it).ok()).unwrap_or_default(),
            state: self.path(given.state.dir.as_ref(), defaults.state.dir.as_ref()),
            trust: self.path(given.trust.file.as_ref(), defaults.trust.file.as_ref()),
            socket: Some(self.path(given.api.socket.as_ref(), defaults.api.socket.as_ref()))
                .filter(|_| merged.api.socket.as_ref().is_some_and(|it| !it.is_empty())),
            listen: merged.api.listen.clone().filter(|it| !it.is_empty()),
            api_token: Some(text(merged.api.token_file.as_ref()))
                .filter(|it| !it.is_empty())
                .map(|it| self.literal(&it)),
            control: self.control(&merged.control)?,
            spool: self.spool(&text(merged.control.spool.as_ref()))?,
            log: self.log(&text(merged.log.format.as_ref()))?,
            file: self.file.to_owned(),
        })
    }

    /// An empty path is as good as none.
    fn access(&self, source: &fragment::Source) -> Result<Access, BadSettings> {
        let file = |written: &Option<String>| {
            written.as_deref().filter(|it| !it.is_empty()).map(|it| self.literal(it))
        };
        let identity = match (file(&source.client_cert), file(&source.client_key)) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            _ => {
                let what = "a certificate and its key go together".to_owned();
                return Err(self.bad("source.clientCert and source.clientKey", what));
            }
        };
        let proxy = self.proxy("source.proxy", (&source.proxy, &source.proxy_login_file))?;
        Ok(Access {
            token: file(&source.token_file),
            netrc: file(&source.netrc_file),
            ca: file(&source.ca_file),
            identity,
            proxy,
            ssh_key: file(&source.ssh_key_file),
            known_hosts: file(&source.known_hosts_file),
            ssh_agent: file(&source.ssh_agent),
        })
    }

    /// A proxy, and the file with the account that it wants.
    fn proxy(
        &self,
        key: &'static str,
        (at, login): (&Option<String>, &Option<String>),
    ) -> Result<Option<Proxy>, BadSettings> {
        let written = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        let login = written(login).map(|it| self.literal(&it));
        let proxy = written(at).map(|it| Proxy::of(&it, login)).transpose();
        proxy.map_err(|error| self.bad(key, error.to_string()))
    }

    fn bad(&self, key: &'static str, what: String) -> BadSettings {
        BadSettings::Value { path: self.file.to_owned(), key, what }
    }

    /// A written path is literal, relative to the file; a default lies below the root.
    fn path(&self, given: Option<&String>, default: Option<&String>) -> PathBuf {
        match given {
            Some(written) => self.literal(written),
            None => self.root.join(text(default).trim_start_matches('/')),
        }
    }

    fn literal(&self, written: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("/")).join(written)
    }

    fn program(&self, written: &str) -> String {
        match written {
            "systemd" | "none" => written.to_owned(),
            program => self.literal(program).display().to_string(),
        }
    }

    /// A remote that is a path is relative to the file as well.
    fn remote(&self, written: &str) -> String {
        let is_scp = written.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
        if written.contains("://") || is_scp {
            return written.to_owned();
        }
        self.literal(written).display().to_string()
    }

    fn span(&self, key: &'static str, written: Option<&String>) -> Result<Duration, BadSettings> {
        let written = text(written);
        if written == "0" {
            return Ok(Duration::ZERO);
        }
        let span: Span = written.parse().map_err(|error| self.bad(key, format!("{error}")))?;
        Ok(span.as_duration())
    }

    fn label(&self, key: &str, value: &str) -> Result<(Key, Label), BadSettings> {
        let bad = |error: String| self.bad("host.labels", error);
        let key = key.parse().map_err(|error| bad(format!("{error}")))?;
        let value = value.parse().map_err(|error| bad(format!("{error}")))?;
        Ok((key, value))
    }

    fn log(&self, written: &str) -> Result<LogFormat, BadSettings> {
        match written {
            "auto" => Ok(LogFormat::Auto),
            "journald" => Ok(LogFormat::Journald),
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => {
                let what = format!("{other:?} is none of auto, journald, text, json");
                Err(self.bad("log.format", what))
            }
        }
    }
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, root: &str) -> Result<Settings, BadSettings> {
        resolve(text, Path::new("/srv/fleet/agent.toml"), Path::new(root))
    }

    #[test]
    fn defaults_lie_below_the_root_and_written_paths_beside_the_file() {
        let text = "[source]\nurl = \"repo\"\n[state]\ndir = \"state\"\n";
        let settings = of(text, "/tmp/h").unwrap();
        assert_eq!(settings.remotes, ["/srv/fleet/repo"]);
        assert_eq!(settings.state, Path::new("/srv/fleet/state"));
        assert_eq!(settings.trust, Path::new("/tmp/h/etc/bowline/trust.yaml"));
        assert_eq!(settings.interval, Duration::from_mins(1));
    }

    #[test]
    fn remotes_of_every_form_are_kept_as_written() {
        let text = "[source]\nurl = [\"https://a/b\", \"git@c:d\", \"file:///e\", \"/f\"]\n";
        let settings = of(text, "/").unwrap();
        assert_eq!(settings.remotes, ["https://a/b", "git@c:d", "file:///e", "/f"]);
    }

    #[test]
    fn bad_settings_name_the_key() {
        let cases = [
            ("[source]\nurl = \"a\"\nintervall = \"5s\"\n", "intervall"),
            ("[source]\nurl = \"a\"\ninterval = \"soon\"\n", "source.interval"),
            ("[source]\nurl = \"a\"\n[log]\nformat = \"loud\"\n", "log.format"),
            ("[source]\nurl = \"a\"\nclientCert = \"c\"\n", "source.clientKey"),
            ("[source]\nurl = \"a\"\nproxy = \"https://p\"\n", "source.proxy"),
            ("[source]\nurl = \"a\"\nproxy = \"http://me:pw@p\"\n", "proxyLoginFile"),
            (
                "[source]\nurl = \"a\"\n[control]\nurl = \"http://c\"\nproxy = \"http://me:pw@p\"\n",
                "proxyLoginFile",
            ),
            ("[source]\nurl = \"a\"\n[artifacts]\ncache = \"1KiB\"\n", "artifacts.cache"),
            ("[source]\nurl = \"a\"\n[artifacts]\ntimeout = \"0s\"\n", "artifacts.timeout"),
            ("[source]\n", "source.url"),
            ("[source]\nurl = \"a\"\n[control]\nurl = \"control:9480\"\n", "control.url"),
            ("[source]\nurl = \"a\"\n[control]\nspool = \"1MiB\"\n", "control.spool"),
            (
                "[source]\nurl = \"a\"\n[control]\nurl = \"http://c\"\ntokenFile = \"t\"\n",
                "control.url",
            ),
            (
                "[source]\nurl = \"a\"\n[control]\nurl = \"http://c\"\nclientKey = \"k\"\n",
                "control.clientCert",
            ),
            (
                "[source]\nurl = \"a\"\n[control]\nurl = \"http://c\"\nproxy = \"https://p\"\n",
                "control.proxy",
            ),
            ("[host]\nlabels = {\"a b\" = \"c\"}\n[source]\nurl = \"a\"\n", "host.labels"),
        ];
        for (text, key) in cases {
            let error = of(text, "/").unwrap_err();
            let shown = crate::failure::chain(&error);
            assert!(shown.contains(key), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place_and_never_repeats_the_line() {
        for (text, place) in [
            ("[source]\nproxy = http://me:canary@p\n", "line 2, column "),
            ("[source]\nproxy = \"http://me:canary@p\n", "line 2, column "),
            ("[source]\nurl = \"a\"\nproxyy = \"canary\"\n", "line 3, column 1: unknown field"),
            ("[source]\nurl = \"a\"\nproxy = \"http://me:canary@p\"\n", "source.proxy"),
        ] {
            let shown = crate::failure::chain(&of(text, "/").unwrap_err());
            assert!(shown.contains(place) && !shown.contains("canary"), "{shown}");
        }
    }
}
