//! A key of a policy as people know it: its kind, its fingerprint, and whether it counts.
//!
//! **Invariant:** a key that hosts cannot use counts for nothing here either.

use bowline_model::policy::{KeyEntry, KeyMaterial, Policy, Principal};
use bowline_trust::spki::SpkiKey;
use bowline_trust::ssh_key::SshKey;
use jiff::Timestamp;

/// The word that a policy has for a key's kind.
pub(super) fn kind(entry: &KeyEntry) -> &'static str {
    match entry.material {
        KeyMaterial::Ssh { .. } => "ssh",
        KeyMaterial::SshAuthority { .. } => "ssh-ca",
        KeyMaterial::OpenPgp { .. } => "openpgp",
        KeyMaterial::Spki { .. } => "spki",
    }
}

/// The key's fingerprint; `None` for a key that cannot be read.
pub(super) fn fingerprint(entry: &KeyEntry) -> Option<String> {
    match &entry.material {
        KeyMaterial::Ssh { line } | KeyMaterial::SshAuthority { line, .. } => {
            SshKey::from_line(line).ok().map(|it| it.fingerprint())
        }
        KeyMaterial::OpenPgp { fingerprint, .. } => Some(fingerprint.to_string()),
        KeyMaterial::Spki { pem } => SpkiKey::from_pem(pem).ok().map(|it| it.fingerprint()),
    }
}

/// A key in a few words: `ssh SHA256:…, until 2027-01-01T00:00:00Z`.
pub(super) fn shown(entry: &KeyEntry) -> String {
    let name = fingerprint(entry).unwrap_or_else(|| "of no use here".to_owned());
    format!("{} {name}{}", kind(entry), window(entry))
}

/// When a key counts; nothing where it always does.
pub(super) fn window(entry: &KeyEntry) -> String {
    let from = entry.not_before.map(|it| format!(", from {it}")).unwrap_or_default();
    let until = entry.not_after.map(|it| format!(", until {it}")).unwrap_or_default();
    from + &until
}

/// Whether a key can be used at an instant, as far as the policy says.
pub(super) fn counts(policy: &Policy, entry: &KeyEntry, at: Timestamp) -> bool {
    let is_revoked =
        |name: &String| policy.revoked.keys.iter().any(|it| it.as_str() == name.as_str());
    entry.counts_at(at) && fingerprint(entry).is_some_and(|it| !is_revoked(&it))
}

/// Whether a principal could sign a statement or an approval at an instant: with a plain key.
pub(super) fn can_attest(policy: &Policy, principal: &Principal, at: Timestamp) -> bool {
    let is_plain =
        |it: &&KeyEntry| matches!(it.material, KeyMaterial::Ssh { .. } | KeyMaterial::Spki { .. });
    principal.keys.iter().filter(is_plain).any(|it| counts(policy, it, at))
}

/// Whether a principal could sign a commit at an instant: a bare key signs none.
pub(super) fn can_commit(policy: &Policy, principal: &Principal, at: Timestamp) -> bool {
    let signs = |it: &&KeyEntry| !matches!(it.material, KeyMaterial::Spki { .. });
    principal.keys.iter().filter(signs).any(|it| counts(policy, it, at))
}
