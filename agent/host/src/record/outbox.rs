//! The record log as it is sent on: parcels of whole lines, one behind the other.
//!
//! **Invariant:** nothing is given out that is not durable: a record that was sent and then lost in a
//! power cut would come again as another one.

use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;

use super::RecordFailure;
use super::segments::{LINE_BYTES_MAX, SEGMENT_BYTES_MAX, first_seq, numbers, path_of};
use crate::door::{barrier, files};

/// How much a parcel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Lines.
    pub lines: u64,
    /// Bytes; a single line may be larger.
    pub bytes: usize,
}

/// Some records as they are sent, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The sequence of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The lines.
    pub body: Vec<u8>,
}

/// Reads the log in order, while another thread writes it.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    /// Where the last parcel ended.
    place: Option<Place>,
}

/// The beginning of a line.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    offset: u64,
    seq: u64,
}

impl Outbox {
    /// Looks into a folder of records.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), place: None }
    }

    /// Makes durable what an earlier process may have left on its way to the disk.
    pub fn settle(&self) -> Result<(), RecordFailure> {
        if let Some(newest) = numbers(&self.folder)?.last() {
            let path = path_of(&self.folder, *newest);
            if let Some(file) = files::look(&path)? {
                barrier::data(&file, &path)?;
            }
        }
        Ok(())
    }

    /// The records behind `acked` and up to `kept`, which is durable; `None` when there are none. The first
    /// may be a later one: then those before are gone.
    pub fn after(
        &mut self,
        acked: u64,
        kept: u64,
        most: Most,
    ) -> Result<Option<Parcel>, RecordFailure> {
        if acked >= kept {
            return Ok(None);
        }
        let place = self.place.take().filter(|it| it.seq == acked + 1);
        let mut next = match place {
            Some(place) => Some(place),
            None => self.seek(acked + 1)?,
        };
        // A place at a segment's end, or in one that was dropped, is sought once more.
        for again in [true, false] {
            let Some(place) = next else { break };
            if let Some(parcel) = self.read(place, kept, most)? {
                return Ok(Some(parcel));
            }
            next = if again { self.seek(place.seq)? } else { None };
        }
        Ok(None)
    }

    /// The digest of a record's envelope; `None` when the record is not there.
    pub fn digest(&self, seq: u64) -> Result<Option<Sha256>, RecordFailure> {
        let one = Most { lines: 1, bytes: 1 };
        let found = Self::of(&self.folder).after(seq.saturating_sub(1), seq, one)?;
        let line = found.filter(|it| it.first == seq).map(|it| it.body);
        Ok(line.map(|it| Sha256::of(it.strip_suffix(b"\n").unwrap_or(&it))))
    }

    /// How many bytes lie behind a sequence, as good as that is known without reading them: a segment
    /// that is followed by another counts as full.
    pub fn bytes_behind(&self, acked: u64) -> Result<u64, RecordFailure> {
        let here = self.place.filter(|it| it.seq == acked + 1);
        let place = match here {
            Some(place) => Some(place),
            None => self.seek(acked + 1)?,
        };
        let newest = numbers(&self.folder)?.last().copied();
        let (Some(place), Some(newest)) = (place, newest) else { return Ok(0) };
        let between = newest.saturating_sub(place.number).saturating_mul(SEGMENT_BYTES_MAX);
        let last = files::length(&path_of(&self.folder, newest))?;
        Ok((between + last).saturating_sub(place.offset))
    }

    /// The whole lines from a place on.
    fn read(
        &mut self,
        place: Place,
        kept: u64,
        most: Most,
    ) -> Result<Option<Parcel>, RecordFailure> {
        let path = path_of(&self.folder, place.number);
        // A line that is larger than the parcel is sent alone.
        let limit = most.bytes.max(LINE_BYTES_MAX);
        let Some(mut body) = files::read_part(&path, place.offset, limit)? else {
            return Ok(None);
        };
        let (mut count, mut end) = (0, 0);
        let lines_max = most.lines.min((kept + 1).saturating_sub(place.seq));
        for line in body.split_inclusive(|it| *it == b'\n') {
            let fits = count == 0 || end + line.len() <= most.bytes;
            if !line.ends_with(b"\n") || count >= lines_max || !fits {
                break;
            }
            count += 1;
            end += line.len();
        }
        if count == 0 {
            return Ok(None);
        }
        body.truncate(end);
        let (offset, seq) = (place.offset + end as u64, place.seq + count);
        self.place = Some(Place { offset, seq, ..place });
        Ok(Some(Parcel { first: place.seq, count, body }))
    }

    /// Where the record of a sequence begins, or the oldest one when that is gone.
    fn seek(&self, seq: u64) -> Result<Option<Place>, RecordFailure> {
        let mut oldest = None;
        for number in numbers(&self.folder)?.into_iter().rev() {
            let path = path_of(&self.folder, number);
            let Some(first) = first_seq(&path)? else { continue };
            oldest = Some(Place { number, offset: 0, seq: first });
            if first <= seq {
                return Ok(Some(Place { number, offset: skip(&path, seq - first)?, seq }));
            }
        }
        Ok(oldest)
    }
}

/// Where the line begins that so many others stand before; the end when there are fewer.
fn skip(path: &Path, lines: u64) -> Result<u64, RecordFailure> {
    let bytes = super::segments::read_segment(path)?;
    let count = usize::try_from(lines).unwrap_or(usize::MAX);
    let before = bytes.split_inclusive(|it| *it == b'\n').take(count);
    Ok(before.map(|it| it.len() as u64).sum())
}
