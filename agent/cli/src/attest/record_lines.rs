//! Lines of hosts' record logs, as they were carried here: a file, a folder of segments, or the input.
//!
//! **Invariant:** a line is passed on as it stands; what is no record is an error, for it was handed over by mistake.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use bowline_host::door::files;
use bowline_model::byte_size::ByteSize;
use bowline_trust::receipt::Claim;

use crate::failure::{Failure, read_given};

/// All that is read of one place: some hundred logs.
const BYTES_MAX: u64 = 256 << 20;

/// Segments in one folder.
const SEGMENTS_MAX: usize = 10_000;

/// Hosts write no longer records.
const LINE_MAX: ByteSize = ByteSize::from_mib(1);

/// A line, and what it claims.
#[derive(Debug)]
pub(super) struct Entry {
    /// As it stands, without its end.
    pub(super) line: Vec<u8>,
    /// What it claims.
    pub(super) claim: Claim,
}

/// Reads every record of these places; `-` is the input.
pub(super) fn read(places: &[PathBuf]) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for place in places {
        for file in files_of(place)? {
            let bytes = read_given(&file, "record log", BYTES_MAX)?;
            entries.extend(parse(&bytes, place)?);
        }
    }
    Ok(entries)
}

fn files_of(place: &Path) -> Result<Vec<PathBuf>, Failure> {
    if place == Path::new("-") {
        return Ok(vec![PathBuf::from("/dev/stdin")]);
    }
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let names = files::names(place, SEGMENTS_MAX).map_err(Failure::usage)?;
    let logs = names.iter().filter(|it| it.ends_with(".ndjson"));
    let found: Vec<_> = logs.map(|it| place.join(it)).collect();
    if found.is_empty() {
        let what = anyhow!("there is no record log in {}", place.display());
        return Err(Failure::usage(what).hint("a host's lies in records/ of its state folder"));
    }
    Ok(found)
}

fn parse(bytes: &[u8], place: &Path) -> Result<Vec<Entry>, Failure> {
    // A last line without its end is being written.
    let whole = bytes.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
    let lines = bytes.get(..whole).unwrap_or_default().split(|it| *it == b'\n').enumerate();
    let mut entries = Vec::new();
    for (at, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let claim = Claim::read(line, LINE_MAX);
        // Records of before name no key: they are no receipts.
        let Some(claim) = claim else {
            if bowline_trust::receipt::is_record(line) {
                continue;
            }
            let what = anyhow!("{}, line {}: it is no record", place.display(), at + 1);
            return Err(Failure::usage(what).hint("hand over a host's record log as it stands"));
        };
        entries.push(Entry { line: line.to_vec(), claim });
    }
    Ok(entries)
}
