//! SHA-256 digests, and the one canonical form in which a value is digested.
//!
//! **Invariant:** two values that are equal have the same canonical bytes, whatever order their
//! fields and keys were written in.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A SHA-256 digest; shown and read as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sha256([u8; 32]);

/// A text that is not a digest.
#[derive(Debug, Error)]
#[error("{0:?} is not 64 lower-case hex digits")]
pub struct NotADigest(String);

impl Sha256 {
    /// Digests bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_ring(digest(&SHA256, bytes))
    }

    /// Digests the canonical JSON of a value.
    ///
    /// # Errors
    /// When the value has no JSON form (a map with keys that are not text).
    pub fn of_value(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::of(&canonical(value)?))
    }

    /// Digests a list as [`Self::of_value`] does, one item at a time: lists may be long.
    ///
    /// # Errors
    /// When an item has no JSON form.
    pub fn of_list<T: Serialize>(items: &[T]) -> Result<Self, serde_json::Error> {
        let mut stream = Sha256Stream::new();
        stream.update(b"[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                stream.update(b",");
            }
            stream.update(&canonical(item)?);
        }
        stream.update(b"]");
        Ok(stream.finish())
    }

    /// Takes bytes that are a digest already.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_ring(found: ring::digest::Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(found.as_ref());
        Self(bytes)
    }
}

/// A digest in the making, for content that comes in pieces.
#[derive(Clone)]
pub struct Sha256Stream(Context);

impl Sha256Stream {
    /// Begins with nothing.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Sha256 {
        Sha256::from_ring(self.0.finish())
    }
}

impl Default for Sha256Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256Stream")
    }
}

/// The canonical JSON of a value: keys sorted, no white space.
///
/// # Errors
/// When the value has no JSON form.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    // serde_json's map is a BTreeMap (its feature preserve_order is off), which sorts the keys.
    serde_json::to_vec(&serde_json::to_value(value)?)
}

/// Writes bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibble = |it: u8| char::from(DIGITS.get(usize::from(it)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [nibble(byte >> 4), nibble(byte & 15)]).collect()
}

/// Reads lower-case hex of exactly `N` bytes.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl FromStr for Sha256 {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        unhex(text).map(Self).ok_or_else(|| NotADigest(text.chars().take(80).collect()))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_empty_digest_is_the_published_one() {
        let published = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_string(), published);
        assert_eq!(published.parse::<Sha256>().unwrap(), Sha256::of(b""));
    }

    #[test]
    fn upper_case_and_short_texts_are_no_digests() {
        assert!("E3B0".parse::<Sha256>().is_err());
        assert!("E3".repeat(32).parse::<Sha256>().is_err());
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let one: serde_json::Value = serde_json::from_str(r#"{"b":1,"a":[2]}"#).unwrap();
        assert_eq!(canonical(&one).unwrap(), br#"{"a":[2],"b":1}"#);
        assert_eq!(
            Sha256::of_value(&one).unwrap(),
            Sha256::of_value(&json!({"a":[2],"b":1})).unwrap()
        );
    }

    #[test]
    fn a_list_has_the_digest_of_its_value() {
        for list in [vec![], vec![json!({"b":1,"a":2})], vec![json!(1), json!([2]), json!("x")]] {
            assert_eq!(
                Sha256::of_list(&list).unwrap(),
                Sha256::of_value(&list).unwrap(),
                "{list:?}"
            );
        }
    }

    #[test]
    fn pieces_make_the_whole() {
        let mut stream = Sha256Stream::new();
        stream.update(b"ab");
        stream.update(b"c");
        assert_eq!(stream.finish(), Sha256::of(b"abc"));
    }
}
