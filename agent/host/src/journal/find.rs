//! Finds the journal that an earlier process left, and tells whether it is whole.
//!
//! **Invariant:** never "start fresh": a journal that is not as it was written is reported as damage.
//! **Invariant:** what is given is durable, and its tail mark says so: recovery acts on it.

use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;
use bowline_model::mark::{JOURNAL_BYTES_MAX, Mark};

use super::tail::{Said, Tail};
use super::{HEADER, Journal, JournalFailure, frame};
use crate::door::{barrier, files};

/// What an earlier process left.
#[derive(Debug)]
pub enum Found {
    /// No transaction.
    Nothing,
    /// A transaction and its records.
    Whole {
        /// The journal, ready for more.
        journal: Journal,
        /// What it holds.
        marks: Vec<Mark>,
    },
    /// Something that is not a journal as it was written.
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

/// Looks for a journal in its folder.
pub fn find(folder: &Path) -> Result<Found, JournalFailure> {
    let names = files::names(folder, 1000)?;
    let of = |extension: &str| -> Vec<PathBuf> {
        let ending = |name: &&String| Path::new(name).extension().is_some_and(|it| it == extension);
        names.iter().filter(ending).map(|name| folder.join(name)).collect()
    };
    let (journals, tails) = (of("wal"), of("tail"));
    match (journals.as_slice(), tails.as_slice()) {
        ([], []) => Ok(Found::Nothing),
        ([], [tail, ..]) => lone_tail(tail),
        ([path], tails) if tails.iter().all(|tail| *tail == path.with_extension("tail")) => {
            read(path)
        }
        _ => Ok(Found::Damaged {
            path: folder.to_owned(),
            detail: format!("{} journals and {} tail marks, not one", journals.len(), tails.len()),
        }),
    }
}

/// A tail mark without a journal: harmless only if nothing had been recorded.
fn lone_tail(path: &Path) -> Result<Found, JournalFailure> {
    let said = Tail::open(path)?.and_then(|tail| tail.read());
    match said {
        None => {
            files::remove(path)?;
            Ok(Found::Nothing)
        }
        Some(said) => Ok(Found::Damaged {
            path: path.to_owned(),
            detail: format!("the journal is lost; its tail mark says {} records", said.seq),
        }),
    }
}

fn read(path: &Path) -> Result<Found, JournalFailure> {
    let damaged = |detail: String| Ok(Found::Damaged { path: path.to_owned(), detail });
    let Some(bytes) = files::read(path, JOURNAL_BYTES_MAX)? else {
        return Ok(Found::Nothing);
    };
    let tail = Tail::open(&path.with_extension("tail"))?;
    let said = tail.as_ref().and_then(Tail::read);
    let Some(body) = bytes.strip_prefix(HEADER) else {
        // Made, and the power went before its first bytes were durable.
        return if said.is_none() && is_unbegun(&bytes) {
            drop_unwritten(path)
        } else {
            damaged("it does not begin as a journal does".to_owned())
        };
    };
    let scan = scan(body);
    if let Err(detail) = agree(&scan, said.as_ref()) {
        return damaged(detail);
    }
    // The first mark is durable before a second record is written.
    if tail.is_some() && said.is_none() && scan.marks.len() > 1 {
        return damaged("its tail mark cannot be read".to_owned());
    }
    let Some(mut tail) = tail else {
        // The tail mark is the first thing removed when a transaction is over.
        return match scan.marks.last() {
            None => drop_unwritten(path),
            Some(Mark::End { .. }) => drop_unwritten(path),
            Some(_) => damaged("its tail mark is lost".to_owned()),
        };
    };
    let Some(file) = files::edit(path)? else {
        return Ok(Found::Nothing);
    };
    let offset = (HEADER.len() + scan.length) as u64;
    let (seq, last) = (scan.marks.len() as u64, scan.last);
    // A process that was killed at its barrier left records that are in the page cache only, perhaps.
    if said.map_or(0, |it| it.seq) < seq {
        barrier::data(&file, path)?;
        tail.set(seq, &last)?;
    }
    let journal = Journal { file, path: path.to_owned(), tail, offset, seq, last };
    Ok(Found::Whole { journal, marks: scan.marks })
}

/// Whether nothing but the beginning of the header, or nothing at all, was ever written.
fn is_unbegun(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    HEADER.starts_with(bytes.get(..end).unwrap_or_default())
}

fn drop_unwritten(path: &Path) -> Result<Found, JournalFailure> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    files::remove(&path.with_extension("tail"))?;
    barrier::whole(files::open_folder(folder)?, folder)?;
    files::remove(path)?;
    Ok(Found::Nothing)
}

struct Scan {
    marks: Vec<Mark>,
    digests: Vec<Sha256>,
    last: Sha256,
    length: usize,
    torn: bool,
}

fn scan(body: &[u8]) -> Scan {
    let last = Sha256::of(HEADER);
    let mut scan = Scan { marks: Vec::new(), digests: Vec::new(), last, length: 0, torn: false };
    while let Some(rest) = body.get(scan.length..) {
        match frame::read(rest, scan.marks.len() as u64 + 1, &scan.last) {
            frame::Read::Frame { mark, digest, length } => {
                scan.marks.push(*mark);
                scan.digests.push(digest);
                scan.last = digest;
                scan.length += length;
            }
            frame::Read::Empty => break,
            frame::Read::Bad => {
                scan.torn = true;
                break;
            }
        }
    }
    scan
}

/// Holds the journal against its tail mark.
fn agree(scan: &Scan, said: Option<&Said>) -> Result<(), String> {
    let Some(said) = said else {
        // Without a tail mark nothing was ever durable, unless the mark itself is lost.
        return Ok(());
    };
    let index = usize::try_from(said.seq).unwrap_or(usize::MAX).wrapping_sub(1);
    match scan.digests.get(index) {
        Some(digest) if *digest == said.digest => Ok(()),
        Some(_) => Err(format!("record {} is not the one that its tail mark names", said.seq)),
        None => Err(format!(
            "{} of {} records can be read{}",
            scan.marks.len(),
            said.seq,
            if scan.torn { "; the next one is damaged" } else { "; the rest is missing" },
        )),
    }
}
