//! A part of the record log, line by line as it stands, for whoever shows it to others.
//!
//! **Invariant:** lines are those of the log, one behind the other: none is left out between two.

use std::collections::VecDeque;
use std::path::Path;

use bowline_api::record::Record;

use super::segments::{numbers, path_of, read_segment, split, whole};
use super::{RecordFailure, line};

/// A record and its line.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub record: Record,
    /// The line, without its end.
    pub line: Vec<u8>,
}

impl Entry {
    /// The payload and the signature of the line, whole.
    pub fn opened(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        line::open(&self.line)
    }
}

/// The wanted records with all between them, one before them and one after, oldest first. Of more than `most` the
/// newest.
pub fn around(
    folder: &Path,
    wanted: impl Fn(&Record) -> bool,
    most: usize,
) -> Result<Vec<Entry>, RecordFailure> {
    let mut ends: Option<(u64, u64)> = None;
    scan(folder, |entry| {
        if wanted(&entry.record) {
            let seq = entry.record.seq;
            ends = Some((ends.map_or(seq, |(first, _)| first), seq));
        }
    })?;
    let Some((first, last)) = ends else { return Ok(Vec::new()) };
    let mut found = VecDeque::new();
    scan(folder, |entry| {
        let seq = entry.record.seq;
        if seq + 1 >= first && seq <= last + 1 {
            found.push_back(entry);
        }
        if found.len() > most {
            found.pop_front();
        }
    })?;
    Ok(found.into())
}

fn scan(folder: &Path, mut each: impl FnMut(Entry)) -> Result<(), RecordFailure> {
    for number in numbers(folder)? {
        let path = path_of(folder, number);
        let bytes = read_segment(&path)?;
        // A last line without its end is being written.
        let lines = bytes.get(..whole(&bytes)).unwrap_or_default();
        for (at, text) in split(lines).enumerate() {
            let read = line::read(text).ok_or_else(|| RecordFailure::Damaged {
                path: path.clone(),
                line: at + 1,
                what: "it is not a record in its envelope".to_owned(),
            })?;
            each(Entry { record: read.record, line: text.to_vec() });
        }
    }
    Ok(())
}
