//! The shape of a settings file, every key optional.
//!
//! **Invariant:** shape only; what a value means is settled in the room above.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A settings file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fragment {
    pub(super) source: Source,
    pub(super) artifacts: Artifacts,
    pub(super) host: Host,
    pub(super) state: State,
    pub(super) trust: Trust,
    pub(super) api: Api,
    pub(super) control: Control,
    pub(super) log: Log,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Source {
    pub(super) url: Option<Urls>,
    #[serde(rename = "ref")]
    pub(super) ref_name: Option<String>,
    pub(super) path: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) testing: Option<bool>,
    pub(super) token_file: Option<String>,
    pub(super) netrc_file: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) client_cert: Option<String>,
    pub(super) client_key: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) proxy_login_file: Option<String>,
    pub(super) ssh_key_file: Option<String>,
    pub(super) known_hosts_file: Option<String>,
    pub(super) ssh_agent: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Artifacts {
    pub(super) timeout: Option<String>,
    pub(super) cache: Option<String>,
}

/// One remote, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a URL or a list of URLs")]
pub(super) enum Urls {
    One(String),
    Several(Vec<String>),
}

impl Urls {
    pub(super) fn list(&self) -> &[String] {
        match self {
            Self::One(url) => std::slice::from_ref(url),
            Self::Several(urls) => urls,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Host {
    pub(super) name: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) key: Option<String>,
    pub(super) service_manager: Option<String>,
    pub(super) watches: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct State {
    pub(super) dir: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Trust {
    pub(super) file: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Api {
    pub(super) socket: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) token_file: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct Control {
    pub(super) url: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) client_cert: Option<String>,
    pub(super) client_key: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) proxy_login_file: Option<String>,
    pub(super) spool: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: Option<String>,
}

impl Fragment {
    /// Each key of `self`, else of `defaults`.
    pub(super) fn over(&self, defaults: &Self) -> Self {
        let or = |one: &Option<String>, two: &Option<String>| one.clone().or_else(|| two.clone());
        let (mine, other) = (self, defaults);
        Self {
            source: Source {
                url: mine.source.url.clone().or_else(|| other.source.url.clone()),
                ref_name: or(&mine.source.ref_name, &other.source.ref_name),
                path: or(&mine.source.path, &other.source.path),
                interval: or(&mine.source.interval, &other.source.interval),
                timeout: or(&mine.source.timeout, &other.source.timeout),
                testing: mine.source.testing.or(other.source.testing),
                token_file: or(&mine.source.token_file, &other.source.token_file),
                netrc_file: or(&mine.source.netrc_file, &other.source.netrc_file),
                ca_file: or(&mine.source.ca_file, &other.source.ca_file),
                client_cert: or(&mine.source.client_cert, &other.source.client_cert),
                client_key: or(&mine.source.client_key, &other.source.client_key),
                proxy: or(&mine.source.proxy, &other.source.proxy),
                proxy_login_file: or(&mine.source.proxy_login_file, &other.source.proxy_login_file),
                ssh_key_file: or(&mine.source.ssh_key_file, &other.source.ssh_key_file),
                known_hosts_file: or(&mine.source.known_hosts_file, &other.source.known_hosts_file),
                ssh_agent: or(&mine.source.ssh_agent, &other.source.ssh_agent),
            },
            artifacts: Artifacts {
                timeout: or(&mine.artifacts.timeout, &other.artifacts.timeout),
                cache: or(&mine.artifacts.cache, &other.artifacts.cache),
            },
            host: Host {
                name: or(&mine.host.name, &other.host.name),
                labels: mine.host.labels.clone().or_else(|| other.host.labels.clone()),
                key: or(&mine.host.key, &other.host.key),
                service_manager: or(&mine.host.service_manager, &other.host.service_manager),
                watches: mine.host.watches.or(other.host.watches),
            },
            state: State { dir: or(&mine.state.dir, &other.state.dir) },
            trust: Trust { file: or(&mine.trust.file, &other.trust.file) },
            api: Api {
                socket: or(&mine.api.socket, &other.api.socket),
                listen: or(&mine.api.listen, &other.api.listen),
                token_file: or(&mine.api.token_file, &other.api.token_file),
            },
            control: Control {
                url: or(&mine.control.url, &other.control.url),
                token_file: or(&mine.control.token_file, &other.control.token_file),
                ca_file: or(&mine.control.ca_file, &other.control.ca_file),
                client_cert: or(&mine.control.client_cert, &other.control.client_cert),
                client_key: or(&mine.control.client_key, &other.control.client_key),
                proxy: or(&mine.control.proxy, &other.control.proxy),
                proxy_login_file: or(
                    &mine.control.proxy_login_file,
                    &other.control.proxy_login_file,
                ),
                spool: or(&mine.control.spool, &other.control.spool),
            },
            log: Log { format: or(&mine.log.format, &other.log.format) },
        }
    }
}
