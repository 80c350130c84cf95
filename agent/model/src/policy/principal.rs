//! Principals: who can sign, and with which keys.
//!
//! **Invariant:** a key belongs to one principal's entry and has one window of validity, from
//! `notBefore` up to, and not including, `notAfter`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// More keys than one person, robot or forge uses at a time.
const MOST_KEYS: usize = 32;

/// As many names as an authority gives one person.
const MOST_NAMES: usize = 32;

/// A mail address fits.
const LONGEST_NAME: usize = 256;

/// Longer than an armoured `OpenPGP` key with many certifications.
const LONGEST_KEY: usize = 128 << 10;

/// Somebody who can sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "PrincipalText")]
pub struct Principal {
    /// What sort of somebody.
    pub kind: Kind,
    /// The keys; any one of them speaks for the principal.
    pub keys: Vec<KeyEntry>,
}

/// What sort of somebody a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A person. Only a person's signature on a merge is an approval.
    Human,
    /// A hosting service that signs what its users do in the browser.
    Forge,
    /// A program.
    Robot,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Forge => "forge",
            Self::Robot => "robot",
        })
    }
}

/// One key and when it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "KeyText", into = "KeyText")]
pub struct KeyEntry {
    /// The key.
    pub material: KeyMaterial,
    /// The first instant at which it counts.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it counts no more.
    pub not_after: Option<Timestamp>,
}

impl KeyEntry {
    /// Whether the key counts at an instant.
    pub fn counts_at(&self, instant: Timestamp) -> bool {
        self.not_before.is_none_or(|first| first <= instant)
            && self.not_after.is_none_or(|end| instant < end)
    }
}

/// A public key, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// A line as OpenSSH writes it.
    Ssh {
        /// `ssh-ed25519 AAAA… comment`.
        line: String,
    },
    /// The key of an SSH certificate authority, which vouches for whoever holds a certificate.
    SshAuthority {
        /// `ssh-ed25519 AAAA… comment`.
        line: String,
        /// The names in certificates that mean this principal, each as it is written there.
        names: Vec<String>,
    },
    /// An `OpenPGP` key.
    OpenPgp {
        /// The whole fingerprint of the primary key; 64-bit key ids collide.
        fingerprint: Fingerprint,
        /// The armoured key.
        text: String,
    },
    /// A bare public key.
    Spki {
        /// PEM.
        pem: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrincipalText {
    kind: Kind,
    keys: Vec<KeyEntry>,
}

impl TryFrom<PrincipalText> for Principal {
    type Error = String;

    fn try_from(text: PrincipalText) -> Result<Self, String> {
        let PrincipalText { kind, keys } = text;
        if keys.is_empty() || keys.len() > MOST_KEYS {
            return Err(format!("{} keys, write 1 to {MOST_KEYS}", keys.len()));
        }
        Ok(Self { kind, keys })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyText {
    #[serde(rename = "type")]
    kind: KeyKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Fingerprint>,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principals: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_after: Option<Timestamp>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyKind {
    #[serde(alias = "openssh-line")]
    Ssh,
    #[serde(rename = "ssh-ca")]
    SshAuthority,
    OpenPgp,
    Spki,
}

impl TryFrom<KeyText> for KeyEntry {
    type Error = String;

    fn try_from(text: KeyText) -> Result<Self, String> {
        if text.key.trim().is_empty() || text.key.len() > LONGEST_KEY {
            return Err(format!("key is empty or longer than {LONGEST_KEY} bytes"));
        }
        if let (Some(first), Some(end)) = (text.not_before, text.not_after)
            && first >= end
        {
            return Err(format!("notBefore {first} is not before notAfter {end}"));
        }
        let material = match (text.kind, text.fingerprint, text.principals) {
            (KeyKind::Ssh, None, None) => KeyMaterial::Ssh { line: text.key },
            (KeyKind::Spki, None, None) => KeyMaterial::Spki { pem: text.key },
            (KeyKind::OpenPgp, Some(fingerprint), None) => {
                KeyMaterial::OpenPgp { fingerprint, text: text.key }
            }
            (KeyKind::SshAuthority, None, Some(names)) => {
                KeyMaterial::SshAuthority { line: text.key, names: read_names(names)? }
            }
            (KeyKind::OpenPgp, None, _) => {
                return Err("an openpgp key needs its fingerprint".to_owned());
            }
            (KeyKind::SshAuthority, _, None) => {
                return Err(
                    "an ssh-ca key needs principals, the names in its certificates".to_owned()
                );
            }
            (_, Some(_), _) => return Err("only an openpgp key takes a fingerprint".to_owned()),
            (_, _, Some(_)) => return Err("only an ssh-ca key takes principals".to_owned()),
        };
        Ok(Self { material, not_before: text.not_before, not_after: text.not_after })
    }
}

/// Names are compared as they are; a pattern would be read as one by people, and match nothing.
fn read_names(names: Vec<String>) -> Result<Vec<String>, String> {
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(format!("{} principals, write 1 to {MOST_NAMES}", names.len()));
    }
    let plain = |it: char| it.is_ascii_alphanumeric() || "@._+-:/".contains(it);
    let is_plain = |it: &&String| (1..=LONGEST_NAME).contains(&it.len()) && it.chars().all(plain);
    match names.iter().find(|it| !is_plain(it)) {
        Some(bad) => Err(format!("principal {bad:?} of a certificate is no plain name")),
        None => Ok(names),
    }
}

impl From<KeyEntry> for KeyText {
    fn from(entry: KeyEntry) -> Self {
        let (kind, fingerprint, principals, key) = match entry.material {
            KeyMaterial::Ssh { line } => (KeyKind::Ssh, None, None, line),
            KeyMaterial::SshAuthority { line, names } => {
                (KeyKind::SshAuthority, None, Some(names), line)
            }
            KeyMaterial::OpenPgp { fingerprint, text } => {
                (KeyKind::OpenPgp, Some(fingerprint), None, text)
            }
            KeyMaterial::Spki { pem } => (KeyKind::Spki, None, None, pem),
        };
        let KeyEntry { not_before, not_after, .. } = entry;
        Self { kind, fingerprint, key, principals, not_before, not_after }
    }
}

/// A key's fingerprint: `SHA256:…` as OpenSSH shows it, or 40 or 64 upper-case hex digits as `OpenPGP`
/// does. A shape is demanded because a misspelt revocation would silently revoke nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let ssh = text.strip_prefix("SHA256:").is_some_and(|rest| {
            // 32 bytes are 43 letters once the padding is left off.
            rest.len() == 43 && rest.bytes().all(base64)
        });
        let digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        let openpgp = matches!(text.len(), 40 | 64) && text.bytes().all(digit);
        if ssh || openpgp {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is not a fingerprint (SHA256:… of an SSH key, or 40 or 64 upper-case hex digits)"
            ))
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
