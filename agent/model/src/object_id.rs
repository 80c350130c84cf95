//! Names of Git objects, in either of Git's object formats.
//!
//! **Invariant:** an id is written as lower-case hex; its length tells its format.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::digest::{hex, unhex};

/// The hash a repository names its objects by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFormat {
    /// SHA-1: 40 hex digits, header `gpgsig`.
    Sha1,
    /// SHA-256: 64 hex digits, header `gpgsig-sha256`.
    Sha256,
}

/// A full object id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectId {
    /// 20 bytes.
    Sha1([u8; 20]),
    /// 32 bytes.
    Sha256([u8; 32]),
}

/// A text that is not a full object id.
#[derive(Debug, Error)]
#[error("{0:?} is not an object id (40 or 64 lower-case hex digits)")]
pub struct NotAnObjectId(String);

impl ObjectId {
    /// The format that has ids of this length.
    pub fn format(&self) -> ObjectFormat {
        match self {
            Self::Sha1(_) => ObjectFormat::Sha1,
            Self::Sha256(_) => ObjectFormat::Sha256,
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
        }
    }

    /// The first twelve hex digits, for people.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = NotAnObjectId;

    fn from_str(text: &str) -> Result<Self, NotAnObjectId> {
        unhex(text)
            .map(Self::Sha1)
            .or_else(|| unhex(text).map(Self::Sha256))
            .ok_or_else(|| NotAnObjectId(text.chars().take(80).collect()))
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_tells_the_format() {
        assert_eq!("a".repeat(40).parse::<ObjectId>().unwrap().format(), ObjectFormat::Sha1);
        assert_eq!("a".repeat(64).parse::<ObjectId>().unwrap().format(), ObjectFormat::Sha256);
        for bad in ["", "abc", &"A".repeat(40), &"g".repeat(40), &"a".repeat(41)] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad}");
        }
    }
}
