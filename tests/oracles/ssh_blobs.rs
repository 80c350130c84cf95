//! Strings of SSH's encoding, and blobs of signatures taken apart into them.
//!
//! **Invariant:** what is taken apart and joined again is the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes as a string of SSH's encoding.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

/// The strings that bytes are made of.
pub(crate) fn strings(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (taken, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
        found.push(taken.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty());
    found
}

/// The bytes in an armour.
pub(crate) fn undone(text: &str) -> Vec<u8> {
    let letters: String = text.lines().filter(|it| !it.starts_with("-----")).collect();
    STANDARD.decode(letters).unwrap()
}

/// A signature's blob: key, namespace, reserved, hash, value.
#[derive(Clone)]
pub(crate) struct Blob {
    pub(crate) version: u32,
    pub(crate) fields: Vec<Vec<u8>>,
}

/// The places of a blob's fields.
pub(crate) const KEY: usize = 0;
pub(crate) const RESERVED: usize = 2;
pub(crate) const HASH: usize = 3;
pub(crate) const VALUE: usize = 4;

impl Blob {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = undone(text);
        let rest = bytes.strip_prefix(b"SSHSIG\0\0\0\x01").unwrap();
        let blob = Self { version: 1, fields: strings(rest) };
        assert_eq!((blob.joined(), blob.fields.len()), (bytes, 5));
        blob
    }

    pub(crate) fn joined(&self) -> Vec<u8> {
        let fields: Vec<u8> = self.fields.iter().flat_map(|it| string(it)).collect();
        [b"SSHSIG", &self.version.to_be_bytes()[..], &fields].concat()
    }

    pub(crate) fn with(&self, place: usize, value: impl Into<Vec<u8>>) -> Self {
        let mut other = self.clone();
        other.fields[place] = value.into();
        other
    }

    /// Other versions, and every field in every other's place, left out, empty, twice, or another signature's.
    pub(crate) fn rearranged(&self, other: &Self) -> Vec<(String, Vec<u8>)> {
        let mut found: Vec<(String, Vec<u8>)> = [0, 2, 256, u32::MAX]
            .map(|version| Self { version, ..self.clone() })
            .iter()
            .map(|it| (format!("version {}", it.version), it.joined()))
            .collect();
        let count = self.fields.len();
        for first in 0..count {
            let mut push = |what: &str, fields: Vec<Vec<u8>>| {
                let made = Self { version: 1, fields };
                found.push((format!("field {first} {what}"), made.joined()));
            };
            push("empty", self.with(first, []).fields);
            push("another's", self.with(first, other.fields[first].clone()).fields);
            let mut without = self.fields.clone();
            let taken = without.remove(first);
            push("left out", without);
            let mut twice = self.fields.clone();
            twice.insert(first, taken);
            push("twice", twice);
            for second in first + 1..count {
                let mut swapped = self.fields.clone();
                swapped.swap(first, second);
                push(&format!("in the place of {second}"), swapped);
            }
        }
        for hash in ["sha1", "sha256", "sha384", "sha512", "SHA512", "md5", "sha512\0"] {
            found.push((format!("hash {hash:?}"), self.with(HASH, hash).joined()));
        }
        found
    }
}
