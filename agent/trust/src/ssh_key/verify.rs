//! What a key can verify.
//!
//! **Invariant:** all arithmetic is ring's; a value of the wrong form never reaches it.
//! **Invariant:** a key signs by its own algorithms only, so none is weaker than the key says.

use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Kind, SshKey};
use crate::signature::BadSignature;
use crate::wire::Reader;

/// The flag that says: somebody touched the security key.
const USER_PRESENT: u8 = 1;

impl SshKey {
    /// Whether the key made a bare Ed25519 signature, as hosts write them: 64 bytes without a name. Other keys make none.
    pub(crate) fn made_bare(&self, signature: &[u8], signed: &[u8]) -> bool {
        matches!(&self.kind, Kind::Ed25519 { key } if fits(&ED25519, key, signed, signature))
    }

    /// Checks a signature's wire encoding against the bytes it is said to cover.
    pub(crate) fn verify(&self, signature: &[u8], signed: &[u8]) -> Result<(), BadSignature> {
        let mut reader = Reader::new(signature);
        let malformed = || BadSignature::Malformed("signature value is malformed".to_owned());
        let algorithm = reader.string().ok_or_else(malformed)?;
        self.kind.check_algorithm(algorithm)?;
        let value = reader.string().ok_or_else(malformed)?;
        let touch = match self.kind {
            Kind::SkEd25519 { .. } | Kind::SkP256 { .. } => {
                Some((reader.byte().ok_or_else(malformed)?, reader.u32().ok_or_else(malformed)?))
            }
            _ => None,
        };
        reader.end().ok_or_else(malformed)?;
        let good = match (&self.kind, touch) {
            (Kind::Ed25519 { key }, _) => fits(&ED25519, key, signed, value),
            (Kind::P256 { point }, _) => {
                let value = fixed::<32>(value).ok_or_else(malformed)?;
                fits(&ECDSA_P256_SHA256_FIXED, point, signed, &value)
            }
            (Kind::P384 { point }, _) => {
                let value = fixed::<48>(value).ok_or_else(malformed)?;
                fits(&ECDSA_P384_SHA384_FIXED, point, signed, &value)
            }
            (Kind::Rsa { n, e }, _) => rsa_fits(n, e, algorithm, signed, value),
            (Kind::SkEd25519 { key, application }, Some(touch)) => {
                let signed = touched(application, touch, signed)?;
                fits(&ED25519, key, &signed, value)
            }
            (Kind::SkP256 { point, application }, Some(touch)) => {
                let signed = touched(application, touch, signed)?;
                let value = fixed::<32>(value).ok_or_else(malformed)?;
                fits(&ECDSA_P256_SHA256_FIXED, point, &signed, &value)
            }
            (Kind::SkEd25519 { .. } | Kind::SkP256 { .. }, None) => false,
        };
        if good {
            Ok(())
        } else {
            Err(BadSignature::Invalid("the signature does not verify".to_owned()))
        }
    }
}

impl Kind {
    /// A key signs by its own algorithm only; for RSA that leaves out SHA-1.
    fn check_algorithm(&self, algorithm: &[u8]) -> Result<(), BadSignature> {
        let own: &[&str] = match self {
            Self::Ed25519 { .. } => &["ssh-ed25519"],
            Self::P256 { .. } => &["ecdsa-sha2-nistp256"],
            Self::P384 { .. } => &["ecdsa-sha2-nistp384"],
            Self::Rsa { .. } => &["rsa-sha2-256", "rsa-sha2-512"],
            Self::SkEd25519 { .. } => &["sk-ssh-ed25519@openssh.com"],
            Self::SkP256 { .. } => &["sk-ecdsa-sha2-nistp256@openssh.com"],
        };
        if own.iter().any(|name| name.as_bytes() == algorithm) {
            return Ok(());
        }
        let shown: String = String::from_utf8_lossy(algorithm).chars().take(64).collect();
        Err(BadSignature::Unsupported(format!(
            "signature algorithm {shown:?} is not supported with this key"
        )))
    }
}

/// Two big integers as two numbers of fixed width, as ring takes them.
fn fixed<const WIDTH: usize>(value: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(value);
    let mut numbers = Vec::with_capacity(2 * WIDTH);
    for number in [reader.positive()?, reader.positive()?] {
        numbers.resize(numbers.len() + WIDTH.checked_sub(number.len())?, 0);
        numbers.extend_from_slice(number);
    }
    reader.end()?;
    Some(numbers)
}

/// What a security key signs: digests, with its flags and counter between them.
fn touched(application: &[u8], touch: (u8, u32), signed: &[u8]) -> Result<Vec<u8>, BadSignature> {
    let (flags, counter) = touch;
    if flags & USER_PRESENT == 0 {
        let why = "nobody touched the security key (user-presence flag is not set)";
        return Err(BadSignature::Invalid(why.to_owned()));
    }
    let mut message = digest(&SHA256, application).as_ref().to_vec();
    message.push(flags);
    message.extend_from_slice(&counter.to_be_bytes());
    message.extend_from_slice(digest(&SHA256, signed).as_ref());
    Ok(message)
}

fn fits(how: &'static dyn VerificationAlgorithm, key: &[u8], signed: &[u8], value: &[u8]) -> bool {
    UnparsedPublicKey::new(how, key).verify(signed, value).is_ok()
}

fn rsa_fits(n: &[u8], e: &[u8], algorithm: &[u8], signed: &[u8], value: &[u8]) -> bool {
    let how = if algorithm == b"rsa-sha2-256" {
        &RSA_PKCS1_2048_8192_SHA256
    } else {
        &RSA_PKCS1_2048_8192_SHA512
    };
    RsaPublicKeyComponents { n, e }.verify(how, signed, value).is_ok()
}
