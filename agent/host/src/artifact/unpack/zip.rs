//! Reads zip archives: stored and deflated members by the directory at their end, and nothing else.
//!
//! **Invariant:** directory and members agree, and no two members share bytes.

use std::io::{Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::{MEMBERS_MAX, Sink};
use crate::artifact::bad_archive::BadArchive;

/// The end of the directory, without its comment.
const END: usize = 22;

/// A comment's length is written in two bytes.
const COMMENT_MAX: usize = 0xffff;

/// One line of the directory, without its name.
const LINE: usize = 46;

/// What stands before a member, without its name.
const LOCAL: usize = 30;

/// Bytes of the directory: names are limited anyway.
const DIRECTORY_MAX: u64 = 16 << 20;

/// Longest text of a link.
const LINK_MAX: u64 = 4_095;

/// One line of the directory.
#[derive(Debug)]
struct Line {
    name: Vec<u8>,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Mode and type, where it was made on a system that has such.
    mode: Option<u32>,
    at: u64,
}

/// Reads a whole archive.
pub(super) fn read(mut from: impl Read + Seek, to: &mut Sink<'_>) -> Result<(), BadArchive> {
    let archive = to.archive.clone();
    let failed = |it| BadArchive::of_read(&archive, it);
    let length = from.seek(SeekFrom::End(0)).map_err(failed)?;
    let tail = length.min((END + COMMENT_MAX) as u64);
    from.seek(SeekFrom::Start(length - tail)).map_err(failed)?;
    let mut bytes = Vec::new();
    from.by_ref().take(tail).read_to_end(&mut bytes).map_err(failed)?;
    let (count, size, begin) = end_of(&bytes)?;
    if begin.saturating_add(size) > length {
        return Err(BadArchive::damaged("its directory lies elsewhere"));
    }
    let mut directory = Vec::new();
    from.seek(SeekFrom::Start(begin)).map_err(failed)?;
    from.by_ref().take(size).read_to_end(&mut directory).map_err(failed)?;
    let mut lines = lines(&directory, count)?;
    lines.sort_by_key(|it| it.at);
    let mut free = 0;
    for line in &lines {
        if line.at < free {
            return Err(BadArchive::path(&line.name, "shares bytes with another"));
        }
        free = member(&mut from, line, begin, to)?;
    }
    Ok(())
}

/// How many members, and where the directory of them lies.
fn end_of(tail: &[u8]) -> Result<(usize, u64, u64), BadArchive> {
    let is_end = |at: &usize| {
        let end = Fields(tail.get(*at..).unwrap_or_default());
        end.0.starts_with(b"PK\x05\x06") && at + END + usize::from(end.two(20)) == tail.len()
    };
    let last = tail.len().checked_sub(END);
    let at = last.and_then(|last| (0..=last).rev().find(is_end));
    let Some(at) = at else { return Err(BadArchive::damaged("it has no directory at its end")) };
    let end = Fields(tail.get(at..).unwrap_or_default());
    let (count, size, begin) = (end.two(10), end.four(12), end.four(16));
    if count == u16::MAX || size == u32::MAX || begin == u32::MAX {
        return Err(BadArchive::damaged("it is a zip64 archive, which only larger ones need"));
    }
    if end.two(4) != 0 || end.two(6) != 0 || end.two(8) != count {
        return Err(BadArchive::damaged("it is one of several parts"));
    }
    let (count, size) = (usize::from(count), u64::from(size));
    if count > MEMBERS_MAX || size > DIRECTORY_MAX {
        return Err(BadArchive::TooLarge { limit: format!("{MEMBERS_MAX} members") });
    }
    Ok((count, size, u64::from(begin)))
}

fn lines(directory: &[u8], count: usize) -> Result<Vec<Line>, BadArchive> {
    let mut rest = directory;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let line = Fields(rest);
        if !rest.starts_with(b"PK\x01\x02") || rest.len() < LINE {
            return Err(BadArchive::damaged("its directory makes no sense"));
        }
        let (name, extra, comment) = (line.two(28), line.two(30), line.two(32));
        let name = LINE..LINE + usize::from(name);
        let end = name.end + usize::from(extra) + usize::from(comment);
        let Some(name) = rest.get(name).filter(|_| rest.len() >= end) else {
            return Err(BadArchive::damaged("its directory ends in the middle"));
        };
        if line.two(8) & 1 != 0 {
            return Err(BadArchive::member(name, "is encrypted"));
        }
        // Made by Unix, or by its like on Apple's machines.
        let has_mode = matches!(line.two(4) >> 8, 3 | 19);
        lines.push(Line {
            name: name.to_vec(),
            method: line.two(10),
            crc: line.four(16),
            packed: u64::from(line.four(20)),
            size: u64::from(line.four(24)),
            mode: has_mode.then(|| line.four(38) >> 16),
            at: u64::from(line.four(42)),
        });
        rest = rest.get(end..).unwrap_or_default();
    }
    if lines.len() == count { Ok(lines) } else { Err(BadArchive::damaged("members are missing")) }
}

/// Reads one member. Gives where it ends.
fn member(
    from: &mut (impl Read + Seek),
    line: &Line,
    directory: u64,
    to: &mut Sink<'_>,
) -> Result<u64, BadArchive> {
    let archive = to.archive.clone();
    let failed = |it| BadArchive::of_read(&archive, it);
    let name = &line.name;
    let mut head = vec![0; LOCAL + name.len()];
    from.seek(SeekFrom::Start(line.at)).map_err(failed)?;
    from.read_exact(&mut head).map_err(failed)?;
    let fields = Fields(&head);
    let is_same = head.starts_with(b"PK\x03\x04") && head.ends_with(name);
    if !is_same || usize::from(fields.two(26)) != name.len() || fields.two(8) != line.method {
        return Err(BadArchive::path(name, "is another in the directory"));
    }
    let begin = line.at + head.len() as u64 + u64::from(fields.two(28));
    let end = begin.saturating_add(line.packed);
    if end > directory {
        return Err(BadArchive::damaged("a member ends behind its directory"));
    }
    from.seek(SeekFrom::Start(begin)).map_err(failed)?;
    if name.contains(&b'\\') {
        return Err(BadArchive::path(name, "has a backslash in its name"));
    }
    let packed = from.take(line.packed);
    match line.method {
        0 => content(packed, line, to)?,
        8 => content(DeflateDecoder::new(packed), line, to)?,
        _ => return Err(BadArchive::member(name, "is packed in a way that is not known")),
    }
    Ok(end)
}

/// What a member is, by its mode; without one, by the end of its name.
fn content(packed: impl Read, line: &Line, to: &mut Sink<'_>) -> Result<(), BadArchive> {
    let Line { name, mode, size, .. } = line;
    let kind = mode.map_or(0, |it| it & 0o170_000);
    let bits = mode.map(|it| it & 0o7777).filter(|it| it & 0o777 != 0);
    let mut packed = Checked { from: packed, crc: Crc::new() };
    match kind {
        0o040_000 => return to.folder(name, bits.unwrap_or(0o755)),
        0 | 0o100_000 if name.ends_with(b"/") => return to.folder(name, bits.unwrap_or(0o755)),
        0 | 0o100_000 => to.file(name, (bits.unwrap_or(0o644), *size), &mut packed)?,
        0o120_000 if *size <= LINK_MAX => {
            let mut target = Vec::new();
            let read = packed.by_ref().take(LINK_MAX + 1).read_to_end(&mut target);
            read.map_err(|it| BadArchive::of_read(&to.archive, it))?;
            to.symlink(name, &target)?;
        }
        _ => return Err(BadArchive::member(name, "is neither file, folder nor link")),
    }
    if packed.crc.sum() == line.crc {
        return Ok(());
    }
    Err(BadArchive::damaged("a member's content is not what its checksum says"))
}

/// A reader that sums up what passes.
struct Checked<R> {
    from: R,
    crc: Crc,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Little-endian numbers at fixed places; beyond the end they are 0.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn two(&self, at: usize) -> u16 {
        let bytes = self.0.get(at..at + 2).and_then(|it| it.try_into().ok());
        bytes.map_or(0, u16::from_le_bytes)
    }

    fn four(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..at + 4).and_then(|it| it.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }
}
