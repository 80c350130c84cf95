//! OpenSSH's signature format (PROTOCOL.sshsig).
//!
//! **Invariant:** a signature counts for the one namespace it was made for.
//! **Invariant:** no byte of the blob goes unread.

use ring::digest::{Algorithm, SHA256, SHA512, digest};

use crate::armor;
use crate::bad_signature::BadSignature;
use crate::ssh_certificate::SshCertificate;
use crate::ssh_key::{BadKey, SshKey};
use crate::wire::{Reader, push_string};

const MAGIC: &[u8] = b"SSHSIG";

/// What a signature proves: a key made it, with or without an authority's word on whose that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proved {
    /// A key that speaks for itself.
    Key(SshKey),
    /// A key in a certificate.
    Certified(Box<SshCertificate>),
}

/// Verifies an armoured signature over a message and yields the key that made it.
///
/// Whether that key means anything is another question. One in a certificate is not supported: see [`prove`].
///
/// # Errors
/// When it is malformed, of an unsupported kind, made for another namespace or message.
pub fn verify_armored(
    text: &[u8],
    namespace: &str,
    message: &[u8],
) -> Result<SshKey, BadSignature> {
    let blob = armor::undo(text)?;
    let parts = Parts::of(&blob)?;
    let key = SshKey::from_wire(parts.key)?;
    parts.verify(&key, namespace, message)?;
    Ok(key)
}

/// Verifies an armoured signature as [`verify_armored`] does, by a key or by one in a certificate.
pub(crate) fn prove(text: &[u8], namespace: &str, message: &[u8]) -> Result<Proved, BadSignature> {
    let blob = armor::undo(text)?;
    let parts = Parts::of(&blob)?;
    if SshCertificate::is_one(parts.key) {
        let certificate = SshCertificate::from_wire(parts.key)?;
        parts.verify(&certificate.key, namespace, message)?;
        return Ok(Proved::Certified(Box::new(certificate)));
    }
    let key = SshKey::from_wire(parts.key)?;
    parts.verify(&key, namespace, message)?;
    Ok(Proved::Key(key))
}

/// The key that an armoured signature says made it; nothing is proved by that.
pub(crate) fn claimed_key(text: &[u8]) -> Option<SshKey> {
    let blob = armor::undo(text).ok()?;
    SshKey::from_wire(Parts::read(&blob)?.key).ok()
}

struct Parts<'a> {
    version: u32,
    key: &'a [u8],
    namespace: &'a [u8],
    reserved: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(blob: &'a [u8]) -> Result<Self, BadSignature> {
        let malformed = || BadSignature::Malformed("SSHSIG blob is malformed".to_owned());
        let parts = Self::read(blob).ok_or_else(malformed)?;
        if parts.version == 1 {
            return Ok(parts);
        }
        let what = format!("SSHSIG version {} is not supported", parts.version);
        Err(BadSignature::Unsupported(what))
    }

    fn verify(&self, key: &SshKey, namespace: &str, message: &[u8]) -> Result<(), BadSignature> {
        if self.namespace != namespace.as_bytes() {
            let found: String = String::from_utf8_lossy(self.namespace).chars().take(64).collect();
            let what = format!("the signature was made for {found:?}, not for {namespace:?}");
            return Err(BadSignature::Invalid(what));
        }
        // OpenSSH leaves it empty when it rebuilds the signed bytes, so nothing else verifies there.
        if !self.reserved.is_empty() {
            return Err(BadSignature::Invalid("the reserved field is not empty".to_owned()));
        }
        key.verify(self.signature, &signed_bytes(self.namespace, self.hash, message)?)
    }

    fn read(blob: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(blob);
        reader.literal(MAGIC)?;
        let parts = Self {
            version: reader.u32()?,
            key: reader.string()?,
            namespace: reader.string()?,
            reserved: reader.string()?,
            hash: reader.string()?,
            signature: reader.string()?,
        };
        reader.end()?;
        Some(parts)
    }
}

/// What the key signs: the message's digest, bound to its purpose.
fn signed_bytes(namespace: &[u8], hash: &[u8], message: &[u8]) -> Result<Vec<u8>, BadSignature> {
    let algorithm: &'static Algorithm = match hash {
        b"sha256" => &SHA256,
        b"sha512" => &SHA512,
        other => {
            let shown: String = String::from_utf8_lossy(other).chars().take(64).collect();
            let what = format!("message digest {shown:?} is not supported");
            return Err(BadSignature::Unsupported(what));
        }
    };
    let mut bytes = MAGIC.to_vec();
    push_string(&mut bytes, namespace);
    push_string(&mut bytes, b"");
    push_string(&mut bytes, hash);
    push_string(&mut bytes, digest(algorithm, message).as_ref());
    Ok(bytes)
}

impl From<BadKey> for BadSignature {
    fn from(key: BadKey) -> Self {
        match key {
            BadKey::Malformed(_) => Self::Malformed(key.to_string()),
            BadKey::Unsupported(_) => Self::Unsupported(key.to_string()),
        }
    }
}
