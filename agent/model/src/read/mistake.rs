//! What serde finds wrong, kept as data instead of as text.
//!
//! **Invariant:** nothing is parsed back out of a message.
//! **Invariant:** no word of Rust's reaches whoever writes manifests: serde names what it expects by
//! its own type, and that is all it tells.

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
        let expected = match expected.to_string().as_str() {
            "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
            "i8" | "i16" | "i32" | "i64" | "isize" => {
                "a whole number, which may be negative".to_owned()
            }
            "f32" | "f64" => "a number".to_owned(),
            "a sequence" => "a list".to_owned(),
            "a string" => "a text".to_owned(),
            it if it.starts_with("struct ") => "a map".to_owned(),
            other => other.to_owned(),
        };
        Self::Mismatch { found, expected }
    }

    /// What stands there, in the words of whoever wrote it.
    fn shown(found: &Unexpected<'_>) -> String {
        match found {
            Unexpected::Unsigned(number) => format!("the number {number} without quotes"),
            Unexpected::Signed(number) => format!("the number {number} without quotes"),
            Unexpected::Float(number) => format!("the number {number} without quotes"),
            Unexpected::Bool(it) => format!("the boolean {it} without quotes"),
            Unexpected::Unit => "nothing".to_owned(),
            Unexpected::Str(text) => format!("the text {text:?}"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a map".to_owned(),
            Unexpected::Other(text) => (*text).to_owned(),
            other => other.to_string(),
        }
    }
}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(Self::shown(&found), expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(Self::shown(&found), expected)
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
