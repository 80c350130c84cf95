//! The roll of a policy: which key speaks for whom.
//!
//! **Invariant:** a key speaks for one principal. Two people behind one key could not be told apart.

use std::collections::BTreeMap;

use bowline_model::policy::{Fingerprint, KeyEntry, KeyMaterial, Kind, Policy};
use jiff::Timestamp;

use crate::spki::SpkiKey;
use crate::ssh_key::{BadKey, SshKey};

/// Who holds a key, and when it counts.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) principal: String,
    pub(crate) kind: Kind,
    entry: KeyEntry,
}

impl Holder {
    /// Whether the key counts at an instant.
    pub(crate) fn counts_at(&self, instant: Timestamp) -> bool {
        self.entry.counts_at(instant)
    }
}

/// All usable keys of a policy.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    holders: BTreeMap<Vec<u8>, Holder>,
    /// Bare keys, which sign attestations and never commits.
    bare: BTreeMap<SpkiKey, Holder>,
    /// Every key of either kind, by fingerprint.
    prints: BTreeMap<String, Holder>,
    /// Keys that the policy names and nobody here can use.
    pub(crate) warnings: Vec<String>,
}

impl Roll {
    /// Reads every key of a policy.
    pub(crate) fn of(policy: &Policy) -> Result<Self, String> {
        let mut roll = Self::default();
        for (name, principal) in &policy.principals {
            for entry in &principal.keys {
                roll.add(name, principal.kind, entry)?;
            }
        }
        Ok(roll)
    }

    fn add(&mut self, name: &str, kind: Kind, entry: &KeyEntry) -> Result<(), String> {
        let holder = Holder { principal: name.to_owned(), kind, entry: entry.clone() };
        let known = match &entry.material {
            KeyMaterial::Ssh { line } => match self.usable(name, SshKey::from_line(line))? {
                Some(key) => {
                    self.prints.insert(key.fingerprint(), holder.clone());
                    self.holders.insert(key.as_wire().to_vec(), holder)
                }
                None => None,
            },
            KeyMaterial::Spki { pem } => match self.usable(name, SpkiKey::from_pem(pem))? {
                Some(key) => {
                    self.prints.insert(key.fingerprint(), holder.clone());
                    self.bare.insert(key, holder)
                }
                None => None,
            },
            // They sign commits, which this roll cannot judge yet.
            KeyMaterial::OpenPgp { .. } => None,
        };
        match known {
            Some(other) => {
                Err(format!("one key stands twice, with {:?} and with {name:?}", other.principal))
            }
            None => Ok(()),
        }
    }

    /// A key that was read; one of a kind that is not verified here is of no use, and said to be.
    fn usable<K>(&mut self, name: &str, key: Result<K, BadKey>) -> Result<Option<K>, String> {
        match key {
            Ok(key) => Ok(Some(key)),
            Err(BadKey::Unsupported(what)) => {
                let warning =
                    format!("a key of principal {name:?} is of no use: {what} is not supported");
                self.warnings.push(warning);
                Ok(None)
            }
            Err(bad) => Err(format!("principal {name:?}: {bad}")),
        }
    }

    /// All bare keys and who holds them.
    pub(crate) fn bare_keys(&self) -> impl Iterator<Item = (&SpkiKey, &Holder)> {
        self.bare.iter()
    }

    /// Who holds the key of a fingerprint.
    pub(crate) fn by_fingerprint(&self, fingerprint: &str) -> Option<&Holder> {
        self.prints.get(fingerprint)
    }

    /// Who holds a key.
    pub(crate) fn holder(&self, key: &SshKey) -> Option<&Holder> {
        self.holders.get(key.as_wire())
    }
}

/// Whether a policy revokes a key.
pub(crate) fn revokes(policy: &Policy, fingerprint: &str) -> bool {
    policy.revoked.keys.iter().map(Fingerprint::as_str).any(|it| it == fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Law, Signer};

    fn roll_of(yaml: &str) -> Result<Roll, String> {
        Roll::of(&Policy::parse("policy.yaml", yaml.as_bytes()).unwrap())
    }

    #[test]
    fn every_key_leads_to_its_principal() {
        let roll = roll_of(&Law::default().yaml()).unwrap();
        let name = |seed| roll.holder(&Signer::new(seed).key()).map(|it| it.principal.clone());
        assert_eq!(name(2).as_deref(), Some("bob"));
        assert_eq!(name(9), None);
    }

    #[test]
    fn a_key_of_an_unsupported_kind_is_a_warning_and_a_broken_one_an_error() {
        let yaml = Law::default().yaml();
        let carol = Signer::new(3).line();
        let roll = roll_of(&yaml.replace(&carol, "ssh-dss AAAAB3NzaC1kc3M=")).unwrap();
        assert_eq!(roll.warnings.len(), 1, "{:?}", roll.warnings);
        assert!(roll_of(&yaml.replace(&carol, "ssh-ed25519 AAAA")).is_err());
        assert!(roll_of(&yaml.replace(&carol, &Signer::new(1).line())).is_err());
    }
}
