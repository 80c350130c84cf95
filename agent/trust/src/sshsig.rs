//! OpenSSH's signature format (PROTOCOL.sshsig).
//!
//! **Invariant:** a signature counts for the one namespace it was made for.
//! **Invariant:** no byte of the blob goes unread.

use ring::digest::{Algorithm, SHA256, SHA512, digest};

use crate::armor;
use crate::bad_signature::BadSignature;
use crate::ssh_key::{BadKey, SshKey};
use crate::wire::{Reader, push_string};

const MAGIC: &[u8] = b"SSHSIG";

/// Verifies an armoured signature over a message and yields the key that made it.
///
/// Whether that key means anything is another question.
///
/// # Errors
/// When it is malformed, of an unsupported kind, made for another namespace or message.
pub fn verify_armored(
    text: &[u8],
    namespace: &str,
    message: &[u8],
) -> Result<SshKey, BadSignature> {
    let blob = armor::undo(text)?;
    let parts = Parts::read(&blob)
        .ok_or_else(|| BadSignature::Malformed("SSHSIG blob is malformed".to_owned()))?;
    if parts.version != 1 {
        let what = format!("SSHSIG version {} is not supported", parts.version);
        return Err(BadSignature::Unsupported(what));
    }
    let key = SshKey::from_wire(parts.key)?;
    if parts.namespace != namespace.as_bytes() {
        let found: String = String::from_utf8_lossy(parts.namespace).chars().take(64).collect();
        return Err(BadSignature::Invalid(format!(
            "the signature was made for {found:?}, not for {namespace:?}"
        )));
    }
    // OpenSSH leaves it empty when it rebuilds the signed bytes, so nothing else verifies there.
    if !parts.reserved.is_empty() {
        return Err(BadSignature::Invalid("the reserved field is not empty".to_owned()));
    }
    let signed = signed_bytes(parts.namespace, parts.hash, message)?;
    key.verify(parts.signature, &signed)?;
    Ok(key)
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
