//! The second pass: a value becomes a type.
//!
//! **Invariant:** nothing is converted on the way: a number is no text, a text is no number.

use serde::de::value::{
    MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer,
};
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_path_to_error::Path;
use serde_yaml::Value;

use super::mistake::Mistake;

/// Makes the typed value, or says what is wrong and on which path.
pub(super) fn make<T: DeserializeOwned>(value: Value) -> Result<T, (Path, Mistake)> {
    serde_path_to_error::deserialize(Typed(value))
        .map_err(|it| (it.path().clone(), it.into_inner()))
}

/// A value that tells its mistakes as data.
struct Typed(Value);

type Entries = MapDeserializer<'static, std::vec::IntoIter<(Typed, Typed)>, Mistake>;

fn entries(map: serde_yaml::Mapping) -> Entries {
    let pairs: Vec<_> = map.into_iter().map(|(key, value)| (Typed(key), Typed(value))).collect();
    MapDeserializer::new(pairs.into_iter())
}

impl IntoDeserializer<'_, Mistake> for Typed {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Typed {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(it) => visitor.visit_bool(it),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(Mistake::custom("a number out of range")),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Sequence(items) => {
                let items: Vec<_> = items.into_iter().map(Typed).collect();
                let mut access = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut access)?;
                access.end()?;
                Ok(value)
            }
            Value::Mapping(map) => {
                let mut access = entries(map);
                let value = visitor.visit_map(&mut access)?;
                access.end()?;
                Ok(value)
            }
            // The first pass refuses tags.
            Value::Tagged(_) => Err(Mistake::custom("a tag")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(StringDeserializer::<Mistake>::new(word)),
            Value::Mapping(map) => {
                MapAccessDeserializer::new(entries(map)).deserialize_enum(name, variants, visitor)
            }
            Value::Bool(it) => Err(unexpected(Unexpected::Bool(it), variants)),
            Value::Null => Err(unexpected(Unexpected::Unit, variants)),
            Value::Number(_) => Err(unexpected(Unexpected::Other("a number"), variants)),
            Value::Sequence(_) => Err(unexpected(Unexpected::Seq, variants)),
            Value::Tagged(_) => Err(unexpected(Unexpected::Other("a tag"), variants)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn unexpected(found: Unexpected<'_>, variants: &'static [&'static str]) -> Mistake {
    let words = format!("one of {}", variants.join(", "));
    Mistake::invalid_type(found, &words.as_str())
}
