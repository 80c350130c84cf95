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
pub(crate) use certificate::SigningKey;
pub use key::Fingerprint;

use armor::Holds;
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
pub(crate) enum Standing {
    /// It did, when the signature was made and at the time that was asked about.
    Counts,
    /// It did not, at one of these times.
    NotThen,
    /// Its owner took it back, so that no time that a signature names is to be believed.
    Revoked,
}

/// A signature that verifies: the certificate and the key of it that made it, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) key: &'a SigningKey,
    pub(crate) at: i64,
}

/// Verifies an armoured signature over a message, and tells who made it.
///
/// # Errors
/// When it is malformed, of an unsupported kind, or by none of the certificates.
pub(crate) fn verify_armored<'a>(
    text: &[u8],
    message: &[u8],
    certificates: impl IntoIterator<Item = &'a Certificate>,
) -> Result<Made<'a>, BadSignature> {
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
    let at = signature.made()?;
    let mut certificates = certificates.into_iter().peekable();
    let none = match certificates.peek() {
        Some(_) => "it is by none of the given OpenPGP keys",
        None => "no OpenPGP key was given",
    };
    let mut why = BadSignature::Unknown(none.to_owned());
    for certificate in certificates {
        for key in certificate.keys.iter().filter(|it| signature.may_be_by(&it.key)) {
            match signature.verify(&key.key, message) {
                Ok(()) => return Ok(Made { certificate, key, at }),
                Err(bad) => why = bad,
            }
        }
    }
    Err(why)
}

impl Made<'_> {
    /// Whether its key counted, when it was made and at another time.
    pub(crate) fn stands_at(&self, time: i64) -> Standing {
        if self.key.is_revoked {
            Standing::Revoked
        } else if self.key.counts_at(self.at) && self.key.counts_at(time) {
            Standing::Counts
        } else {
            Standing::NotThen
        }
    }
}

impl SigningKey {
    /// The name of this very key.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.key.fingerprint
    }

    /// The public key itself; nothing of a kind that is not verified here.
    pub(crate) fn material(&self) -> Option<&[u8]> {
        self.key.material()
    }

    /// Whether it was made, and had not ended, at a time.
    pub(crate) fn counts_at(&self, time: i64) -> bool {
        self.key.made <= time && self.until.is_none_or(|it| time < it)
    }
}

/// What does not fit its key.
fn no_fit() -> BadSignature {
    BadSignature::Invalid("the signature does not verify".to_owned())
}
