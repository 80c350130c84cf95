//! Checked texts: the one way in which the house's small text types are made and refused.
//!
//! **Invariant:** a refusal says what was found and what to write instead.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserializer, de};
use thiserror::Error;

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} {why} (expected {expected})")]
pub struct NotAWord {
    text: String,
    why: &'static str,
    expected: &'static str,
}

impl NotAWord {
    /// Names a refused text; only its beginning is kept.
    pub(crate) fn new(text: &str, why: &'static str, expected: &'static str) -> Self {
        // Enough to recognise it, too little to flood a log.
        let text = text.chars().take(120).collect();
        Self { text, why, expected }
    }
}

/// A checked text.
pub(crate) trait Word: FromStr<Err = NotAWord> {
    /// What a person should write.
    const EXPECTED: &'static str;
}

/// Reads a checked text, so that a refusal says both what is wrong and what to write.
pub(crate) fn deserialize<'de, W: Word, D: Deserializer<'de>>(source: D) -> Result<W, D::Error> {
    struct Visitor<W>(PhantomData<W>);

    impl<W: Word> de::Visitor<'_> for Visitor<W> {
        type Value = W;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(W::EXPECTED)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<W, E> {
            text.parse().map_err(|it: NotAWord| {
                let found = format!("{:?}, which {}", it.text, it.why);
                E::invalid_value(de::Unexpected::Other(&found), &self)
            })
        }
    }

    source.deserialize_str(Visitor(PhantomData))
}

/// Makes a checked text type: its name, what to write, its pattern for editors, its check.
///
/// Copies share one text: a path stands in manifest, plan, steps and inventory at once.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $pattern:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $crate::word::Word for $name {
            const EXPECTED: &'static str = $expected;
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::NotAWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(why) => Err($crate::word::NotAWord::new(text, why, $expected)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::word::deserialize(from)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $expected
                })
            }
        }
    };
}

pub(crate) use word;
