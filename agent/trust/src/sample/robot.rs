//! Somebody with a bare Ed25519 key, who signs attestations.
//!
//! **Invariant:** the same seed is the same key, and never the key of a person with that seed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::Signer;
use crate::{attested, dsse};

/// What stands before an Ed25519 key in a PEM file.
const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Somebody with a bare key.
pub(crate) struct Robot {
    pair: Ed25519KeyPair,
}

impl Robot {
    pub(crate) fn new(seed: u8) -> Self {
        let mut bytes = [seed; 32];
        bytes[0] = 0xff;
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&bytes).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        robot_pem(self.pair.public_key().as_ref())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// A line of a note: a statement with this signature.
    pub(crate) fn attest(&self, statement: &str) -> Vec<u8> {
        let unsigned = attested::unsigned(statement.as_bytes());
        let sig = self.sign(&unsigned.pae());
        let signatures = vec![EnvelopeSignature { key_id: None, sig }];
        dsse::write(&Envelope { signatures, ..unsigned })
    }
}

/// The PEM file of an Ed25519 key, whoever has it.
pub(crate) fn robot_pem(key: &[u8]) -> String {
    let letters = STANDARD.encode([HEAD.as_slice(), key].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{letters}\n-----END PUBLIC KEY-----\n")
}

/// A line of a note: a statement signed by people with these seeds.
pub(crate) fn person_attests(seeds: &[u8], statement: &str) -> Vec<u8> {
    let unsigned = attested::unsigned(statement.as_bytes());
    let pae = unsigned.pae();
    let signed = seeds.iter().map(|seed| {
        let sig = Signer::new(*seed).sign(attested::APPROVAL_NAMESPACE, &pae).into_bytes();
        EnvelopeSignature { key_id: None, sig }
    });
    dsse::write(&Envelope { signatures: signed.collect(), ..unsigned })
}
