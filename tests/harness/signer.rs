//! Ed25519 keys from fixed seeds, and SSH signatures by them.
//!
//! **Invariant:** the same seed makes the same bytes, so a failure can be repeated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// One key.
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    /// The key of a seed.
    pub fn new(seed: u8) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap() }
    }

    /// The public key as `ssh-ed25519 AAAA…`.
    pub fn line(&self) -> String {
        format!("ssh-ed25519 {}", STANDARD.encode(self.wire()))
    }

    /// An armoured SSH signature.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA512, message);
        let body = [string(namespace.as_bytes()), string(b""), string(b"sha512")];
        let signed = [b"SSHSIG".to_vec(), body.concat(), string(digest.as_ref())].concat();
        let signature = self.pair.sign(&signed);
        let signature = [string(b"ssh-ed25519"), string(signature.as_ref())].concat();
        let blob = [
            b"SSHSIG".to_vec(),
            1_u32.to_be_bytes().to_vec(),
            string(&self.wire()),
            body.concat(),
            string(&signature),
        ];
        bowline_trust::armor::put_on(&blob.concat())
    }

    fn wire(&self) -> Vec<u8> {
        [string(b"ssh-ed25519"), string(self.pair.public_key().as_ref())].concat()
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec(), bytes.to_vec()].concat()
}
