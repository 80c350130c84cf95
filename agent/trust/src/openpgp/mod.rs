//! Signatures of `OpenPGP`, version 4, over one document, and the certificates that they are judged by.
//!
//! **Invariant:** one signature, of one kind (over a binary document), by one key that may sign.
//! **Invariant:** whether its key means anything is another question.

pub(crate) mod armor;
mod certificate;
mod key;
mod packet;
mod signature;

pub use certificate::Certificate;
pub use key::Fingerprint;

use armor::Holds;
use certificate::SigningKey;
use signature::Signature;

use crate::bad_signature::BadSignature;

/// The kind of a signature over a document as it is, byte for byte.
const OVER_BINARY: u8 = 0;

/// A signature's packet.
const SIGNATURE: u8 = 2;

/// Ten times a signature of RSA with 8,192 bits.
const LARGEST: usize = 64 << 10;

/// Whether the key of a signature that verifies counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It did, when the signature was made and at the time that was asked about.
    Counts,
    /// It did not, at one of these times.
    NotThen,
    /// Its owner took it back, so that no time that a signature names is to be believed.
    Revoked,
}

/// Verifies an armoured signature over a message, and tells whose it is, and whether its key counted at a time.
///
/// # Errors
/// When it is malformed, of an unsupported kind, or by none of the certificates.
pub fn verify_armored<'a>(
    text: &[u8],
    message: &[u8],
    certificates: &'a [Certificate],
    time: i64,
) -> Result<(&'a Certificate, Standing), BadSignature> {
    if text.len() > LARGEST {
        return Err(BadSignature::Malformed("OpenPGP signature is larger than 64 KiB".to_owned()));
    }
    let bytes = armor::undo(text, Holds::Signature)?;
    let signature = match packet::read(&bytes).as_deref() {
        Some([packet]) if packet.tag == SIGNATURE => Signature::read(packet.body)?,
        _ => {
            let what = "an OpenPGP block that is not one signature";
            return Err(BadSignature::Malformed(what.to_owned()));
        }
    };
    if signature.kind != OVER_BINARY {
        let what = format!("OpenPGP signature of kind {:#04x}", signature.kind);
        return Err(BadSignature::Unsupported(what));
    }
    if signature.ends() {
        return Err(BadSignature::Unsupported("OpenPGP signature that ends".to_owned()));
    }
    let made = signature.made()?;
    let none = if certificates.is_empty() {
        "no OpenPGP key was given"
    } else {
        "it is by none of the given OpenPGP keys"
    };
    let mut why = BadSignature::Invalid(none.to_owned());
    for certificate in certificates {
        for signing in certificate.keys.iter().filter(|it| signature.may_be_by(&it.key)) {
            match signature.verify(&signing.key, message) {
                Ok(()) => return Ok((certificate, signing.stands_at(&[made, time]))),
                Err(bad) => why = bad,
            }
        }
    }
    Err(why)
}

impl SigningKey {
    /// Whether it counted at each of some times.
    fn stands_at(&self, times: &[i64]) -> Standing {
        let counts = |time: &i64| self.key.made <= *time && self.until.is_none_or(|it| *time < it);
        if self.is_revoked {
            Standing::Revoked
        } else if times.iter().all(counts) {
            Standing::Counts
        } else {
            Standing::NotThen
        }
    }
}

/// What does not fit its key.
fn no_fit() -> BadSignature {
    BadSignature::Invalid("the signature does not verify".to_owned())
}
