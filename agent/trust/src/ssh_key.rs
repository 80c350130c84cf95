//! Public keys as OpenSSH writes them.
//!
//! **Invariant:** one key has one encoding, so keys are compared by their bytes.
//! **Invariant:** a kind of key that is not verified here is `Unsupported`, never "malformed".

mod verify;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};
use thiserror::Error;

use crate::wire::Reader;

/// Below it RSA keys have been factored, or will be soon.
const LEAST_RSA_BITS: usize = 2048;

/// ring's upper limit; above it verifying would be a way to keep a host busy.
const MOST_RSA_BITS: usize = 8192;

/// A public key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshKey {
    /// The one encoding; equality of keys is equality of these bytes.
    wire: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ed25519 { key: [u8; 32] },
    P256 { point: Vec<u8> },
    P384 { point: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
    SkEd25519 { key: [u8; 32], application: Vec<u8> },
    SkP256 { point: Vec<u8>, application: Vec<u8> },
}

/// A key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadKey {
    /// It is no key.
    #[error("{0} is malformed")]
    Malformed(String),
    /// It is a key of a kind that is not verified here.
    #[error("{0} is not supported")]
    Unsupported(String),
}

impl SshKey {
    /// Reads a key's wire encoding.
    pub fn from_wire(wire: &[u8]) -> Result<Self, BadKey> {
        let mut reader = Reader::new(wire);
        let name = reader.string().and_then(|name| str::from_utf8(name).ok());
        let name = name.ok_or_else(|| BadKey::Malformed("ssh key".to_owned()))?;
        let kind = match name {
            "ssh-ed25519" => ed25519(reader),
            "ecdsa-sha2-nistp256" => {
                ecdsa(reader, "nistp256", 32).map(|point| Kind::P256 { point })
            }
            "ecdsa-sha2-nistp384" => {
                ecdsa(reader, "nistp384", 48).map(|point| Kind::P384 { point })
            }
            "ssh-rsa" => rsa(reader),
            "sk-ssh-ed25519@openssh.com" => sk_ed25519(reader),
            "sk-ecdsa-sha2-nistp256@openssh.com" => sk_ecdsa(reader),
            // Certificates, DSA, P-521 and what is yet to come.
            other => {
                let shown = other.chars().take(64).collect::<String>();
                return Err(BadKey::Unsupported(format!("key type {shown:?}")));
            }
        };
        let kind = kind.ok_or_else(|| BadKey::Malformed(format!("{name} key")))?;
        kind.check_strength()?;
        Ok(Self { wire: wire.to_vec(), kind })
    }

    /// Reads a line of a `.pub` file: type, base64, comment.
    pub fn from_line(line: &str) -> Result<Self, BadKey> {
        let malformed = || BadKey::Malformed("ssh key line".to_owned());
        if line.trim().contains(['\n', '\r', '\0']) {
            return Err(malformed());
        }
        let mut words = line.split_ascii_whitespace();
        let name = words.next().ok_or_else(malformed)?;
        let letters = words.next().ok_or_else(malformed)?;
        let wire = STANDARD.decode(letters).map_err(|_bad| malformed())?;
        // The type is written twice; two that differ would mean one thing to people, another to us.
        match Reader::new(&wire).string() {
            Some(inner) if inner == name.as_bytes() => Self::from_wire(&wire),
            _ => Err(malformed()),
        }
    }

    /// The wire encoding.
    pub fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// The public key itself, whatever it is wrapped in: a point of a curve, or a modulus.
    pub(crate) fn material(&self) -> &[u8] {
        match &self.kind {
            Kind::Ed25519 { key } | Kind::SkEd25519 { key, .. } => key,
            Kind::P256 { point } | Kind::P384 { point } | Kind::SkP256 { point, .. } => point,
            Kind::Rsa { n, .. } => n,
        }
    }

    /// The fingerprint as OpenSSH shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, &self.wire);
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
    }
}

impl Kind {
    /// Short RSA keys can be factored; long ones are a way to keep a host busy.
    fn check_strength(&self) -> Result<(), BadKey> {
        let Self::Rsa { n, .. } = self else {
            return Ok(());
        };
        let unused = n.first().map_or(0, |first| first.leading_zeros());
        let bits = (n.len() * 8).saturating_sub(unused as usize);
        if (LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits) {
            Ok(())
        } else {
            Err(BadKey::Unsupported(format!("RSA key of {bits} bits")))
        }
    }
}

fn ed25519(mut reader: Reader<'_>) -> Option<Kind> {
    let key = reader.string()?.try_into().ok()?;
    reader.end()?;
    Some(Kind::Ed25519 { key })
}

fn sk_ed25519(mut reader: Reader<'_>) -> Option<Kind> {
    let key = reader.string()?.try_into().ok()?;
    let application = application(&mut reader)?;
    reader.end()?;
    Some(Kind::SkEd25519 { key, application })
}

fn ecdsa(mut reader: Reader<'_>, curve: &str, width: usize) -> Option<Vec<u8>> {
    let point = curve_point(&mut reader, curve, width)?;
    reader.end()?;
    Some(point)
}

fn sk_ecdsa(mut reader: Reader<'_>) -> Option<Kind> {
    let point = curve_point(&mut reader, "nistp256", 32)?;
    let application = application(&mut reader)?;
    reader.end()?;
    Some(Kind::SkP256 { point, application })
}

/// What a security key was made for: text, as OpenSSH reads it.
fn application(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let text = str::from_utf8(reader.string()?).ok()?;
    (!text.contains('\0')).then(|| text.as_bytes().to_vec())
}

/// An uncompressed point; ring checks that it lies on the curve.
fn curve_point(reader: &mut Reader<'_>, curve: &str, width: usize) -> Option<Vec<u8>> {
    if reader.string()? != curve.as_bytes() {
        return None;
    }
    let point = reader.string()?;
    (point.first() == Some(&4) && point.len() == 2 * width + 1).then(|| point.to_vec())
}

fn rsa(mut reader: Reader<'_>) -> Option<Kind> {
    let e = reader.positive()?.to_vec();
    let n = reader.positive()?.to_vec();
    reader.end()?;
    Some(Kind::Rsa { n, e })
}

impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

#[cfg(test)]
mod tests;
