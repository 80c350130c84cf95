//! Permission bits of files and directories.
//!
//! **Invariant:** a mode is written as a *quoted* octal text: readers of YAML disagree whether a bare
//! `0644` is 420, 644 or text.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::word::{self, NotAWord, Word};

/// Permission bits, setuid, setgid and sticky included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileMode(u16);

impl FileMode {
    /// `0644`: what a file has when nothing is said.
    pub const FILE: Self = Self(0o644);
    /// `0755`: what a directory has when nothing is said.
    pub const DIRECTORY: Self = Self(0o755);

    /// The bits, at most `0o7777`.
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }
}

impl Word for FileMode {
    const EXPECTED: &'static str = r#"a mode as octal text in quotes, such as "0644""#;
}

impl FromStr for FileMode {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, NotAWord> {
        let octal = text.bytes().all(|it| matches!(it, b'0'..=b'7'));
        // Three digits say nothing of setuid, setgid and sticky; four say all.
        if !octal || !matches!(text.len(), 3 | 4) {
            return Err(NotAWord::new(text, "is not three or four octal digits", Self::EXPECTED));
        }
        u16::from_str_radix(text, 8)
            .map(Self)
            .map_err(|_cause| NotAWord::new(text, "is not octal", Self::EXPECTED))
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Debug for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for FileMode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        word::deserialize(from)
    }
}

impl JsonSchema for FileMode {
    fn schema_name() -> Cow<'static, str> {
        "FileMode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-7]{3,4}$",
            "description": Self::EXPECTED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_three_or_four_octal_digits_and_shown_as_four() {
        for (text, shown) in [("644", "0644"), ("0755", "0755"), ("4755", "4755"), ("000", "0000")]
        {
            assert_eq!(text.parse::<FileMode>().unwrap().to_string(), shown);
        }
        for bad in ["", "64", "0o644", "00644", "888", "+644", "rw-", "0x1a"] {
            assert!(bad.parse::<FileMode>().is_err(), "{bad}");
        }
        assert_eq!(FileMode::FILE.bits(), 0o644);
    }
}
