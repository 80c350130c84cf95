//! One signature packet of `OpenPGP`, version 4 (RFC 4880, part 5.2).
//!
//! **Invariant:** what counts is read from the part that is signed; the other part only says where to look.
//! **Invariant:** a critical word that is not understood makes the whole signature one that is not supported.
//! **Invariant:** a word that counts stands there once; readers differ in which of two they take.

use super::key::Key;
use super::packet::length;
use crate::bad_signature::BadSignature;

/// Far above any real signature.
const SUBPACKETS_MAX: usize = 256;

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature<'a> {
    /// What is signed: a document, a key's user, a key's key.
    pub(super) kind: u8,
    algorithm: u8,
    hash: u8,
    /// The signed part of the packet, from its version on.
    head: &'a [u8],
    numbers: &'a [u8],
    pub(super) says: Says<'a>,
}

/// What its subpackets say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Says<'a> {
    /// When it was made, in seconds since 1970.
    pub(super) made: Option<i64>,
    /// After how many seconds it ends; 0 for never.
    ends: Option<u32>,
    /// After how many seconds the key ends that it is about, 0 for never; `None` where it does not say.
    pub(super) key_ends: Option<u32>,
    /// What that key may do.
    pub(super) flags: Option<u8>,
    /// Who made it: eight bytes that anyone may write.
    pub(super) issuer: Option<[u8; 8]>,
    /// Who made it, by a fingerprint.
    pub(super) issuer_fingerprint: Option<&'a [u8]>,
    /// A subkey's word that it belongs to its key.
    pub(super) embedded: Option<&'a [u8]>,
    /// A word that must be understood, and is not.
    critical: Option<u8>,
}

impl<'a> Signature<'a> {
    /// Reads a packet's body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, BadSignature> {
        let malformed = || BadSignature::Malformed("OpenPGP signature is malformed".to_owned());
        match body.first() {
            Some(4) => {}
            Some(version) => {
                let what = format!("OpenPGP signature of version {version} is not supported");
                return Err(BadSignature::Unsupported(what));
            }
            None => return Err(malformed()),
        }
        let parts = || {
            let (&[_, kind, algorithm, hash, high, low], rest) = body.split_first_chunk()?;
            let hashed_length = usize::from(u16::from_be_bytes([high, low]));
            let (hashed, rest) = rest.split_at_checked(hashed_length)?;
            let (open_length, rest) = rest.split_first_chunk()?;
            let (open, rest) = rest.split_at_checked(u16::from_be_bytes(*open_length).into())?;
            // Two bytes of the digest come next: old signers wrote wrong ones, and they prove nothing.
            let numbers = rest.get(2..)?;
            let head = body.get(..6 + hashed_length)?;
            Some((kind, algorithm, hash, hashed, open, numbers, head))
        };
        let (kind, algorithm, hash, hashed, open, numbers, head) = parts().ok_or_else(malformed)?;
        let mut says = Says::default();
        says.hear(hashed, true).ok_or_else(malformed)?;
        says.hear(open, false).ok_or_else(malformed)?;
        Ok(Self { kind, algorithm, hash, head, numbers, says })
    }

    /// The kind of a signature's packet, whatever else can be read of it.
    pub(super) fn kind_of(body: &[u8]) -> Option<u8> {
        match body {
            [2 | 3, _, kind, ..] | [_, kind, ..] => Some(*kind),
            _ => None,
        }
    }

    /// When it was made; an error for one that does not say.
    pub(super) fn made(&self) -> Result<i64, BadSignature> {
        let missing = || BadSignature::Malformed("OpenPGP signature has no time".to_owned());
        self.says.made.ok_or_else(missing)
    }

    /// Whether it says itself that it ends.
    pub(super) fn ends(&self) -> bool {
        self.says.ends.is_some_and(|it| it != 0)
    }

    /// Whether a key may be the one that made it: enough to try, not to believe.
    pub(super) fn may_be_by(&self, key: &Key) -> bool {
        match (self.says.issuer_fingerprint, self.says.issuer) {
            (Some(fingerprint), _) => fingerprint == [&[4], &key.fingerprint[..]].concat(),
            (None, Some(id)) => id == key.id(),
            // Every signer of this century says who it is; who does not would be tried with every key.
            (None, None) => false,
        }
    }

    /// Checks it against a key and what it is said to be made over.
    pub(super) fn verify(&self, key: &Key, over: &[u8]) -> Result<(), BadSignature> {
        if let Some(kind) = self.says.critical {
            let what = format!("OpenPGP signature with the critical word {kind}");
            return Err(BadSignature::Unsupported(what));
        }
        // The head's length ends what is signed, so that no head can pass for a part of the document.
        let length = u32::try_from(self.head.len()).unwrap_or(u32::MAX).to_be_bytes();
        let signed = [over, self.head, &[4, 0xff], &length].concat();
        key.verify((self.algorithm, self.hash), &signed, self.numbers)
    }
}

impl<'a> Says<'a> {
    /// Reads subpackets; `None` when they are not of their form.
    fn hear(&mut self, mut rest: &'a [u8], is_signed: bool) -> Option<()> {
        for _ in 0..SUBPACKETS_MAX {
            if rest.is_empty() {
                return Some(());
            }
            let (size, after) = length(rest)?;
            let (subpacket, after) = after.split_at_checked(size)?;
            rest = after;
            let (kind, value) = subpacket.split_first()?;
            let is_critical = kind & 0x80 != 0;
            match (kind & 0x7f, is_signed) {
                (2, true) => once(&mut self.made, four(value)?.into())?,
                (3, true) => once(&mut self.ends, four(value)?)?,
                (9, true) => once(&mut self.key_ends, four(value)?)?,
                (27, true) => once(&mut self.flags, value.first().copied().unwrap_or_default())?,
                (16, _) => self.issuer = Some(value.try_into().ok()?),
                (33, _) => self.issuer_fingerprint = Some(value),
                (32, _) => self.embedded = Some(value),
                // What people like, and where they are found: nothing that a verifier needs.
                (11 | 21..=25 | 28..=30 | 34 | 7, _) => {}
                (kind, _) if is_critical => self.critical = Some(kind),
                _ => {}
            }
        }
        None
    }
}

/// Keeps the first word of its kind; `None` for a second one.
fn once<T>(place: &mut Option<T>, word: T) -> Option<()> {
    place.replace(word).is_none().then_some(())
}

fn four(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}
