//! The root of trust on the host: `trust.yaml`, written by whoever owns the host.
//!
//! **Invariant:** a root that exists can be met: its threshold is at least one and no more than its
//! distinct keys.
//! **Invariant:** nothing a repository holds can change it.

mod root_keys;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::byte_size::ByteSize;
use crate::digest::Sha256;
use crate::duration::Span;
use crate::object_id::ObjectId;
use crate::read::{self, Faults};

pub use root_keys::{RootKey, RootKeys};

/// Longer than any forge's address or branch name; keeps them fit for one line of a report.
const LONGEST_NAME: usize = 1024;

/// A walk longer than this belongs behind a newer anchor.
const MOST_COMMITS: u32 = 1_000_000;

/// A filter over more envelopes than this would be a way to keep a host busy.
const MOST_ENVELOPES: u32 = 65_536;

/// Everything this host takes on trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustRoot {
    /// The form of this file.
    pub version: FormatVersion,
    /// Which repository and branch this host follows, as signed statements name them.
    pub repo: RepoIdentity,
    /// The commit where trust begins.
    pub anchor: Anchor,
    /// The keys that may change the policy.
    pub root: RootKeys,
    /// What the repository may never fall below.
    #[serde(default)]
    pub floors: Floors,
    /// How old the newest proof of freshness may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<HostFreshness>,
    /// How much of a repository's offering is looked at.
    #[serde(default)]
    pub limits: Limits,
}

impl TrustRoot {
    /// Reads the text of a trust file; `file` names it in errors.
    ///
    /// # Errors
    /// When the text is not YAML of this shape, or asks for what cannot be met.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Faults> {
        read::one(file, bytes)
    }
}

/// The one form of `trust.yaml` that this program reads: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct FormatVersion(u64);

impl FormatVersion {
    /// The form described here.
    pub const ONE: Self = Self(1);
}

impl TryFrom<u64> for FormatVersion {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        match version {
            1 => Ok(Self(1)),
            other => Err(format!("version {other} is not supported, write 1")),
        }
    }
}

/// The repository and branch that signed statements must name. Transport is another matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepoIdentity {
    /// The repository's name for itself.
    pub uri: RepoUri,
    /// The one ref that hosts follow.
    #[serde(rename = "ref")]
    pub ref_name: RefName,
}

/// A repository's name for itself, compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RepoUri(String);

/// The full name of a branch: `refs/heads/…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RefName(String);

impl TryFrom<String> for RepoUri {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // One name, one spelling: what cannot be seen cannot be compared by a reader.
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if plain && text.contains(':') && text.len() <= LONGEST_NAME {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not a repository URI (scheme:rest, printable ASCII)"))
        }
    }
}

impl TryFrom<String> for RefName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let branch = text.strip_prefix("refs/heads/").unwrap_or_default();
        let sound = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains("..");
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"~^:?*[\\".contains(&byte);
        if branch.bytes().all(plain) && branch.split('/').all(sound) && text.len() <= LONGEST_NAME {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not the full name of a branch, write refs/heads/NAME"))
        }
    }
}

impl RepoUri {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RefName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The commit where trust begins, pinned twice because SHA-1 alone no longer pins anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Anchor {
    /// Its object id.
    pub commit: ObjectId,
    /// SHA-256 of its raw bytes.
    pub commit_sha256: Sha256,
}

/// What the repository may never fall below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Floors {
    /// The lowest policy version that may authorise anything here.
    #[serde(default)]
    pub policy_version: u64,
    /// The newest commit must not be older than this, nor the host's clock be before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// How old the newest proof of freshness may be, and what to do beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostFreshness {
    /// The greatest age.
    pub max_age: Span,
    /// What a host does that has no proof of that age.
    pub on_stale: OnStale,
}

/// What a host does without fresh proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnStale {
    /// Goes on, and says so.
    Alarm,
    /// Takes no new revision.
    Hold,
}

/// How much of a repository's offering is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "LimitsText")]
pub struct Limits {
    /// The largest pack that a fetch may bring.
    pub pack_bytes: ByteSize,
    /// The most commits between two verified heads.
    pub commits_per_walk: u32,
    /// The largest envelope.
    pub envelope_bytes: ByteSize,
    /// The most envelopes for one revision.
    pub envelopes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pack_bytes: ByteSize::from_mib(256),
            commits_per_walk: 20_000,
            envelope_bytes: ByteSize::from_mib(1),
            envelopes: 512,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LimitsText {
    pack_bytes: Option<ByteSize>,
    commits_per_walk: Option<u32>,
    envelope_bytes: Option<ByteSize>,
    envelopes: Option<u32>,
}

impl TryFrom<LimitsText> for Limits {
    type Error = String;

    fn try_from(text: LimitsText) -> Result<Self, String> {
        let usual = Self::default();
        let limits = Self {
            pack_bytes: text.pack_bytes.unwrap_or(usual.pack_bytes),
            commits_per_walk: text.commits_per_walk.unwrap_or(usual.commits_per_walk),
            envelope_bytes: text.envelope_bytes.unwrap_or(usual.envelope_bytes),
            envelopes: text.envelopes.unwrap_or(usual.envelopes),
        };
        if limits.commits_per_walk > MOST_COMMITS || limits.envelopes > MOST_ENVELOPES {
            return Err(format!(
                "a limit limits nothing: commitsPerWalk may be {MOST_COMMITS}, envelopes {MOST_ENVELOPES}"
            ));
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests;
