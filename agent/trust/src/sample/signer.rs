//! Somebody with an Ed25519 key, and signatures of theirs, good or twisted.
//!
//! **Invariant:** the same seed is the same key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA512, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::armor;
use crate::ssh_key::SshKey;
use crate::wire::push_string;

/// Somebody with an Ed25519 key.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Self { pair }
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        push_string(&mut wire, b"ssh-ed25519");
        push_string(&mut wire, self.pair.public_key().as_ref());
        wire
    }

    pub(crate) fn line(&self) -> String {
        let letters = STANDARD.encode(self.wire());
        format!("ssh-ed25519 {letters}")
    }

    pub(crate) fn key(&self) -> SshKey {
        SshKey::from_wire(&self.wire()).unwrap()
    }

    pub(crate) fn sign(&self, namespace: &str, message: &[u8]) -> String {
        armor::put_on(&self.blob(namespace, message, &Twist::default()))
    }

    /// A signature in whose blob something else stands for the key, such as a certificate.
    pub(crate) fn sign_as(&self, wire: &[u8], namespace: &str, message: &[u8]) -> String {
        armor::put_on(&self.blob_as(wire, namespace, message, &Twist::default()))
    }

    /// The signature of these bytes as the wire has it.
    pub(crate) fn value(&self, signed: &[u8]) -> Vec<u8> {
        let mut value = Vec::new();
        push_string(&mut value, b"ssh-ed25519");
        push_string(&mut value, self.pair.sign(signed).as_ref());
        value
    }

    pub(crate) fn blob(&self, namespace: &str, message: &[u8], twist: &Twist) -> Vec<u8> {
        self.blob_as(&self.wire(), namespace, message, twist)
    }

    /// A bare signature, as hosts make them.
    pub(crate) fn bare(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// An SSHSIG blob, with one field or another twisted.
    fn blob_as(&self, wire: &[u8], namespace: &str, message: &[u8], twist: &Twist) -> Vec<u8> {
        let mut signed = b"SSHSIG".to_vec();
        push_string(&mut signed, namespace.as_bytes());
        push_string(&mut signed, twist.reserved);
        push_string(&mut signed, twist.hash);
        push_string(&mut signed, digest(&SHA512, message).as_ref());
        let mut value = self.value(&signed);
        value.extend_from_slice(twist.after_value);
        let mut blob = b"SSHSIG".to_vec();
        blob.extend_from_slice(&twist.version.to_be_bytes());
        push_string(&mut blob, wire);
        push_string(&mut blob, namespace.as_bytes());
        push_string(&mut blob, twist.reserved);
        push_string(&mut blob, twist.hash);
        push_string(&mut blob, &value);
        blob.extend_from_slice(twist.after_blob);
        blob
    }
}

/// What is wrong with a blob; by default nothing.
pub(crate) struct Twist {
    pub(crate) version: u32,
    pub(crate) reserved: &'static [u8],
    pub(crate) hash: &'static [u8],
    pub(crate) after_value: &'static [u8],
    pub(crate) after_blob: &'static [u8],
}

impl Default for Twist {
    fn default() -> Self {
        Self { version: 1, reserved: b"", hash: b"sha512", after_value: b"", after_blob: b"" }
    }
}
