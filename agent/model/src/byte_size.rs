//! Sizes as people write them: `512B`, `64KiB`, `256MiB`, `2GiB`.
//!
//! **Invariant:** a size is at most one tebibyte, so it can be added to and compared without care.
//! **Invariant:** what a size displays is read back as the same size.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Units from small to large. Only powers of two: `MB` means two things, `MiB` one.
const UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// One tebibyte: above it a limit limits nothing.
const LARGEST: u64 = 1 << 40;

/// A number of bytes, written as a whole number and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

/// A text that is not a size.
#[derive(Debug, Error)]
#[error("{0:?} is not a size (a whole number with B, KiB, MiB or GiB; at most 1024GiB)")]
pub struct NotASize(String);

impl ByteSize {
    /// Makes a size of whole mebibytes, cut to one tebibyte.
    pub const fn from_mib(mebibytes: u32) -> Self {
        let bytes = (mebibytes as u64) << 20;
        Self(if bytes < LARGEST { bytes } else { LARGEST })
    }

    /// The number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory; the largest length where it does not fit.
    pub fn as_len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        read_bytes(text)
            .filter(|bytes| *bytes <= LARGEST)
            .map(Self)
            .ok_or_else(|| NotASize(text.chars().take(80).collect()))
    }
}

fn read_bytes(text: &str) -> Option<u64> {
    let split = text.find(|it: char| !it.is_ascii_digit())?;
    let (digits, name) = text.split_at(split);
    let (_, unit) = UNITS.iter().find(|(known, _)| *known == name)?;
    digits.parse::<u64>().ok()?.checked_mul(*unit)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0B");
        }
        // The largest unit that leaves no rest; `B` always fits.
        let fits = UNITS.iter().rev().find(|(_, unit)| self.0.is_multiple_of(*unit));
        let (name, unit) = fits.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(B|KiB|MiB|GiB)$",
            "description": "A size: a whole number with B, KiB, MiB or GiB."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_shown_again() {
        for (text, bytes) in
            [("512B", 512), ("3KiB", 3072), ("256MiB", 256 << 20), ("2GiB", 2 << 30)]
        {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.as_bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), text);
        }
        assert_eq!("1024KiB".parse::<ByteSize>().unwrap().to_string(), "1MiB");
        assert_eq!("0MiB".parse::<ByteSize>().unwrap().to_string(), "0B");
    }

    #[test]
    fn other_texts_are_no_sizes() {
        for bad in [
            "",
            "5",
            "MiB",
            "5 MiB",
            "-1B",
            "5MB",
            "5mib",
            "1.5MiB",
            "1025GiB",
            "99999999999999999999B",
        ] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}
