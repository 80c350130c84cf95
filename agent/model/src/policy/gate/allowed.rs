//! A finding that is let through by name.
//!
//! **Invariant:** what is let through up to a day is not let through from that day on.

use std::fmt;

use jiff::Timestamp;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// Longer than any name of a finding.
const LONGEST_ID: usize = 128;

/// A finding that is let through: `CVE-2026-1`, or `{id: CVE-2026-1, until: 2027-01-01}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The finding's name, as the scanner writes it.
    pub id: String,
    /// The first instant at which it is let through no more.
    pub until: Option<Timestamp>,
}

impl Allowed {
    /// Whether it lets a finding through at an instant.
    pub fn covers(&self, id: &str, now: Timestamp) -> bool {
        self.id == id && self.until.is_none_or(|end| now < end)
    }

    fn checked<E: de::Error>(id: String, until: Option<Timestamp>) -> Result<Self, E> {
        let plain = id.bytes().all(|byte| byte.is_ascii_graphic());
        if id.is_empty() || id.len() > LONGEST_ID || !plain {
            return Err(E::custom("an allowed finding needs its name, such as CVE-2026-1"));
        }
        Ok(Self { id, until })
    }
}

impl Serialize for Allowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(until) = &self.until else {
            return serializer.serialize_str(&self.id);
        };
        let mut entry = serializer.serialize_struct("Allowed", 2)?;
        entry.serialize_field("id", &self.id)?;
        entry.serialize_field("until", until)?;
        entry.end()
    }
}

impl<'de> Deserialize<'de> for Allowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AllowedVisitor)
    }
}

struct AllowedVisitor;

impl<'de> Visitor<'de> for AllowedVisitor {
    type Value = Allowed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a finding, or {id: …, until: …}")
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<Allowed, E> {
        Allowed::checked(id.to_owned(), None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Allowed, A::Error> {
        let (mut id, mut until) = (None, None);
        while let Some(name) = entries.next_key::<String>()? {
            let slot = match name.as_str() {
                "id" => &mut id,
                "until" => &mut until,
                other => return Err(de::Error::unknown_field(other, &["id", "until"])),
            };
            if slot.replace(entries.next_value::<String>()?).is_some() {
                return Err(de::Error::custom(format!("{name} stands twice")));
            }
        }
        let id = id.ok_or_else(|| de::Error::missing_field("id"))?;
        // Without its end the short form says the same.
        let until = until.ok_or_else(|| de::Error::missing_field("until"))?;
        Allowed::checked(id, Some(read_end(&until).map_err(de::Error::custom)?))
    }
}

/// An instant, or the beginning of a day in UTC.
fn read_end(text: &str) -> Result<Timestamp, String> {
    let day = format!("{text}T00:00:00Z");
    let instant = text.parse().or_else(|_not_an_instant| day.parse());
    instant
        .map_err(|_neither| format!("until {text:?} is neither a day, 2027-01-31, nor an instant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Allowed, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_day_ends_where_it_begins() {
        let allowed = read(r#"{"id":"CVE-1","until":"2027-01-01"}"#).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(allowed.covers("CVE-1", at("2026-12-31T23:59:59.999Z")));
        assert!(!allowed.covers("CVE-1", at("2027-01-01T00:00:00Z")));
        assert!(!allowed.covers("CVE-10", at("2026-12-31T00:00:00Z")));
        assert!(read("\"CVE-1\"").unwrap().covers("CVE-1", at("2099-01-01T00:00:00Z")));
    }

    #[test]
    fn an_entry_has_a_name_and_an_end_or_a_name_alone() {
        for (text, is_read) in [
            (r#""CVE-1""#, true),
            (r#"{"id":"GHSA-x","until":"2027-01-01T12:00:00Z"}"#, true),
            (r#""""#, false),
            (r#""CVE 1""#, false),
            (r#"{"id":"CVE-1"}"#, false),
            (r#"{"until":"2027-01-01"}"#, false),
            (r#"{"id":"CVE-1","until":"soon"}"#, false),
            (r#"{"id":"CVE-1","until":"2027-01-01","why":"x"}"#, false),
            (r#"{"id":"CVE-1","id":"CVE-2","until":"2027-01-01"}"#, false),
            ("7", false),
        ] {
            assert_eq!(read(text).is_ok(), is_read, "{text}");
        }
    }
}
