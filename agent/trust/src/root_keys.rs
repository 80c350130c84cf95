//! The root keys of the trust file, ready for use.
//!
//! **Invariant:** every root key was read, so a threshold counts over keys that can all be met.

use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::trust_root::TrustRoot;

use crate::dsse;
use crate::signer_key::SignerKey;
use crate::ssh_key::SshKey;
use crate::sshsig;
use crate::verdict::{Code, Refusal};

/// The namespace in which root keys sign policies.
pub const POLICY_NAMESPACE: &str = "bowline-policy";

/// The root keys and how many of them it takes.
#[derive(Debug)]
pub(crate) struct RootRing {
    keys: Vec<SshKey>,
    names: Vec<String>,
    threshold: usize,
}

impl RootRing {
    /// Reads the root keys of a trust file.
    pub(crate) fn of(root: &TrustRoot) -> Result<Self, Refusal> {
        let mut keys: Vec<SshKey> = Vec::new();
        let mut names = Vec::new();
        for it in &root.root.keys {
            let wrong = |what: String| {
                let detail = format!("root key {:?}: {what}", it.id);
                Refusal::of(Code::TrustFileMalformed, detail)
            };
            let key = SshKey::from_line(&it.key).map_err(|bad| wrong(bad.to_string()))?;
            if keys.contains(&key) {
                return Err(wrong("the same key stands there twice".to_owned()));
            }
            keys.push(key);
            names.push(it.id.clone());
        }
        Ok(Self { keys, names, threshold: root.root.threshold })
    }

    /// Whether a key is one of the root's.
    pub(crate) fn holds(&self, key: &SignerKey) -> bool {
        matches!(key, SignerKey::Ssh(key) if self.keys.contains(key))
    }

    /// Demands that enough distinct root keys signed a policy's envelope.
    pub(crate) fn demand_threshold(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let signers = dsse::signers(envelope, &self.keys, signer_of_policy);
        if signers.len() >= self.threshold {
            return Ok(());
        }
        let names = self.names.iter().enumerate();
        let signed: Vec<_> = names.filter(|(place, _)| signers.contains(place)).collect();
        let signed: Vec<_> = signed.into_iter().map(|(_, name)| name.as_str()).collect();
        Err(Refusal::of(
            Code::PolicyBelowThreshold,
            format!(
                "{} of {} needed root keys signed the policy: {}",
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
