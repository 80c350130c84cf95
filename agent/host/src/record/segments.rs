//! The files of the record log: numbered, bounded in size and count, written at the end only.
//!
//! **Invariant:** the newest segment is checked whole when the log is opened: its lines can be read,
//! follow one another, and end with a newline.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bowline_api::record::Record;
use bowline_model::digest::Sha256;

use super::line::{self, Line};
use super::{RecordFailure, Spool};
use crate::door::{barrier, files};
use crate::failure::{Kind, OsFailure};

/// A segment that is larger is followed by another: small enough to be read whole.
pub(super) const SEGMENT_BYTES_MAX: u64 = 4 << 20;

/// A single record is smaller than this, or it is refused.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// Most records are smaller.
const FIRST_LOOK_BYTES: usize = 16 << 10;

/// Files in the folder of records: those of the largest spool, twice over.
const NAMES_MAX: usize = 32 << 10;

/// The files of the log.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    /// Oldest first.
    numbers: Vec<u64>,
    open: Option<Open>,
    spool: Arc<Spool>,
}

/// The newest segment.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Segments {
    pub(super) fn open(folder: &Path, spool: Arc<Spool>) -> Result<Self, RecordFailure> {
        files::make_folder(folder)?;
        let mut segments = Self { spool, ..Self::look(folder)? };
        segments.mend()?;
        Ok(segments)
    }

    /// Looks at the segments while another thread may be writing: changes nothing.
    pub(super) fn look(folder: &Path) -> Result<Self, RecordFailure> {
        let (folder, numbers) = (folder.to_owned(), numbers(folder)?);
        Ok(Self { folder, numbers, open: None, spool: Arc::default() })
    }

    /// Drops a torn last line and checks the rest of the newest segment.
    fn mend(&mut self) -> Result<(), RecordFailure> {
        let Some(number) = self.numbers.last() else {
            return Ok(());
        };
        let path = self.path_of(*number);
        let bytes = read_segment(&path)?;
        let whole = whole(&bytes);
        let lines = parse(&path, bytes.get(..whole).unwrap_or_default())?;
        for (at, pair) in lines.windows(2).enumerate() {
            let [one, two] = pair else { continue };
            if two.record.seq != one.record.seq + 1 || two.record.prev != one.digest.to_string() {
                let what = "it does not follow the line before".to_owned();
                return Err(RecordFailure::Damaged { path, line: at + 2, what });
            }
        }
        let Some(file) = files::edit(&path)? else {
            return Ok(());
        };
        let length = whole as u64;
        if whole < bytes.len() {
            cut(&file, &path, length)?;
        }
        self.open = Some(Open { file, path, length });
        Ok(())
    }

    /// Demands that the lines of the newest segment are signed by a key. Older ones are chained to it by the digests
    /// that were looked at when they were the newest.
    pub(super) fn demand_signer(&self, public: &[u8]) -> Result<(), RecordFailure> {
        let Some(number) = self.numbers.last() else { return Ok(()) };
        let path = self.path_of(*number);
        for (at, text) in split(&read_segment(&path)?).enumerate() {
            if !line::is_signed_by(text, public) {
                let what = "its signature is not the host's".to_owned();
                return Err(RecordFailure::Damaged { path, line: at + 1, what });
            }
        }
        Ok(())
    }

    /// The digest of a record's line; `None` when it is not here.
    pub(super) fn digest(&self, seq: u64) -> Result<Option<Sha256>, RecordFailure> {
        for number in self.numbers.iter().rev() {
            let lines = self.lines(*number)?;
            if let Some(found) = lines.iter().find(|it| it.record.seq == seq) {
                return Ok(Some(found.digest));
            }
            if lines.first().is_some_and(|it| it.record.seq < seq) {
                break;
            }
        }
        Ok(None)
    }

    /// Where the newest segment lies, or would.
    pub(super) fn newest_path(&self) -> PathBuf {
        self.path_of(self.numbers.last().copied().unwrap_or(1))
    }

    /// Adds a line at the end and makes it durable.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), RecordFailure> {
        let mut bytes = line.to_vec();
        bytes.push(b'\n');
        if bytes.len() > LINE_BYTES_MAX {
            let full = nix::errno::Errno::EFBIG;
            return Err(OsFailure::new("add a record to", &self.folder, full).into());
        }
        let fits = |open: &Open| open.length + bytes.len() as u64 <= SEGMENT_BYTES_MAX;
        if !self.open.as_ref().is_some_and(fits) {
            self.begin()?;
        }
        let Some(open) = self.open.as_mut() else {
            return Ok(());
        };
        if let Err(source) = open.file.write_all_at(&bytes, open.length) {
            // A part of a line must not stand before the next one.
            cut(&open.file, &open.path, open.length)?;
            return Err(OsFailure::new("write", &open.path, source).into());
        }
        barrier::data(&open.file, &open.path)?;
        open.length += bytes.len() as u64;
        Ok(())
    }

    /// Begins a new segment, and drops the oldest when there are too many.
    fn begin(&mut self) -> Result<(), RecordFailure> {
        let number = self.numbers.last().map_or(1, |it| it + 1);
        let path = self.path_of(number);
        let file = files::create(&path, 0o600)?;
        barrier::whole(files::open_folder(&self.folder)?, &self.folder)?;
        self.open = Some(Open { file, path, length: 0 });
        self.numbers.push(number);
        while self.numbers.len() > self.spool.segments_max() {
            let oldest = self.numbers.remove(0);
            let next = self.numbers.first().map(|it| first_seq(&self.path_of(*it)));
            if let Some(first) = next.transpose()?.flatten() {
                self.spool.drop_up_to(first.saturating_sub(1));
            }
            files::remove(&self.path_of(oldest))?;
        }
        Ok(())
    }

    /// The newest lines, newest first.
    pub(super) fn newest(&self, count: usize) -> Result<Vec<Line>, RecordFailure> {
        let mut found = Vec::new();
        for number in self.numbers.iter().rev() {
            let lines = self.lines(*number)?;
            found.extend(lines.into_iter().rev().take(count.saturating_sub(found.len())));
            if found.len() >= count {
                break;
            }
        }
        Ok(found)
    }

    /// Records that are wanted, newest first.
    pub(super) fn find(
        &self,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Vec<Record>, RecordFailure> {
        let mut found = Vec::new();
        for number in self.numbers.iter().rev() {
            let records = self.lines(*number)?.into_iter().rev().map(|it| it.record);
            let before = found.len();
            found.extend(records.filter(&wanted));
            // They lie together, over two segments at most.
            if before > 0 && found.len() == before {
                break;
            }
        }
        Ok(found)
    }

    /// Lines after a sequence, oldest first, as they stand.
    pub(super) fn after(&self, seq: u64, count: usize) -> Result<Vec<String>, RecordFailure> {
        let mut found = Vec::new();
        for number in self.numbers.iter().skip(self.segment_after(seq)?) {
            if found.len() >= count {
                break;
            }
            let path = self.path_of(*number);
            let bytes = read_segment(&path)?;
            for (line, text) in parse(&path, &bytes)?.iter().zip(split(&bytes)) {
                if line.record.seq > seq && found.len() < count {
                    found.push(String::from_utf8_lossy(text).into_owned());
                }
            }
        }
        Ok(found)
    }

    /// Where the segment stands that holds the record after a sequence, looked for from the newest.
    fn segment_after(&self, seq: u64) -> Result<usize, RecordFailure> {
        for (at, number) in self.numbers.iter().enumerate().rev() {
            let first = self.lines(*number)?.first().map(|it| it.record.seq);
            if first.is_some_and(|first| first <= seq + 1) {
                return Ok(at);
            }
        }
        Ok(0)
    }

    /// All lines of one segment.
    fn lines(&self, number: u64) -> Result<Vec<Line>, RecordFailure> {
        let path = self.path_of(number);
        let bytes = read_segment(&path)?;
        // A last line without its end is being written.
        parse(&path, bytes.get(..whole(&bytes)).unwrap_or_default())
    }

    fn path_of(&self, number: u64) -> PathBuf {
        path_of(&self.folder, number)
    }
}

/// Where a segment lies.
pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.ndjson"))
}

/// The sequence of a segment's first record; `None` when it has none, or is gone.
pub(super) fn first_seq(path: &Path) -> Result<Option<u64>, RecordFailure> {
    for limit in [FIRST_LOOK_BYTES, LINE_BYTES_MAX] {
        let Some(bytes) = files::read_part(path, 0, limit)? else {
            return Ok(None);
        };
        if let Some(end) = bytes.iter().position(|it| *it == b'\n') {
            let read = line::read(bytes.get(..end).unwrap_or_default());
            let line = read.ok_or_else(|| RecordFailure::Damaged {
                path: path.to_owned(),
                line: 1,
                what: "it is not a record in its envelope".to_owned(),
            })?;
            return Ok(Some(line.record.seq));
        }
    }
    Ok(None)
}

/// Numbers of the segments in a folder, oldest first; a gap is damage.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u64>, RecordFailure> {
    let number = |name: &String| name.strip_suffix(".ndjson")?.parse::<u64>().ok();
    let numbers: Vec<u64> = files::names(folder, NAMES_MAX)?.iter().filter_map(number).collect();
    let gap = numbers.windows(2).find(|pair| matches!(pair, [one, two] if *two != one + 1));
    match gap.and_then(|pair| pair.first()) {
        Some(before) => {
            let path = folder.join(format!("{:08}.ndjson", before + 1));
            let what = "the segment is missing".to_owned();
            Err(RecordFailure::Damaged { path, line: 0, what })
        }
        None => Ok(numbers),
    }
}

/// A segment's bytes.
pub(super) fn read_segment(path: &Path) -> Result<Vec<u8>, OsFailure> {
    Ok(files::read(path, SEGMENT_BYTES_MAX + LINE_BYTES_MAX as u64)?.unwrap_or_default())
}

/// Where the last whole line ends. A line holds no zero byte; one whose end came to the disk in a power
/// cut, and a sector before it did not, does.
pub(super) fn whole(bytes: &[u8]) -> usize {
    let behind = |bytes: &[u8]| bytes.iter().rposition(|it| *it == b'\n').map_or(0, |at| at + 1);
    let end = behind(bytes);
    let begin = behind(bytes.get(..end.saturating_sub(1)).unwrap_or_default());
    let is_torn = bytes.get(begin..end).is_some_and(|line| line.contains(&0));
    if is_torn { begin } else { end }
}

/// Lines of a segment, without their ends.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|it| !it.is_empty())
}

/// Reads every line of a segment; one that is no record is damage.
fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Line>, RecordFailure> {
    let read = |(at, bytes): (usize, &[u8])| {
        line::read(bytes).ok_or_else(|| RecordFailure::Damaged {
            path: path.to_owned(),
            line: at + 1,
            what: "it is not a record in its envelope".to_owned(),
        })
    };
    split(bytes).enumerate().map(read).collect()
}

/// Cuts a segment off behind its last whole line.
fn cut(file: &File, path: &Path, length: u64) -> Result<(), OsFailure> {
    file.set_len(length)
        .map_err(|source| OsFailure { kind: Kind::Fatal, ..OsFailure::new("cut", path, source) })?;
    barrier::data(file, path)
}
