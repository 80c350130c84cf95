//! What is asked of the store: which things, and which part of a list.
//!
//! **Invariant:** every list has a limit.

use bowline_api::fleet::Health;
use bowline_api::outcome::Outcome;

/// Which deployments are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this host.
    pub host: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
}

/// Which hosts are wanted: all that fit everything that is given.
#[derive(Debug, Clone, Default)]
pub struct Picked {
    /// Whose newest record ended so.
    pub outcome: Option<Outcome>,
    /// That belong to this environment.
    pub environment: Option<String>,
    /// Whose probes said so.
    pub health: Option<Health>,
    /// Whose name holds this.
    pub name: Option<String>,
    /// That have an alarm which nobody acknowledged.
    pub alarmed: bool,
    /// Those that a person retired as well.
    pub retired: bool,
}

/// Which records of a host are wanted.
#[derive(Debug, Clone)]
pub struct Which {
    /// Where they stand.
    pub place: Place,
    /// Of the key with this fingerprint; else of the key whose records are taken, and of another only where that
    /// one has none there.
    pub key: Option<String>,
}

/// A place in a host's records.
#[derive(Debug, Clone)]
pub enum Place {
    /// Those of a deployment, by the host's id.
    Deployment(String),
    /// The one with this sequence.
    Seq(u64),
}

/// Which part of a list of numbered things, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// At most so many.
    pub limit: u32,
    /// Older than this one.
    pub after: Option<u64>,
}

/// Which part of a list of named things, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// At most so many.
    pub limit: u32,
    /// Behind this name.
    pub after: Option<String>,
}
