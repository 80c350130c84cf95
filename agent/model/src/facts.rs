//! What the host tells of itself. Facts select and fill templates; they are never trusted.
//!
//! **Invariant:** a fact never decides whether something is authorised.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host_path::HostPath;

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
    /// Links at the top of the tree by which people write paths, such as `/bin`, and where they lead.
    pub links: BTreeMap<String, String>,
    /// The boot we are in.
    pub boot: String,
}

impl Facts {
    /// A path with a link at its beginning resolved: two ways of writing one path become one.
    pub fn resolve(&self, path: &HostPath) -> HostPath {
        let resolved = self.links.iter().find_map(|(link, target)| {
            let rest = path.as_str().strip_prefix(link.as_str())?;
            let whole = format!("{target}{rest}");
            (rest.starts_with('/')).then(|| whole.parse().ok()).flatten()
        });
        resolved.unwrap_or_else(|| path.clone())
    }
}
