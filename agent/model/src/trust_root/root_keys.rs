//! The keys of a root, and which version of the root they are.
//!
//! **Invariant:** a root that exists can be met: its threshold is at least one and no more than its
//! distinct keys.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// More root keys than any person could watch over.
const MOST_ROOT_KEYS: usize = 64;

/// The keys that may change the policy, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RootKeysText")]
pub struct RootKeys {
    /// Which root it is; each one that takes another's place is one more. 1 if not said.
    pub version: u64,
    /// How many distinct keys must sign.
    pub threshold: usize,
    /// The keys.
    pub keys: Vec<RootKey>,
}

/// One root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootKey {
    /// What people call it.
    pub id: String,
    /// The key as OpenSSH writes it: `ssh-ed25519 AAAA… comment`.
    pub key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RootKeysText {
    version: Option<u64>,
    threshold: usize,
    keys: Vec<RootKey>,
}

impl TryFrom<RootKeysText> for RootKeys {
    type Error = String;

    fn try_from(text: RootKeysText) -> Result<Self, String> {
        let RootKeysText { version, threshold, keys } = text;
        if version == Some(0) {
            return Err("version 0 is none, the first root is 1".to_owned());
        }
        if keys.len() > MOST_ROOT_KEYS {
            return Err(format!("{} root keys are more than {MOST_ROOT_KEYS}", keys.len()));
        }
        let ids: BTreeSet<_> = keys.iter().map(|key| key.id.as_str()).collect();
        // The comment of a key line is no part of the key.
        let materials: BTreeSet<_> =
            keys.iter().map(|it| it.key.split_whitespace().nth(1)).collect();
        if ids.len() != keys.len() || materials.len() != keys.len() {
            return Err("a root key, or the id of one, is given twice".to_owned());
        }
        if threshold == 0 || threshold > keys.len() {
            return Err(format!(
                "threshold {threshold} cannot be met, write a number from 1 to {}",
                keys.len()
            ));
        }
        Ok(Self { version: version.unwrap_or(1), threshold, keys })
    }
}
