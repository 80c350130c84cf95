//! What serde finds wrong, kept as data instead of as text.
//!
//! **Invariant:** nothing is parsed back out of a message.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// One refusal of a typed value.
#[derive(Debug)]
pub(super) enum Mistake {
    /// A field that the type does not have.
    UnknownField { name: String, known: &'static [&'static str] },
    /// A word that is none of the allowed ones.
    UnknownWord { word: String, known: &'static [&'static str] },
    /// A field that must be there.
    Missing(&'static str),
    /// Another value than is wanted.
    Mismatch { found: String, expected: String },
    /// Anything else, in words.
    Other(String),
}

impl Mistake {
    fn mismatch(found: String, expected: &dyn Expected) -> Self {
        Self::Mismatch { found, expected: expected.to_string() }
    }
}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unsigned(number) => format!("the number {number} without quotes"),
            Unexpected::Signed(number) => format!("the number {number} without quotes"),
            Unexpected::Float(number) => format!("the number {number} without quotes"),
            Unexpected::Bool(it) => format!("the boolean {it} without quotes"),
            Unexpected::Unit => "nothing".to_owned(),
            Unexpected::Str(text) => format!("the text {text:?}"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a map".to_owned(),
            other => other.to_string(),
        };
        Self::mismatch(found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Other(text) => text.to_owned(),
            other => other.to_string(),
        };
        Self::mismatch(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::mismatch(format!("{length} entries"), expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownWord { word: word.to_owned(), known }
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownField { name: name.to_owned(), known }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { name, .. } => write!(f, "unknown field `{name}`"),
            Self::UnknownWord { word, .. } => write!(f, "unknown word `{word}`"),
            Self::Missing(field) => write!(f, "`{field}` is missing"),
            Self::Mismatch { found, .. } => f.write_str(found),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Mistake {}
