//! What this host last committed, and what it remembers of what failed.
//!
//! **Invariant:** generations rise by one; an object is pruned only if its line says that the agent
//! created it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::digest::Sha256;
use crate::form::Form;
use crate::host_path::HostPath;
use crate::manifest::ProbeSpec;
use crate::release::HeldRelease;
use crate::revision::Revision;
use crate::unit::{UnitWish, Verb};

/// Lines of one generation: what a plan may have as steps, so that whatever stands can be taken away at once.
pub const LINES_MAX: usize = 200_000;

/// Bytes of one generation: it is held twice while the next one is made, and the unit's `MemoryMax=` is a
/// gibibyte.
pub const BYTES_MAX: u64 = 96 << 20;

/// One committed state of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// The newest before it that asks for something else: where an ordered revert goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The revision that the host runs.
    pub revision: Revision,
    /// The deployment that made it.
    pub deployment: String,
    /// When, in seconds since 1970, by the host's clock: for people only.
    pub at: i64,
    /// What is managed at paths, sorted by path.
    pub inventory: Vec<Held>,
    /// Units that are managed, each after those that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<HeldUnit>,
    /// Commands that have run, with the digest of what ran.
    pub commands: Vec<Change>,
    /// Templates among its files, each with the digest of its text before facts came in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Change>,
    /// Releases of artifacts, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<HeldRelease>,
    /// Its probes: asked once more after a later change was taken back, without Git.
    #[serde(default)]
    pub probes: Vec<KnownProbe>,
    /// Who the host was then; `None` when nothing in the repository named it.
    #[serde(default)]
    pub host: Option<String>,
}

/// A probe of a committed generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownProbe {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub spec: ProbeSpec,
}

/// One managed path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Where.
    pub path: HostPath,
    /// Whose, as `Kind/name`.
    pub resource: Arc<str>,
    /// How it should stand.
    pub form: Form,
    /// Whether the agent created it.
    pub created: bool,
    /// Whether it may be pruned.
    pub prune: bool,
}

/// One managed unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldUnit {
    /// Its full name.
    pub unit: String,
    /// Whose, as `Kind/name`.
    pub resource: Arc<str>,
    /// How it should stand.
    pub wanted: UnitWish,
    /// What it is told when its files change while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_change: Option<Verb>,
    /// What of that the agent made: it was not so before.
    pub made: UnitWish,
    /// Whether it may be pruned.
    pub prune: bool,
}

/// Changes that failed on this host, and tries that were interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ledger {
    /// Changes that are not tried again by themselves, oldest first.
    pub quarantine: Vec<Quarantine>,
    /// The plan that was last interrupted, and how often in a row.
    pub interrupted: Option<Interrupted>,
    /// The last deployment that was settled: settling twice is settling once.
    pub settled: Option<String>,
}

/// One change that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantine {
    /// The revision in which it failed.
    pub revision: Revision,
    /// The deployment that tried it.
    pub deployment: String,
    /// What it changed, sorted.
    pub delta: Vec<Change>,
    /// Why it was taken back.
    pub reason: String,
    /// When, in seconds since 1970: for people only.
    pub at: i64,
}

/// A plan whose tries were cut short by something else than itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// Digest over revision and delta.
    pub plan: Sha256,
    /// How often in a row.
    pub times: u32,
}
