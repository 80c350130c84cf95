//! One public key of `OpenPGP`, version 4, and what it can verify.
//!
//! **Invariant:** all arithmetic is ring's; a value of the wrong form never reaches it.
//! **Invariant:** a digest that can be forged (MD5, SHA-1) verifies nothing, nor does RSA below 2,048 bits.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::packet::number;
use crate::bad_signature::BadSignature;

/// Object identifiers of the curves.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519_OID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

/// The key's own digest, as a name for it: SHA-1 over the key's packet.
pub type Fingerprint = [u8; 20];

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) fingerprint: Fingerprint,
    /// When it was made, in seconds since 1970, by its own word.
    pub(super) made: i64,
    algorithm: u8,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    P256 {
        point: Vec<u8>,
    },
    P384 {
        point: Vec<u8>,
    },
    Ed25519 {
        key: [u8; 32],
    },
    /// One that nobody here verifies with, such as a key to encrypt to.
    Other,
}

impl Key {
    /// The public key itself; nothing of a kind that is not verified here.
    pub(super) fn material(&self) -> Option<&[u8]> {
        match &self.material {
            Material::Rsa { n, .. } => Some(n),
            Material::P256 { point } | Material::P384 { point } => Some(point),
            Material::Ed25519 { key } => Some(key),
            Material::Other => None,
        }
    }

    /// Reads the body of a key's packet.
    pub(super) fn read(body: &[u8]) -> Result<Self, BadSignature> {
        let malformed = || BadSignature::Malformed("OpenPGP key is malformed".to_owned());
        let Some((&[version, a, b, c, d, algorithm], rest)) = body.split_first_chunk() else {
            return Err(malformed());
        };
        if version != 4 {
            let what = format!("OpenPGP key of version {version}");
            return Err(BadSignature::Unsupported(what));
        }
        let material = Material::read(algorithm, rest).ok_or_else(malformed)?;
        let hashed = [framed(0x99, body).ok_or_else(malformed)?].concat();
        let mut fingerprint = [0; 20];
        fingerprint.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, &hashed).as_ref());
        Ok(Self { fingerprint, made: u32::from_be_bytes([a, b, c, d]).into(), algorithm, material })
    }

    /// The last eight bytes of the fingerprint: enough to look for a key, never to name one.
    pub(super) fn id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        id.copy_from_slice(self.fingerprint.split_at(12).1);
        id
    }

    /// Checks the numbers of a signature over bytes, which the signature's own fields end.
    pub(super) fn verify(
        &self,
        (algorithm, hash): (u8, u8),
        signed: &[u8],
        mut numbers: &[u8],
    ) -> Result<(), BadSignature> {
        let malformed =
            || BadSignature::Malformed("OpenPGP signature value is malformed".to_owned());
        let unsupported = |what: String| Err(BadSignature::Unsupported(what));
        if algorithm != self.algorithm {
            return Err(BadSignature::Invalid("the signature is not of its key's kind".to_owned()));
        }
        let how = match hash {
            8 => &SHA256,
            9 => &SHA384,
            10 => &SHA512,
            1..=3 => return unsupported("a digest that can be forged (MD5, SHA-1)".to_owned()),
            other => return unsupported(format!("digest {other} of OpenPGP")),
        };
        let mut take = || number(&mut numbers).ok_or_else(malformed);
        let good = match &self.material {
            Material::Rsa { n, e } => {
                let value = padded(take()?, n.len()).ok_or_else(malformed)?;
                let how = match hash {
                    8 => &RSA_PKCS1_2048_8192_SHA256,
                    9 => &RSA_PKCS1_2048_8192_SHA384,
                    _ => &RSA_PKCS1_2048_8192_SHA512,
                };
                RsaPublicKeyComponents { n, e }.verify(how, signed, &value).is_ok()
            }
            Material::P256 { point } if hash == 8 => {
                let value = pair(take()?, take()?, 32).ok_or_else(malformed)?;
                fits(&ECDSA_P256_SHA256_FIXED, point, signed, &value)
            }
            Material::P384 { point } if hash == 9 => {
                let value = pair(take()?, take()?, 48).ok_or_else(malformed)?;
                fits(&ECDSA_P384_SHA384_FIXED, point, signed, &value)
            }
            Material::Ed25519 { key } => {
                let value = pair(take()?, take()?, 32).ok_or_else(malformed)?;
                fits(&ED25519, key, digest(how, signed).as_ref(), &value)
            }
            Material::P256 { .. } | Material::P384 { .. } => {
                return unsupported(format!("digest {hash} of OpenPGP with this curve"));
            }
            Material::Other => return unsupported(format!("OpenPGP key of kind {algorithm}")),
        };
        if !numbers.is_empty() {
            return Err(malformed());
        }
        if good { Ok(()) } else { Err(super::no_fit()) }
    }
}

impl Material {
    fn read(algorithm: u8, mut rest: &[u8]) -> Option<Self> {
        let material = match algorithm {
            1 | 3 => {
                let n = number(&mut rest)?.to_vec();
                Self::Rsa { n, e: number(&mut rest)?.to_vec() }
            }
            19 | 22 => {
                let (length, after) = rest.split_first()?;
                let (curve, after) = after.split_at_checked(usize::from(*length))?;
                rest = after;
                let point = number(&mut rest)?;
                match (algorithm, curve, point.first()) {
                    (19, P256, Some(4)) if point.len() == 65 => {
                        Self::P256 { point: point.to_vec() }
                    }
                    (19, P384, Some(4)) if point.len() == 97 => {
                        Self::P384 { point: point.to_vec() }
                    }
                    (22, ED25519_OID, Some(0x40)) => {
                        Self::Ed25519 { key: point.get(1..)?.try_into().ok()? }
                    }
                    _ => Self::Other,
                }
            }
            _ => return Some(Self::Other),
        };
        rest.is_empty().then_some(material)
    }
}

/// A key as signatures hash it: a mark, two bytes of length, the packet's body.
pub(super) fn framed(mark: u8, body: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(body.len()).ok()?.to_be_bytes();
    Some([&[mark, high, low], body].concat())
}

/// A number with the zeros before it that its form leaves out.
fn padded(number: &[u8], width: usize) -> Option<Vec<u8>> {
    let mut value = vec![0; width.checked_sub(number.len())?];
    value.extend_from_slice(number);
    Some(value)
}

fn pair(first: &[u8], second: &[u8], width: usize) -> Option<Vec<u8>> {
    Some([padded(first, width)?, padded(second, width)?].concat())
}

fn fits(how: &'static dyn VerificationAlgorithm, key: &[u8], signed: &[u8], value: &[u8]) -> bool {
    UnparsedPublicKey::new(how, key).verify(signed, value).is_ok()
}
