//! Bare public keys, as `openssl pkey -pubout` writes them: what machines sign attestations with.
//!
//! **Invariant:** a key has one encoding, so keys are compared by their bytes; another encoding of the
//! same key is malformed.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::ssh_key::BadKey;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A key of a curve has a hundred bytes; an RSA key of 16384 bits has two thousand.
const LARGEST: usize = 8 << 10;

/// What stands before the key itself, for each kind; DER leaves no choice in it.
const ED25519_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_HEAD: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];

/// A bare public key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpkiKey {
    der: Vec<u8>,
    curve: Curve,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Curve {
    Ed25519,
    P256,
    P384,
}

impl Curve {
    /// What stands before the key, how long the key is, and the ways to write a signature.
    fn shape(self) -> (&'static [u8], usize, [&'static dyn VerificationAlgorithm; 2]) {
        match self {
            Self::Ed25519 => (&ED25519_HEAD, 32, [&ED25519, &ED25519]),
            // DER is what cosign writes, the fixed form is in DSSE's own example.
            Self::P256 => (&P256_HEAD, 65, [&ECDSA_P256_SHA256_ASN1, &ECDSA_P256_SHA256_FIXED]),
            Self::P384 => (&P384_HEAD, 97, [&ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA384_FIXED]),
        }
    }
}

impl SpkiKey {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it is no single public key, or one of a kind that is not verified here.
    pub fn from_pem(text: &str) -> Result<Self, BadKey> {
        let malformed = || BadKey::Malformed("PEM public key".to_owned());
        if text.len() > LARGEST {
            return Err(malformed());
        }
        let body = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let letters: String = body.ok_or_else(malformed)?.split_ascii_whitespace().collect();
        let der = STANDARD.decode(letters).map_err(|_bad| malformed())?;
        Self::from_der(der)
    }

    fn from_der(der: Vec<u8>) -> Result<Self, BadKey> {
        for curve in [Curve::Ed25519, Curve::P256, Curve::P384] {
            let (head, length, _) = curve.shape();
            let Some(key) = der.strip_prefix(head) else { continue };
            // A point may also be written shorter; one encoding is enough for everybody.
            let is_whole = curve == Curve::Ed25519 || key.first() == Some(&4);
            return if key.len() == length && is_whole {
                Ok(Self { der, curve })
            } else {
                Err(BadKey::Malformed("PEM public key".to_owned()))
            };
        }
        Err(BadKey::Unsupported("a public key other than Ed25519, P-256 and P-384".to_owned()))
    }

    /// The public key itself, without what stands before it.
    pub(crate) fn material(&self) -> &[u8] {
        let (head, _, _) = self.curve.shape();
        self.der.get(head.len()..).unwrap_or_default()
    }

    /// `SHA256:` and the digest of the DER encoding, as fingerprints of SSH keys are written.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &self.der)))
    }

    /// The hash that its signatures are over; `None` where the key's own way has one.
    pub fn hash(&self) -> Option<&'static str> {
        match self.curve {
            Curve::Ed25519 => None,
            Curve::P256 => Some("sha256"),
            Curve::P384 => Some("sha384"),
        }
    }

    /// Whether this key made a signature over a message.
    pub fn made(&self, signature: &[u8], message: &[u8]) -> bool {
        let (_, _, ways) = self.curve.shape();
        let key = self.material();
        ways.into_iter()
            .any(|way| UnparsedPublicKey::new(way, key).verify(message, signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Robot;

    fn pem(der: &[u8]) -> String {
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    #[test]
    fn a_key_verifies_what_it_signed_and_nothing_else() {
        let robot = Robot::new(7);
        let key = SpkiKey::from_pem(&robot.pem()).unwrap();
        let signature = robot.sign(b"message");
        assert!(key.made(&signature, b"message"));
        assert!(!key.made(&signature, b"massage"));
        assert!(!key.made(&signature[1..], b"message"));
        assert!(!SpkiKey::from_pem(&Robot::new(8).pem()).unwrap().made(&signature, b"message"));
    }

    #[test]
    fn other_encodings_are_no_keys() {
        let good = SpkiKey::from_pem(&Robot::new(7).pem()).unwrap().der;
        let mut longer = good.clone();
        longer.push(0);
        let mut compressed = P256_HEAD.to_vec();
        compressed.extend_from_slice(&[2; 65]);
        for bad in [&good[..43], &longer, &compressed] {
            let found = SpkiKey::from_pem(&pem(bad));
            assert!(matches!(found, Err(BadKey::Malformed(_))), "{found:?}");
        }
        let rsa = SpkiKey::from_pem(&pem(&[0x30, 0x82, 1, 2]));
        assert!(matches!(rsa, Err(BadKey::Unsupported(_))), "{rsa:?}");
        let good = pem(&good);
        for text in [&good[1..], &format!("{good}{good}"), &good.replace("PUBLIC", "PRIVATE"), ""] {
            assert!(SpkiKey::from_pem(text).is_err(), "{text}");
        }
    }
}
