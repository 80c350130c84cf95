//! SSH certificates: a key, and an authority's word on whose it is and when (OpenSSH's PROTOCOL.certkeys).
//!
//! **Invariant:** a certificate that was read is a user's, its authority signed every byte of it, and no option
//! of it narrows what it may be used for: there is nobody here who could keep to that.

use jiff::Timestamp;

use crate::bad_signature::BadSignature;
use crate::ssh_key::{BadKey, SshKey};
use crate::wire::{Reader, push_string};

/// What the names of certificates' types end with.
const SUFFIX: &str = "-cert-v01@openssh.com";

/// A certificate for a person, not for a host.
const FOR_USER: u32 = 1;

/// As many as OpenSSH reads.
const PRINCIPALS_MAX: usize = 256;

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshCertificate {
    /// The key that it is about.
    pub key: SshKey,
    /// The key that vouches for it.
    pub authority: SshKey,
    /// Whose it is.
    pub principals: Vec<String>,
    /// From then on it counts, in seconds since 1970.
    valid_after: u64,
    /// The first second at which it no longer counts.
    valid_before: u64,
}

/// What stands in a certificate before its authority's signature.
struct Parts<'a> {
    /// The key as it is written without a certificate.
    key: Vec<u8>,
    kind: u32,
    principals: &'a [u8],
    valid_after: u64,
    valid_before: u64,
    critical: &'a [u8],
    authority: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
}

impl SshCertificate {
    /// Whether a key's wire encoding says that it is a certificate.
    pub(crate) fn is_one(wire: &[u8]) -> bool {
        Reader::new(wire).string().is_some_and(|name| name.ends_with(SUFFIX.as_bytes()))
    }

    /// Reads a certificate's wire encoding, and verifies what its authority says in it.
    ///
    /// # Errors
    /// When it is malformed, of a kind that is not supported, for a host, or not signed by the authority it names.
    pub(crate) fn from_wire(wire: &[u8]) -> Result<Self, BadSignature> {
        let malformed = || BadSignature::Malformed("SSH certificate is malformed".to_owned());
        let name = Reader::new(wire).string().and_then(|name| str::from_utf8(name).ok());
        let plain = name.and_then(|name| name.strip_suffix(SUFFIX)).ok_or_else(malformed)?;
        let fields = fields_of(plain)?;
        let parts = Parts::read(wire, &plain_name(plain), fields).ok_or_else(malformed)?;
        let key = SshKey::from_wire(&parts.key)?;
        let principals = names(parts.principals).ok_or_else(malformed)?;
        // A chain of authorities is no form of OpenSSH's.
        let authority = SshKey::from_wire(parts.authority)?;
        if parts.kind != FOR_USER {
            let what = "an SSH certificate that is not for a user";
            return Err(BadSignature::Invalid(what.to_owned()));
        }
        if let Some(option) = Reader::new(parts.critical).string() {
            let shown: String = String::from_utf8_lossy(option).chars().take(64).collect();
            let what = format!("SSH certificate with the critical option {shown:?}");
            return Err(BadSignature::Unsupported(what));
        }
        if !parts.critical.is_empty() {
            return Err(malformed());
        }
        authority.verify(parts.signature, parts.signed).map_err(|bad| match bad {
            BadSignature::Invalid(_) => {
                let what = "the SSH certificate is not signed by the authority it names";
                BadSignature::Invalid(what.to_owned())
            }
            other => other,
        })?;
        let Parts { valid_after, valid_before, .. } = parts;
        Ok(Self { key, authority, principals, valid_after, valid_before })
    }

    /// Whether it counts at an instant; its end does not belong to it, as in OpenSSH.
    pub(crate) fn counts_at(&self, instant: Timestamp) -> bool {
        u64::try_from(instant.as_second())
            .is_ok_and(|it| self.valid_after <= it && it < self.valid_before)
    }
}

impl<'a> Parts<'a> {
    fn read(wire: &'a [u8], plain: &str, fields: usize) -> Option<Self> {
        let mut reader = Reader::new(wire);
        let _name = reader.string()?;
        let _nonce = reader.string()?;
        let mut key = Vec::new();
        push_string(&mut key, plain.as_bytes());
        for _ in 0..fields {
            push_string(&mut key, reader.string()?);
        }
        let _serial = reader.u64()?;
        let kind = reader.u32()?;
        let _key_id = reader.string()?;
        let principals = reader.string()?;
        let (valid_after, valid_before) = (reader.u64()?, reader.u64()?);
        let critical = reader.string()?;
        // Extensions say what a login may do.
        let _extensions = reader.string()?;
        let _reserved = reader.string()?;
        let authority = reader.string()?;
        let signed = wire.get(..wire.len().checked_sub(reader.left())?)?;
        let signature = reader.string()?;
        reader.end()?;
        Some(Self {
            key,
            kind,
            principals,
            valid_after,
            valid_before,
            critical,
            authority,
            signed,
            signature,
        })
    }
}

/// How many fields a key of this kind has behind its name.
fn fields_of(plain: &str) -> Result<usize, BadSignature> {
    match plain {
        "ssh-ed25519" => Ok(1),
        "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "sk-ssh-ed25519" => Ok(2),
        "sk-ecdsa-sha2-nistp256" => Ok(3),
        other => {
            let shown: String = other.chars().take(64).collect();
            Err(BadKey::Unsupported(format!("SSH certificate of kind {shown:?}")).into())
        }
    }
}

/// The name of the key itself: those of security keys keep OpenSSH's own ending.
fn plain_name(plain: &str) -> String {
    if plain.starts_with("sk-") { format!("{plain}@openssh.com") } else { plain.to_owned() }
}

/// A list of names, each a string of its own.
fn names(list: &[u8]) -> Option<Vec<String>> {
    let mut reader = Reader::new(list);
    let mut names = Vec::new();
    while reader.left() > 0 {
        if names.len() == PRINCIPALS_MAX {
            return None;
        }
        names.push(str::from_utf8(reader.string()?).ok()?.to_owned());
    }
    Some(names)
}
