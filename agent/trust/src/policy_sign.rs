//! What it takes to sign a policy: the bytes to sign, and the envelope made of signatures.
//!
//! Signing itself is done by whoever holds the keys:
//! `ssh-keygen -Y sign -n bowline-policy -f KEY < bytes`.
//!
//! **Invariant:** an envelope that is assembled here holds only signatures that verify.

use bowline_model::byte_size::ByteSize;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use thiserror::Error;

use crate::dsse::{self, BadEnvelope};
use crate::policy_change::POLICY_TYPE;
use crate::root_keys::{POLICY_NAMESPACE, signer_of_policy};
use crate::signature::BadSignature;
use crate::sshsig;

/// The size up to which an existing envelope is read for more signatures.
const LARGEST: ByteSize = ByteSize::from_mib(1);

/// An envelope that cannot be assembled.
#[derive(Debug, Error)]
pub enum CannotAssemble {
    /// A signature does not fit the policy.
    #[error("signature {place} does not fit the policy")]
    Signature {
        /// Which one, counted from 1.
        place: usize,
        /// Why.
        #[source]
        source: BadSignature,
    },
    /// The envelope at hand cannot be read.
    #[error("the envelope at hand cannot be read")]
    Envelope(#[source] BadEnvelope),
    /// The envelope at hand is of another policy, or of an earlier text of this one.
    #[error("the envelope at hand signs another text")]
    OtherText,
}

/// The bytes that a root key signs for a policy, in the namespace `bowline-policy`.
pub fn bytes_to_sign(policy: &[u8]) -> Vec<u8> {
    pae(POLICY_TYPE, policy)
}

/// Makes the envelope of a policy from armoured signatures, one for each key.
///
/// # Errors
/// When a signature does not fit the policy.
pub fn assemble(policy: &[u8], armored: &[String]) -> Result<Vec<u8>, CannotAssemble> {
    let envelope = Envelope {
        payload_type: POLICY_TYPE.to_owned(),
        payload: policy.to_vec(),
        signatures: Vec::new(),
    };
    add(envelope, armored)
}

/// Adds signatures to an envelope that others signed before. Those of them that do not fit the policy
/// as it is now are dropped.
///
/// # Errors
/// When the envelope cannot be read, or a new signature does not fit the policy.
pub fn extend(
    policy: &[u8],
    envelope: &[u8],
    armored: &[String],
) -> Result<Vec<u8>, CannotAssemble> {
    let mut envelope = dsse::read(envelope, LARGEST).map_err(CannotAssemble::Envelope)?;
    POLICY_TYPE.clone_into(&mut envelope.payload_type);
    envelope.payload = policy.to_vec();
    let pae = envelope.pae();
    envelope.signatures.retain(|it| signer_of_policy(it, &pae).is_some());
    add(envelope, armored)
}

/// The policy that an envelope signs, byte for byte.
///
/// # Errors
/// When the envelope cannot be read.
pub fn text_in(envelope: &[u8]) -> Result<Vec<u8>, CannotAssemble> {
    Ok(dsse::read(envelope, LARGEST).map_err(CannotAssemble::Envelope)?.payload)
}

/// The armoured signatures in an envelope that fit a policy, to be added to those in another one.
///
/// # Errors
/// When the envelope cannot be read, or signs another text.
pub fn signatures_in(policy: &[u8], envelope: &[u8]) -> Result<Vec<String>, CannotAssemble> {
    let envelope = dsse::read(envelope, LARGEST).map_err(CannotAssemble::Envelope)?;
    if envelope.payload != policy || envelope.payload_type != POLICY_TYPE {
        return Err(CannotAssemble::OtherText);
    }
    let pae = envelope.pae();
    let fitting = envelope.signatures.into_iter().filter(|it| signer_of_policy(it, &pae).is_some());
    Ok(fitting.filter_map(|it| String::from_utf8(it.sig).ok()).collect())
}

fn add(mut envelope: Envelope, armored: &[String]) -> Result<Vec<u8>, CannotAssemble> {
    let pae = envelope.pae();
    for (place, text) in armored.iter().enumerate() {
        let key = sshsig::verify_armored(text.as_bytes(), POLICY_NAMESPACE, &pae)
            .map_err(|source| CannotAssemble::Signature { place: place + 1, source })?;
        // A key that signs anew replaces what it signed before.
        envelope.signatures.retain(|it| signer_of_policy(it, &pae).as_ref() != Some(&key));
        envelope.signatures.push(EnvelopeSignature {
            key_id: Some(key.fingerprint()),
            sig: text.clone().into_bytes(),
        });
    }
    Ok(dsse::write(&envelope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Signer;

    const POLICY: &[u8] = b"version: 1\n";

    fn sign(seed: u8, policy: &[u8]) -> String {
        Signer::new(seed).sign(POLICY_NAMESPACE, &bytes_to_sign(policy))
    }

    fn key_ids(envelope: &[u8]) -> Vec<String> {
        let envelope = dsse::read(envelope, LARGEST).unwrap();
        envelope.signatures.into_iter().filter_map(|it| it.key_id).collect()
    }

    fn fingerprint(seed: u8) -> String {
        Signer::new(seed).key().fingerprint()
    }

    #[test]
    fn what_is_signed_is_the_policy_bound_to_its_type() {
        let expected = "DSSEv1 35 application/vnd.bowline.policy+yaml 11 version: 1\n";
        assert_eq!(bytes_to_sign(POLICY), expected.as_bytes());
    }

    #[test]
    fn each_key_stands_once_in_the_envelope() {
        let envelope =
            assemble(POLICY, &[sign(1, POLICY), sign(2, POLICY), sign(1, POLICY)]).unwrap();
        assert_eq!(key_ids(&envelope), [fingerprint(2), fingerprint(1)]);
    }

    #[test]
    fn a_signature_over_something_else_is_not_taken() {
        let elsewhere = Signer::new(1).sign("git", &bytes_to_sign(POLICY));
        let bare = Signer::new(1).sign(POLICY_NAMESPACE, POLICY);
        for bad in [sign(1, b"version: 2\n"), elsewhere, bare, String::new()] {
            let found = assemble(POLICY, &[sign(2, POLICY), bad]);
            assert!(matches!(found, Err(CannotAssemble::Signature { place: 2, .. })), "{found:?}");
        }
    }

    #[test]
    fn signatures_are_added_to_those_that_still_fit() {
        let first = assemble(POLICY, &[sign(1, POLICY)]).unwrap();
        let both = extend(POLICY, &first, &[sign(2, POLICY)]).unwrap();
        assert_eq!(key_ids(&both), [fingerprint(1), fingerprint(2)]);
        let next: &[u8] = b"version: 2\n";
        let anew = extend(next, &both, &[sign(2, next)]).unwrap();
        assert_eq!(key_ids(&anew), [fingerprint(2)]);
        assert!(extend(POLICY, b"{}", &[]).is_err());
    }
}
