//! The key that signs evidence: Ed25519 or P-256, in PKCS #8 as `openssl genpkey` writes it.
//!
//! **Invariant:** this is the only place where a private key is read, and it leaves it only as signatures.

use std::path::Path;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use crate::failure::{Failure, read_given};

/// A key has some hundred bytes; an RSA key, which is refused by name, some thousand.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// What stands before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410).
const ED25519_SPKI: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What stands before the 65 bytes of a P-256 point in a `SubjectPublicKeyInfo` (RFC 5480).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// How to make a key that can be used.
const HOW: &str = "make a key: openssl genpkey -algorithm ed25519 -out FILE";

/// A key that signs.
pub(crate) struct SigningKey {
    pair: Pair,
    spki: Vec<u8>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads a key file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let bytes = read_given(file, "key file", KEY_BYTES_MAX)?;
        let refuse = |(why, hint): (String, &str)| {
            Failure::usage(anyhow!("{why}"))
                .of(format!("the key {} cannot sign", file.display()))
                .hint(hint)
        };
        let der = der_of(&bytes).map_err(refuse)?;
        Self::from_pkcs8(&der).ok_or_else(|| {
            refuse(("it is neither an Ed25519 key nor one on the curve P-256".to_owned(), HOW))
        })
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let spki = [&ED25519_SPKI[..], pair.public_key().as_ref()].concat();
            return Some(Self { pair: Pair::Ed25519(pair), spki });
        }
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new()).ok()?;
        let spki = [&P256_SPKI[..], pair.public_key().as_ref()].concat();
        Some(Self { pair: Pair::P256(pair), spki })
    }

    /// The public half, as `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// `SHA256:` and the digest of the public half, as OpenSSH shows digests.
    pub(crate) fn id(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::of(&self.spki).as_bytes()))
    }

    /// Signs a payload of a type.
    pub(crate) fn sign(&self, payload_type: &str, payload: Vec<u8>) -> Result<Envelope, Failure> {
        let message = pae(payload_type, &payload);
        let sig = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(&message).as_ref().to_vec(),
            Pair::P256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), &message);
                let failed = |_| Failure::failed(anyhow!("the system gives no random numbers"));
                signed.map_err(failed)?.as_ref().to_vec()
            }
        };
        let signature = EnvelopeSignature { key_id: Some(self.id()), sig };
        Ok(Envelope { payload_type: payload_type.to_owned(), payload, signatures: vec![signature] })
    }
}

/// The PKCS #8 inside a PEM file; else why it holds none, and what to do.
fn der_of(bytes: &[u8]) -> Result<Vec<u8>, (String, &'static str)> {
    let text = str::from_utf8(bytes).map_err(|_| ("it is not PEM".to_owned(), HOW))?;
    let (label, body) = block_of(text).ok_or_else(|| ("it is not PEM".to_owned(), HOW))?;
    match label {
        "PRIVATE KEY" => {
            let letters: String = body.split_ascii_whitespace().collect();
            STANDARD.decode(letters).map_err(|_| ("its PEM is damaged".to_owned(), HOW))
        }
        "ENCRYPTED PRIVATE KEY" => Err((
            "it is protected by a passphrase, which nobody can type in CI".to_owned(),
            "store it without one where only this job can read it: openssl pkey -in FILE -out PLAIN",
        )),
        "EC PRIVATE KEY" | "EC PARAMETERS" => Err((
            "it is not in PKCS #8".to_owned(),
            "change its form: openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW",
        )),
        other => Err((format!("it holds {other:?}, not a private key in PKCS #8"), HOW)),
    }
}

/// Label and body of the first block.
fn block_of(text: &str) -> Option<(&str, &str)> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (label, after) = after.split_once("-----")?;
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    Some((label, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_trust::spki::SpkiKey;

    /// Made by `openssl genpkey`, for these tests only.
    const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEID5HP4Gr+vOzRCBgHpEiV3cG6+V6kVC4K+pJXixW0o2P\n-----END PRIVATE KEY-----\n";

    /// Made by `openssl genpkey`, for these tests only.
    const P256_PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXfxcT4/Q4g0sB3jD\nR6dt0mbCJGSGnDMsXUedQaSwL1ahRANCAASREb3nJuW4PJnmZNHqnYJBMrqxVeu0\nPI/m0GTB+MxQQP48WCEVAdPbG/GjZy2GGrOyG/HNjsRpYaxem3oaLnFJ\n-----END PRIVATE KEY-----\n";

    fn key(pem: &str) -> SigningKey {
        SigningKey::from_pkcs8(&der_of(pem.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn both_kinds_of_keys_sign_what_the_public_half_verifies() {
        for (pem, id) in [
            (ED25519_PEM, "SHA256:XlSpDaPbPPsfMGYPLEUOv9lvn3SrwDsfWQ2qreGS7pg"),
            (P256_PEM, "SHA256:02Xk65sM/EXh7kVnmqalJsD6bekszNUKBf5qKn/f+JM"),
        ] {
            let key = key(pem);
            let signed = key.sign("t", b"payload".to_vec()).unwrap();
            let [signature] = &signed.signatures[..] else { panic!("{signed:?}") };
            assert_eq!(signature.key_id.as_deref(), Some(id));
            assert_eq!(key.id(), id);
            let letters = STANDARD.encode(key.spki());
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{letters}\n-----END PUBLIC KEY-----\n");
            let public = SpkiKey::from_pem(&pem).unwrap();
            assert!(public.made(&signature.sig, &signed.pae()));
            assert_eq!(public.fingerprint(), id);
        }
    }

    #[test]
    fn a_version_2_key_of_rings_own_is_read() {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        assert!(SigningKey::from_pkcs8(made.as_ref()).is_some());
    }

    #[test]
    fn what_cannot_sign_is_refused_with_what_to_do() {
        let label = |it: &str| ED25519_PEM.replace("PRIVATE KEY", it);
        for (text, part) in [
            (label("ENCRYPTED PRIVATE KEY"), "passphrase"),
            (label("EC PRIVATE KEY"), "not in PKCS #8"),
            (label("EC PARAMETERS"), "not in PKCS #8"),
            (label("OPENSSH PRIVATE KEY"), "\"OPENSSH PRIVATE KEY\""),
            (label("PUBLIC KEY"), "\"PUBLIC KEY\""),
            (ED25519_PEM.replace('M', "*"), "damaged"),
            (ED25519_PEM.replace("END", "FIN"), "not PEM"),
            (String::new(), "not PEM"),
        ] {
            let (why, hint) = der_of(text.as_bytes()).unwrap_err();
            assert!(why.contains(part) && hint.contains("openssl"), "{text}: {why}");
        }
        let rsa_like = [0x30, 0x03, 0x02, 0x01, 0x00];
        assert!(SigningKey::from_pkcs8(&rsa_like).is_none());
    }
}
