//! The keys of one root, ready for use.
//!
//! **Invariant:** every root key was read, so a threshold counts over keys that can all be met.

use std::collections::BTreeSet;

use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::trust_root::RootKey;

use crate::dsse;
use crate::signer_key::SignerKey;
use crate::ssh_key::SshKey;
use crate::sshsig;
use crate::verdict::{Code, Refusal};

/// The namespace in which root keys sign policies.
pub const POLICY_NAMESPACE: &str = "bowline-policy";

/// The namespace in which root keys sign everything else: new roots, adoptions and checkpoints.
pub const ROOT_NAMESPACE: &str = "bowline-root";

/// The keys of a root and how many of them it takes.
#[derive(Debug)]
pub(crate) struct RootRing {
    keys: Vec<SshKey>,
    names: Vec<String>,
    threshold: usize,
}

impl RootRing {
    /// Reads root keys; says which one cannot be used.
    pub(crate) fn of(keys: &[RootKey], threshold: usize) -> Result<Self, String> {
        let mut ring = Self { keys: Vec::new(), names: Vec::new(), threshold };
        for it in keys {
            let wrong = |what: String| format!("root key {:?}: {what}", it.id);
            let key = SshKey::from_line(&it.key).map_err(|bad| wrong(bad.to_string()))?;
            if ring.keys.contains(&key) {
                return Err(wrong("the same key stands there twice".to_owned()));
            }
            ring.keys.push(key);
            ring.names.push(it.id.clone());
        }
        Ok(ring)
    }

    /// Whether a key is one of the root's.
    pub(crate) fn holds(&self, key: &SignerKey) -> bool {
        matches!(key, SignerKey::Ssh(key) if self.keys.contains(key))
    }

    /// Whether another ring takes as many of the same keys, whatever people call them.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.threshold == other.threshold
            && self.keys.len() == other.keys.len()
            && self.keys.iter().all(|it| other.keys.contains(it))
    }

    /// The names of keys that signed an envelope in `bowline-root`, where they are enough.
    pub(crate) fn met_by(&self, envelope: &Envelope) -> Option<Vec<String>> {
        let signers = self.signers(envelope, ROOT_NAMESPACE);
        let names: Vec<_> = signers.iter().filter_map(|it| self.names.get(*it).cloned()).collect();
        (names.len() >= self.threshold).then_some(names)
    }

    /// The distinct keys of this root that signed an envelope in a namespace. A signature names its key, and
    /// one by nobody known is not worth verifying.
    pub(crate) fn signers(&self, envelope: &Envelope, namespace: &str) -> BTreeSet<usize> {
        dsse::signers(envelope, &self.keys, |it: &EnvelopeSignature, pae: &[u8]| {
            let claimed = sshsig::claimed_key(&it.sig)?;
            self.keys.contains(&claimed).then_some(())?;
            sshsig::verify_armored(&it.sig, namespace, pae).ok()
        })
    }

    /// How many of its keys it takes.
    pub(crate) fn threshold(&self) -> usize {
        self.threshold
    }

    /// The names of its keys: those that signed an envelope in a namespace, and the others.
    pub(crate) fn parted(
        &self,
        envelope: Option<&Envelope>,
        namespace: &str,
    ) -> (Vec<String>, Vec<String>) {
        let signers = envelope.map(|it| self.signers(it, namespace)).unwrap_or_default();
        let (signed, missing): (Vec<_>, Vec<_>) =
            self.names.iter().enumerate().partition(|(place, _)| signers.contains(place));
        let names =
            |it: Vec<(usize, &String)>| it.into_iter().map(|(_, name)| name.clone()).collect();
        (names(signed), names(missing))
    }

    /// Demands that enough distinct root keys signed an envelope; `what` it is, for people.
    pub(crate) fn demand_threshold(
        &self,
        envelope: &Envelope,
        namespace: &str,
        (code, what): (Code, &str),
    ) -> Result<(), Refusal> {
        let signers = self.signers(envelope, namespace);
        if signers.len() >= self.threshold {
            return Ok(());
        }
        let names = self.names.iter().enumerate();
        let signed: Vec<_> = names.filter(|(place, _)| signers.contains(place)).collect();
        let signed: Vec<_> = signed.into_iter().map(|(_, name)| name.as_str()).collect();
        Err(Refusal::of(
            code,
            format!(
                "{} of {} needed root keys signed {what}: {}",
                signers.len(),
                self.threshold,
                if signed.is_empty() { "none".to_owned() } else { signed.join(", ") }
            ),
        ))
    }
}

/// The key that made one signature of a policy's envelope.
pub(crate) fn signer_of_policy(signature: &EnvelopeSignature, pae: &[u8]) -> Option<SshKey> {
    sshsig::verify_armored(&signature.sig, POLICY_NAMESPACE, pae).ok()
}
