//! A document's values, each with its place.
//!
//! **Invariant:** every value knows the line and column in the file at which it was written.

use serde_yaml::Value;

/// Where something stands: line and column, from 1.
pub(crate) type Place = (u32, u32);

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it begins.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) shape: Shape,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// One value.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A map, in its written order.
    Map(Vec<Entry>),
}

/// One line of a map.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Entry {
    /// Where a person looks for it: a single value at the value, a list or map at its key.
    pub(crate) fn named_at(&self) -> Place {
        match self.value.shape {
            Shape::Scalar(_) => self.value.place,
            Shape::List(_) | Shape::Map(_) => self.place,
        }
    }
}

impl Node {
    /// The entry of a map.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.shape {
            Shape::Map(entries) => entries.iter().find(|it| it.key == key),
            Shape::Scalar(_) | Shape::List(_) => None,
        }
    }

    /// The value of a map's entry.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|it| &it.value)
    }

    /// The text, when it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(value) => value.as_str(),
            Shape::List(_) | Shape::Map(_) => None,
        }
    }

    /// Where another reader saw something else; `None`: nowhere.
    pub(super) fn differs(&self, value: &Value) -> Option<Place> {
        let differs = match (&self.shape, value) {
            (Shape::List(items), Value::Sequence(seen)) if items.len() == seen.len() => {
                return items.iter().zip(seen).find_map(|(item, seen)| item.differs(seen));
            }
            (Shape::Map(entries), Value::Mapping(seen)) if entries.len() == seen.len() => {
                return entries.iter().find_map(|entry| match seen.get(entry.key.as_str()) {
                    Some(seen) => entry.value.differs(seen),
                    None => Some(entry.place),
                });
            }
            (Shape::Scalar(own), seen) => own != seen,
            (Shape::List(_) | Shape::Map(_), _) => true,
        };
        differs.then_some(self.place)
    }
}
