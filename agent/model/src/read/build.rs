//! The first pass: YAML events become a tree of places, or faults.
//!
//! **Invariant:** nothing is expanded: an anchor or alias is a fault, so the tree is never larger
//! than its text.

use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};
use serde_yaml::Value;

use super::fault::Fault;
use super::plain;
use super::text::{Piece, narrow};
use super::tree::{Entry, Node, Place, Shape};

/// Deepest nesting: manifests need about ten levels; every reader's stack holds this many.
const MAX_DEPTH: usize = 64;

/// Most values in one document: ten times the largest list of hosts that anyone should read.
const MAX_NODES: usize = 100_000;

/// Most faults told of one document: more would bury the first.
const MAX_FAULTS: usize = 50;

/// Builds the tree of one document. `None`: the document is empty, or `faults` say why not.
pub(super) fn build(file: &Arc<str>, piece: &Piece<'_>, faults: &mut Vec<Fault>) -> Option<Node> {
    let mut build = Build { file, piece, faults, open: Vec::new(), nodes: 0, root: None };
    for event in Parser::new_from_str(piece.text) {
        let step = match event {
            Ok((event, span)) => build.take(event, span.start),
            Err(error) => build.unreadable(&error),
        };
        step?;
    }
    build.root.filter(|_| build.faults.is_empty())
}

struct Build<'a> {
    file: &'a Arc<str>,
    piece: &'a Piece<'a>,
    faults: &'a mut Vec<Fault>,
    open: Vec<Open>,
    nodes: usize,
    root: Option<Node>,
}

/// A list or map that has not ended yet.
enum Open {
    List(Place, Vec<Node>),
    Map(Place, Keys, Vec<Entry>, Option<(String, Place)>),
}

/// Keys of a map, and the line of each.
type Keys = BTreeMap<String, u32>;

/// `None` ends the reading: what follows would only repeat the fault.
type Step = Option<()>;

impl Build<'_> {
    fn take(&mut self, event: Event<'_>, mark: Marker) -> Step {
        let place = self.place(mark);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
            Event::DocumentStart(_) if self.root.is_some() => self.fault(
                place,
                "a second document without its own `---`",
                "a line `---` before it",
            ),
            Event::DocumentStart(_) => Some(()),
            Event::Alias(_) => self.fault(place, "an alias (*)", "the value itself"),
            Event::Scalar(text, style, anchor, tag) => {
                self.marks(place, anchor, tag.is_some())?;
                self.scalar(&text, style, place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.marks(place, anchor, tag.is_some())?;
                self.begin(place, Open::List(place, Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.marks(place, anchor, tag.is_some())?;
                self.begin(place, Open::Map(place, Keys::new(), Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop()? {
                    Open::List(place, items) => Node { place, shape: Shape::List(items) },
                    Open::Map(place, _, entries, _) => Node { place, shape: Shape::Map(entries) },
                };
                self.put(node);
                Some(())
            }
        }
    }

    fn marks(&mut self, place: Place, anchor: usize, tagged: bool) -> Step {
        if anchor != 0 {
            self.fault(place, "an anchor (&)", "the value itself wherever it is needed")?;
        }
        if tagged {
            self.fault(place, "a tag (!)", "the value without a tag")?;
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values in one document");
            self.fault(place, &message, "several documents");
            return None;
        }
        Some(())
    }

    fn begin(&mut self, place: Place, open: Open) -> Step {
        if let Some(Open::Map(_, _, _, None)) = self.open.last() {
            self.fault(place, "a key that is a list or a map", "a text as key");
            return None;
        }
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nesting deeper than {MAX_DEPTH} levels");
            self.fault(place, &message, "a flatter document");
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) -> Step {
        if let Some(Open::Map(_, _, _, None)) = self.open.last() {
            return self.key(text, style, place);
        }
        let value = match style {
            ScalarStyle::Plain => match plain::meaning(text) {
                Ok(value) => value,
                Err((message, expected)) => {
                    self.fault(place, &message, &expected)?;
                    Value::Null
                }
            },
            _ => Value::String(text.to_owned()),
        };
        self.put(Node { place, shape: Shape::Scalar(value) });
        Some(())
    }

    fn key(&mut self, text: &str, style: ScalarStyle, place: Place) -> Step {
        if text == "<<" {
            self.fault(place, "a merge key (<<)", "the merged entries themselves")?;
        }
        // `on:` is a fair key: no reader takes it for another key of the same map.
        let is_text = matches!(text, "on" | "off" | "yes" | "no")
            || matches!(plain::meaning(text), Ok(Value::String(_)));
        if style == ScalarStyle::Plain && !is_text {
            let message = format!("the key `{text}`, which is no text");
            self.fault(place, &message, "a text as key, in quotes where it looks like a number")?;
        }
        let Some(Open::Map(_, keys, _, pending)) = self.open.last_mut() else {
            return None;
        };
        *pending = Some((text.to_owned(), place));
        match keys.insert(text.to_owned(), place.0) {
            None => Some(()),
            Some(first) => {
                let message = format!("a second time in this map (first in line {first})");
                self.fault(place, &message, "each key once")
            }
        }
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, _, entries, pending)) => {
                if let Some((key, place)) = pending.take() {
                    entries.push(Entry { key, place, value: node });
                }
            }
        }
    }

    fn unreadable(&mut self, error: &ScanError) -> Step {
        let place = self.place(*error.marker());
        let line = usize::try_from(place.0 - self.piece.lines_before).unwrap_or(1);
        let written = self.piece.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let indent = written.len() - written.trim_start().len();
        let tabbed = written.get(..indent).is_some_and(|it| it.contains('\t'));
        let expected = if tabbed { "spaces as indentation, not tabs" } else { "YAML" };
        self.fault(place, &format!("not readable as YAML: {}", error.info()), expected);
        None
    }

    fn fault(&mut self, place: Place, message: &str, expected: &str) -> Step {
        let field = self.field();
        self.faults.push(Fault::at(self.file, place.0, place.1, &field, message, expected));
        self.enough()
    }

    fn enough(&self) -> Step {
        (self.faults.len() < MAX_FAULTS).then_some(())
    }

    /// The field that is being read.
    fn field(&self) -> String {
        let mut field = String::new();
        for open in &self.open {
            match open {
                Open::List(_, items) => field = format!("{field}[{}]", items.len()),
                Open::Map(_, _, _, Some((key, _))) => {
                    if !field.is_empty() {
                        field.push('.');
                    }
                    field.push_str(key);
                }
                Open::Map(_, _, _, None) => {}
            }
        }
        field
    }

    fn place(&self, mark: Marker) -> Place {
        (narrow(mark.line()) + self.piece.lines_before, narrow(mark.col()) + 1)
    }
}
