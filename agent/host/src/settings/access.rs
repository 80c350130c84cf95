//! By what means remotes are reached: secrets and certificates by their files, never by their content.
//!
//! **Invariant:** no secret is a setting: whatever shows settings shows only where secrets lie.

use std::path::PathBuf;

use crate::http::Proxy;
use crate::http::tls::Identity;

/// By what means remotes are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// A token for the first address that may hear it.
    pub token: Option<PathBuf>,
    /// Accounts by host.
    pub netrc: Option<PathBuf>,
    /// The authorities that are believed; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// By what web servers know the host.
    pub identity: Option<Identity>,
    /// By whom web servers are reached.
    pub proxy: Option<Proxy>,
    /// The private key for `ssh`; `None`: where `ssh` looks by itself.
    pub ssh_key: Option<PathBuf>,
    /// The hosts that `ssh` knows; `None`: where `ssh` looks by itself.
    pub known_hosts: Option<PathBuf>,
    /// The socket of an `ssh-agent`.
    pub ssh_agent: Option<PathBuf>,
}
