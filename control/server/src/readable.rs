//! Reads JSON through, and keeps nothing of it.
//!
//! **Invariant:** what can be read through can be read as a value: every text is one, every number has a size.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Something that could be read.
#[derive(Debug, Clone, Copy)]
pub struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Through)
    }
}

struct Through;

impl<'de> Visitor<'de> for Through {
    type Value = Readable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything that JSON has")
    }

    fn visit_unit<E: Error>(self) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Readable, E> {
        Ok(Readable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Readable, A::Error> {
        while items.next_element::<Readable>()?.is_some() {}
        Ok(Readable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Readable, A::Error> {
        while fields.next_entry::<Readable, Readable>()?.is_some() {}
        Ok(Readable)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_can_be_read_through_can_be_read_as_a_value_and_nothing_else() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for text in [
            "null",
            "{\"a\": [1, -1, 1.5, true, \"t\\u00e4\"], \"a\": {}}",
            "1e308",
            "1e309",
            "{\"a\": [1e999]}",
            "\"\\ud800\"",
            "{\"\\ud800\": 1}",
            "123456789012345678901234567890",
            "[1,]",
            "{} {}",
            "",
            &deep(127),
            &deep(128),
        ] {
            let value = serde_json::from_str::<Value>(text).map_err(|it| it.to_string());
            let through = serde_json::from_str::<Readable>(text).map_err(|it| it.to_string());
            assert_eq!(value.map(drop), through.map(drop), "{text}");
        }
    }
}
