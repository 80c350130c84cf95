//! One document: its values, and where each stands.
//!
//! **Invariant:** two independent readers of YAML saw the same values, else the document is refused.

use std::sync::Arc;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_yaml::{Deserializer, Value};

use super::build;
use super::fault::{Fault, Faults};
use super::mistake::Mistake;
use super::near::nearest;
use super::text::{self, Piece, narrow};
use super::tree::{Node, Place, Shape};
use super::typed::{self, Part};

/// A document that passed the first pass.
#[derive(Debug)]
pub(crate) struct Document {
    /// The file, as the caller named it.
    pub(crate) file: Arc<str>,
    /// Its values with their places.
    pub(crate) root: Node,
    /// Its values.
    pub(crate) value: Value,
}

/// Reads all documents that are not empty.
pub(super) fn read(file: &Arc<str>, bytes: &[u8], faults: &mut Faults) -> Vec<Document> {
    let pieces = text::check(bytes).and_then(text::cut);
    let pieces = match pieces {
        Ok(pieces) => pieces,
        Err((line, column, message, expected)) => {
            faults.push(Fault::at(file, line, column, "", message, expected));
            return Vec::new();
        }
    };
    pieces.iter().filter_map(|piece| read_piece(file, piece, faults)).collect()
}

fn read_piece(file: &Arc<str>, piece: &Piece<'_>, faults: &mut Faults) -> Option<Document> {
    let mut found = Vec::new();
    let root = build::build(file, piece, &mut found);
    faults.extend(found);
    let root = root?;
    if matches!(root.shape, Shape::Scalar(Value::Null)) {
        return None;
    }
    match second_reading(piece, &root) {
        Ok(value) => Some(Document { file: Arc::clone(file), root, value }),
        Err((line, column)) => {
            let message = "text that YAML readers understand differently";
            // Readers differ on whether a block that the file's end cuts off has a last line end.
            let expected = if piece.text.ends_with('\n') {
                "plainer YAML: one value a line, blanks after `:` and `,`, quotes"
            } else {
                "a line end at the end of the file"
            };
            faults.push(Fault::at(file, line, column, "", message, expected));
            None
        }
    }
}

/// Reads the text again with a parser that other people wrote: where the two disagree, a reviewer
/// would be misled by one of them. Gives the place of the first disagreement.
fn second_reading(piece: &Piece<'_>, root: &Node) -> Result<Value, Place> {
    let mut documents = Deserializer::from_str(piece.text);
    let value = match documents.next().map(Value::deserialize) {
        Some(Ok(value)) => value,
        Some(Err(error)) => {
            return Err(error.location().map_or(root.place, |at| {
                (narrow(at.line()) + piece.lines_before, narrow(at.column()))
            }));
        }
        None => return Err(root.place),
    };
    let extra = documents.next().map(|_| root.place);
    root.differs(&value).or(extra).map_or(Ok(value), Err)
}

impl Document {
    /// Makes a typed value of the part at `field`, one level below the document, or of the whole
    /// document when `field` is empty.
    pub(crate) fn typed<T: DeserializeOwned>(&self, field: &str, value: Value) -> Result<T, Fault> {
        typed::make(value).map_err(|(path, mistake)| {
            let whole = (&self.root, self.root.place);
            let from = step_into_map(&self.root, field).unwrap_or(whole);
            self.explain(from, field, &path, &mistake)
        })
    }

    /// A fault at a field written like `spec.path` or `dependsOn[0]`, or at the nearest one above
    /// it that was written.
    pub(crate) fn fault(
        &self,
        field: &str,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Fault {
        let (line, column) = self.place_of(field);
        Fault::at(&self.file, line, column, field, message, expected)
    }

    /// Names the place of every field down to the second level: what later faults refer to.
    pub(crate) fn each_place(&self, note: &mut impl FnMut(String, Place)) {
        let Shape::Map(entries) = &self.root.shape else {
            return;
        };
        for entry in entries {
            note(entry.key.clone(), entry.named_at());
            match &entry.value.shape {
                Shape::Scalar(_) => {}
                Shape::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        note(format!("{}[{index}]", entry.key), item.place);
                    }
                }
                Shape::Map(inner) => {
                    for it in inner {
                        note(format!("{}.{}", entry.key, it.key), it.named_at());
                    }
                }
            }
        }
    }

    fn place_of(&self, field: &str) -> Place {
        let (mut node, mut place) = (&self.root, self.root.place);
        for part in field.split(['.', '[']).filter(|it| !it.is_empty()) {
            let next = match part.strip_suffix(']').map(str::parse::<usize>) {
                Some(Ok(index)) => step_into_list(node, index),
                _ => step_into_map(node, part),
            };
            let Some((below, at)) = next else { break };
            (node, place) = (below, at);
        }
        place
    }

    fn explain(
        &self,
        (mut node, mut place): (&Node, Place),
        prefix: &str,
        path: &[Part],
        mistake: &Mistake,
    ) -> Fault {
        let mut field = prefix.to_owned();
        for segment in path {
            let (next, word) = match segment {
                Part::Entry(index) => (step_into_list(node, *index), format!("[{index}]")),
                Part::Field(key) => (step_into_map(node, key), format!(".{key}")),
                Part::Choice(word) => (step_into_map(node, word), String::new()),
            };
            field.push_str(&word);
            if let Some((below, at)) = next {
                (node, place) = (below, at);
            }
        }
        let (message, expected) = match mistake {
            Mistake::UnknownField { name, known } => {
                if let Some((_, at)) = step_into_map(node, name) {
                    place = at;
                    field = format!("{field}.{name}");
                }
                (mistake.to_string(), suggestion(name, known))
            }
            Mistake::UnknownWord { word, known } => (mistake.to_string(), suggestion(word, known)),
            Mistake::Missing(name) => {
                field = format!("{field}.{name}");
                (mistake.to_string(), String::new())
            }
            Mistake::Mismatch { expected, .. } => (mistake.to_string(), expected.clone()),
            Mistake::Other(_) => (mistake.to_string(), String::new()),
        };
        let field = field.trim_start_matches('.');
        Fault::at(&self.file, place.0, place.1, field, message, expected)
    }
}

/// A list's entry, and where it stands.
fn step_into_list(node: &Node, index: usize) -> Option<(&Node, Place)> {
    match &node.shape {
        Shape::List(items) => items.get(index).map(|it| (it, it.place)),
        Shape::Scalar(_) | Shape::Map(_) => None,
    }
}

/// A map's value, and the place by which it is named.
fn step_into_map<'a>(node: &'a Node, key: &str) -> Option<(&'a Node, Place)> {
    let entry = node.entry(key)?;
    Some((&entry.value, entry.named_at()))
}

/// What to write instead of an unknown word.
fn suggestion(word: &str, known: &[&str]) -> String {
    match (nearest(word, known.iter().copied()), known) {
        (Some(meant), _) => format!("`{meant}` (did you mean that?)"),
        (None, []) => "nothing here".to_owned(),
        (None, _) => format!("one of {}", known.join(", ")),
    }
}
