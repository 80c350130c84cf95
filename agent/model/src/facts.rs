//! What the host tells of itself. Facts select and fill templates; they are never trusted.
//!
//! **Invariant:** a fact never decides whether something is authorised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Facts and accounts of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Facts by dotted name: `os.family`, `os.version`, `cpu.count`, …
    pub values: BTreeMap<String, String>,
    /// User ids by name.
    pub users: BTreeMap<String, u32>,
    /// Group ids by name.
    pub groups: BTreeMap<String, u32>,
    /// The agent's own user and group, when it may not set owners; `None` when it may.
    pub only_owner: Option<(u32, u32)>,
    /// The boot we are in.
    pub boot: String,
}
