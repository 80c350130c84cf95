//! What the engine is told when a cycle begins.
//!
//! **Invariant:** plain values; nothing here changes while a cycle runs. Changed settings are another
//! value, which the next cycle is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bowline_model::digest::Sha256;
use bowline_model::host_path::HostPath;
use bowline_model::name::{Key, Label};
use bowline_model::trust_root::TrustRoot;

/// What the agent was told for its cycles.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The fingerprint of the host's key, as `SHA256:…`; it finds the host in `hosts/*.yaml`.
    pub fingerprint: String,
    /// The folder of the repository in which `bowline.yaml` lies; empty for its root.
    pub folder: String,
    /// How often the repository is asked.
    pub interval: Duration,
    /// Labels of agent.toml: they count only where the policy says so.
    pub local_labels: BTreeMap<Key, Label>,
    /// The agent's version.
    pub version: (u32, u32, u32),
    /// The root of trust.
    pub trust: Arc<TrustRoot>,
    /// SHA-256 of the trust file.
    pub trust_sha256: Sha256,
    /// The agent's own paths: no targets.
    pub reserved: Vec<HostPath>,
}

impl Settings {
    /// Whether two say the same of what is deployed, however often they were read. How often the repository
    /// is asked is no part of that.
    pub(crate) fn says_as(&self, other: &Self) -> bool {
        // A root of trust is what its file's digest names.
        let Self { fingerprint, folder, interval: _, local_labels, version, trust: _, .. } = self;
        let said = (fingerprint, folder, local_labels, version, self.trust_sha256, &self.reserved);
        let other = (
            &other.fingerprint,
            &other.folder,
            &other.local_labels,
            &other.version,
            other.trust_sha256,
            &other.reserved,
        );
        said == other
    }

    /// This version's numbers: agent and command are built from one.
    pub fn version() -> (u32, u32, u32) {
        let number = |text: &str| text.parse().unwrap_or_default();
        (
            number(env!("CARGO_PKG_VERSION_MAJOR")),
            number(env!("CARGO_PKG_VERSION_MINOR")),
            number(env!("CARGO_PKG_VERSION_PATCH")),
        )
    }
}
