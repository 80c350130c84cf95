//! The one strict YAML reader: bytes in, typed values or faults with file, line and column out.
//!
//! **Invariant:** what two YAML readers could understand differently is refused, never guessed:
//! anchors, tags, merge keys, duplicate keys, directives, numbers that are not written plainly.
//! **Invariant:** size, depth, nodes and documents are limited before anything is built.
//! **Invariant:** one run names every document's faults, not only the first.

pub mod fault;
mod text;
mod plain;
mod tree;
mod build;
mod near;
mod mistake;
mod typed;
mod document;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::de::DeserializeOwned;

pub use self::fault::{Fault, Faults};
use crate::manifest::{Manifest, compose};

pub(crate) use self::document::Document;
pub(crate) use self::near::nearest;

/// Largest file that is read: a manifest is text for people; large content lies in its own file.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Most documents in one file: a fleet's hosts fit, a flood does not.
pub const MAX_DOCUMENTS: usize = 1_000;

/// Reads a file that holds exactly one document.
///
/// `file` is how faults name the file.
///
/// # Errors
/// Every fault found, sorted by place.
pub fn one<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, Faults> {
    one_of(file, bytes, Ok)
}

/// Something wrong with what was read: the field, such as `merge.mergers[1]`, and what is wrong with it. An empty
/// field is the document.
pub(crate) type Slip = (String, String);

/// Reads a file that holds exactly one document, and makes something else of it.
///
/// # Errors
/// Every fault found, sorted by place; what `make` finds stands at the place of its field.
pub(crate) fn one_of<T: DeserializeOwned, U>(
    file: &str,
    bytes: &[u8],
    make: impl FnOnce(T) -> Result<U, Vec<Slip>>,
) -> Result<U, Faults> {
    let label: Arc<str> = file.into();
    let mut faults = Faults::default();
    let mut documents = document::read(&label, bytes, &mut faults).into_iter();
    let first = documents.next();
    if let Some(second) = documents.next() {
        faults.push(second.fault("", "a second document", "exactly one document in this file"));
    }
    let Some(first) = first else {
        if faults.is_empty() {
            let expected = "exactly one document in this file";
            faults.push(Fault::at(&label, 1, 1, "", "no document", expected));
        }
        return Err(faults.sorted());
    };
    match first.typed("", first.value.clone()).map(make) {
        Ok(Ok(value)) if faults.is_empty() => return Ok(value),
        Ok(Ok(_)) => {}
        Ok(Err(slips)) => {
            faults.extend(slips.into_iter().map(|(field, what)| first.fault(&field, what, "")));
        }
        Err(fault) => faults.push(fault),
    }
    Err(faults.sorted())
}

/// Reads a file of manifests; empty documents are skipped.
///
/// Gives the manifests that are well formed, and the faults of all the others. Whoever must not
/// work with half a file looks at the faults first.
pub fn manifests(file: &str, bytes: &[u8]) -> (Vec<Manifest>, Faults) {
    let label: Arc<str> = file.into();
    let mut faults = Faults::default();
    let mut found = Vec::new();
    for document in document::read(&label, bytes, &mut faults) {
        match compose(&document) {
            Ok(manifest) => found.push(manifest),
            Err(more) => faults.extend(more),
        }
    }
    (found, faults.sorted())
}
