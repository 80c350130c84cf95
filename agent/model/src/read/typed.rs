//! The second pass: a value becomes a type.
//!
//! **Invariant:** nothing is converted on the way: a number is no text, a text is no number.
//! **Invariant:** what goes wrong below a field or an entry names it, from the outermost on.

use std::fmt::{self, Display};
use std::vec;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_yaml::{Mapping, Sequence, Value, mapping};

use super::mistake::Mistake;

/// A step from a value to one below it.
#[derive(Debug)]
pub(super) enum Part {
    /// A map's field.
    Field(String),
    /// The word of a choice that bears a value.
    Choice(String),
    /// A list's entry.
    Entry(usize),
}

/// What is wrong, and where: the innermost step first.
#[derive(Debug)]
struct Misplaced {
    steps: Vec<Part>,
    mistake: Mistake,
}

/// Makes the typed value, or says what is wrong and on which path.
pub(super) fn make<T: DeserializeOwned>(value: Value) -> Result<T, (Vec<Part>, Mistake)> {
    T::deserialize(Typed(value)).map_err(|Misplaced { mut steps, mistake }| {
        steps.reverse();
        (steps, mistake)
    })
}

/// A value that tells its mistakes as data.
struct Typed(Value);

impl<'de> Deserializer<'de> for Typed {
    type Error = Misplaced;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misplaced> {
        match self.0 {
            Value::Sequence(items) => list(items, visitor),
            Value::Mapping(map) => fields(map, visitor),
            scalar => plain(scalar, visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misplaced> {
        match self.0 {
            Value::Sequence(items) => list(items, visitor),
            other => Err(Misplaced::invalid_type(found(&other), &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misplaced> {
        match self.0 {
            Value::Mapping(map) => fields(map, visitor),
            other => Err(Misplaced::invalid_type(found(&other), &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misplaced> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misplaced> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misplaced> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misplaced> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(StringDeserializer::<Misplaced>::new(word)),
            Value::Mapping(map) => {
                let choice = MapAccessDeserializer::new(Fields::of(map, Part::Choice));
                choice.deserialize_enum(name, variants, visitor)
            }
            other => {
                let words = format!("one of {}", variants.join(", "));
                Err(Misplaced::invalid_type(found(&other), &words.as_str()))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// What stands where something else is wanted.
fn found(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(it) => Unexpected::Bool(*it),
        Value::Number(_) => Unexpected::Other("a number"),
        Value::String(text) => Unexpected::Str(text),
        Value::Sequence(_) => Unexpected::Seq,
        Value::Mapping(_) => Unexpected::Map,
        Value::Tagged(_) => Unexpected::Other("a tag"),
    }
}

/// A value without others below it.
fn plain<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, Misplaced> {
    match value {
        Value::Null => visitor.visit_unit(),
        Value::Bool(it) => visitor.visit_bool(it),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => visitor.visit_u64(number),
            (None, Some(number), _) => visitor.visit_i64(number),
            (None, None, Some(number)) => visitor.visit_f64(number),
            (None, None, None) => Err(Misplaced::custom("a number out of range")),
        },
        Value::String(text) => visitor.visit_string(text),
        // The first pass refuses tags.
        other => Err(Misplaced::invalid_type(found(&other), &visitor)),
    }
}

fn list<'de, V: Visitor<'de>>(items: Sequence, visitor: V) -> Result<V::Value, Misplaced> {
    let mut entries = Entries::of(items);
    let value = visitor.visit_seq(&mut entries)?;
    whole(entries.next, entries.left.len(), value)
}

fn fields<'de, V: Visitor<'de>>(map: Mapping, visitor: V) -> Result<V::Value, Misplaced> {
    let count = map.len();
    let mut fields = Fields::of(map, Part::Field);
    let value = visitor.visit_map(&mut fields)?;
    let left = fields.left.len();
    whole(count - left, left, value)
}

/// The value, unless something of the list or map was not asked for.
fn whole<T>(taken: usize, left: usize, value: T) -> Result<T, Misplaced> {
    if left == 0 {
        return Ok(value);
    }
    Err(Misplaced::invalid_length(taken + left, &format!("{taken} entries").as_str()))
}

/// A list's entries.
struct Entries {
    left: vec::IntoIter<Value>,
    next: usize,
}

impl Entries {
    fn of(items: Sequence) -> Self {
        Self { left: items.into_iter(), next: 0 }
    }
}

impl<'de> SeqAccess<'de> for Entries {
    type Error = Misplaced;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Misplaced> {
        let Some(value) = self.left.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(Typed(value)).map(Some).map_err(|it| it.below(Part::Entry(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// A map's fields.
struct Fields {
    left: mapping::IntoIter,
    /// What the field is whose value comes next.
    part: fn(String) -> Part,
    value: Option<(String, Value)>,
}

impl Fields {
    fn of(map: Mapping, part: fn(String) -> Part) -> Self {
        Self { left: map.into_iter(), part, value: None }
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Misplaced;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Misplaced> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        let name = key.as_str().unwrap_or_default().to_owned();
        self.value = Some((name, value));
        seed.deserialize(Typed(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misplaced> {
        let Some((name, value)) = self.value.take() else {
            return Err(Misplaced::custom("a value without its field"));
        };
        seed.deserialize(Typed(value)).map_err(|it| it.below((self.part)(name)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

impl Misplaced {
    fn below(mut self, step: Part) -> Self {
        self.steps.push(step);
        self
    }
}

impl From<Mistake> for Misplaced {
    fn from(mistake: Mistake) -> Self {
        Self { steps: Vec::new(), mistake }
    }
}

impl Error for Misplaced {
    fn custom<T: Display>(message: T) -> Self {
        Mistake::custom(message).into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mistake::invalid_type(found, expected).into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mistake::invalid_value(found, expected).into()
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Mistake::invalid_length(length, expected).into()
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Mistake::unknown_variant(word, known).into()
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Mistake::unknown_field(name, known).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Mistake::missing_field(field).into()
    }
}

impl Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mistake.fmt(f)
    }
}

impl std::error::Error for Misplaced {}
