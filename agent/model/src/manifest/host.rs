//! Kind Host: a host that may take part, approved by merge.
//!
//! **Invariant:** a host is known by its key, not by what it says of itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compose::{Written, Wrongs};
use crate::name::{Key, Label, Name};
use crate::word::word;

/// Length of a SHA-256 digest in base64 without padding.
const BASE64_LENGTH: usize = 43;

word!(
    /// The fingerprint of a host's key, as `ssh-keygen -l` shows it.
    KeyFingerprint,
    "a fingerprint such as SHA256: and 43 base64 characters",
    "^SHA256:[A-Za-z0-9+/]{43}$",
    |text| {
        let Some(digest) = text.strip_prefix("SHA256:") else {
            return Err("does not begin with SHA256:");
        };
        let within = |it: u8| it.is_ascii_alphanumeric() || it == b'+' || it == b'/';
        let good = digest.len() == BASE64_LENGTH && digest.bytes().all(within);
        good.then_some(()).ok_or("is not 43 base64 characters long")
    }
);

/// A host that may take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct HostSpec {
    /// Fingerprint of the host's key, as `ssh-keygen -l` shows it.
    pub key_fingerprint: KeyFingerprint,
    /// The environment it belongs to; gates name environments.
    pub environment: Name,
    /// Labels that targets select by.
    #[serde(default)]
    pub labels: BTreeMap<Key, Label>,
}

impl Written for HostSpec {
    type Spec = Self;

    fn resolve(self, _: &mut Wrongs) -> Option<Self> {
        Some(self)
    }
}
