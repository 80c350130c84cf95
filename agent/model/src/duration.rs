//! Lengths of time as people write them: `500ms`, `5s`, `5m`, `2h`, `1d`.
//!
//! **Invariant:** a span is whole milliseconds and at most ten years, so sums of a few cannot
//! overflow.
//! **Invariant:** what a span displays is read back as the same span.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Units from small to large, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Ten years: longer than any period a manifest or policy means seriously, so a slip shows at once.
const LONGEST_MS: u64 = 3_653 * 86_400_000;

/// A length of time, written as a whole number and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(Duration);

/// A text that is not a length of time.
#[derive(Debug, Error)]
#[error("{0:?} is not a length of time (a whole number with ms, s, m, h or d; at most ten years)")]
pub struct NotASpan(String);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Makes a span of whole seconds, cut to ten years.
    pub const fn from_secs(seconds: u64) -> Self {
        let longest = LONGEST_MS / 1_000;
        Self(Duration::from_secs(if seconds < longest { seconds } else { longest }))
    }

    /// Makes a span of whole milliseconds, cut to ten years.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(if millis < LONGEST_MS { millis } else { LONGEST_MS }))
    }

    /// The span as the standard library's duration.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// The span in whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Whether there is no time in it.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        // Nothing has no unit worth asking for.
        if text == "0" {
            return Ok(Self::ZERO);
        }
        read_millis(text)
            .filter(|millis| *millis <= LONGEST_MS)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| NotASpan(text.chars().take(80).collect()))
    }
}

fn read_millis(text: &str) -> Option<u64> {
    let split = text.find(|it: char| !it.is_ascii_digit())?;
    let (digits, name) = text.split_at(split);
    let (_, unit) = UNITS.iter().find(|(known, _)| *known == name)?;
    digits.parse::<u64>().ok()?.checked_mul(*unit)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(LONGEST_MS);
        if millis == 0 {
            return f.write_str("0s");
        }
        // The largest unit that leaves no rest; `ms` always fits.
        let fits = UNITS.iter().rev().find(|(_, unit)| millis.is_multiple_of(*unit));
        let (name, unit) = fits.copied().unwrap_or(("ms", 1));
        write!(f, "{}{name}", millis / unit)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(0|[0-9]+(ms|s|m|h|d))$",
            "description": "A length of time: a whole number with ms, s, m, h or d."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_shown_again() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("90s", 90_000),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.as_duration(), Duration::from_millis(millis), "{text}");
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn display_takes_the_largest_unit_without_a_rest() {
        for (text, shown) in
            [("60s", "1m"), ("48h", "2d"), ("1000ms", "1s"), ("0", "0s"), ("0d", "0s")]
        {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_spans() {
        for bad in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "+5s",
            "1.5h",
            "5S",
            "1w",
            "3654d",
            "99999999999999999999s",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn makers_cut_at_ten_years() {
        assert_eq!(Span::from_secs(u64::MAX), Span::from_millis(u64::MAX));
        assert_eq!(Span::from_secs(60), "1m".parse().unwrap());
    }
}
