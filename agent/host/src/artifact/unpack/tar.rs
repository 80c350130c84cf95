//! Reads tar archives: ustar, GNU's and pax's long names, and nothing else of their extensions.
//!
//! **Invariant:** what is not understood is refused, never skipped, but for times, accounts and comments.

use std::io::{Read, copy, sink};

use bowline_model::shown::one_line;

use super::Sink;
use crate::artifact::bad_archive::BadArchive;

/// Everything in a tar archive is made of these.
const BLOCK: usize = 512;

/// Longest name that the kernel takes, with room for its end.
const NAME_MAX: u64 = 4_096;

/// Extended headers hold names, times and a few attributes.
const EXTENDED_MAX: u64 = 64 << 10;

/// Letters of an unknown word that are shown.
const KEY_SHOWN_MAX: usize = 60;

/// Words of an extended header that say nothing of what is unpacked: times, accounts, comments, in which
/// letters it is written, and where a file lay.
const IDLE_WORDS: [&[u8]; 14] = [
    b"atime",
    b"ctime",
    b"mtime",
    b"uid",
    b"gid",
    b"uname",
    b"gname",
    b"comment",
    b"charset",
    b"hdrcharset",
    b"LIBARCHIVE.creationtime",
    b"SCHILY.dev",
    b"SCHILY.ino",
    b"SCHILY.nlink",
];

/// What an extended header says of the next member.
#[derive(Debug, Default)]
struct Ahead {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Reads a whole archive.
pub(super) fn read(mut from: impl Read, to: &mut Sink<'_>) -> Result<(), BadArchive> {
    let mut ahead = Ahead::default();
    loop {
        to.check()?;
        let block = block(&mut from, to)?;
        if block.iter().all(|it| *it == 0) {
            return Ok(());
        }
        let header = Header(&block);
        header.verify()?;
        let kind = header.0.get(156).copied().unwrap_or_default();
        let size = header.number(124, 12)?;
        match kind {
            b'L' => ahead.path = Some(name(&mut from, size, to)?),
            b'K' => ahead.link = Some(name(&mut from, size, to)?),
            b'x' => extended(&whole(&mut from, (size, EXTENDED_MAX), to)?, &mut ahead)?,
            b'g' => {
                let mut all = Ahead::default();
                extended(&whole(&mut from, (size, EXTENDED_MAX), to)?, &mut all)?;
                if all.path.is_some() || all.link.is_some() || all.size.is_some() {
                    return Err(BadArchive::damaged("one name for all of its members"));
                }
            }
            _ => member(&mut from, (&header, kind), std::mem::take(&mut ahead), to)?,
        }
    }
}

fn member(
    from: &mut impl Read,
    (header, kind): (&Header<'_>, u8),
    ahead: Ahead,
    to: &mut Sink<'_>,
) -> Result<(), BadArchive> {
    let name = ahead.path.unwrap_or_else(|| header.name());
    let link = ahead.link.unwrap_or_else(|| header.text(157, 100).to_vec());
    let size = ahead.size.map_or_else(|| header.number(124, 12), Ok)?;
    let mode = u32::try_from(header.number(100, 8)? & 0o7777).unwrap_or_default();
    let refuse = |what| Err(BadArchive::member(&name, what));
    match kind {
        b'0' | b'7' | 0 if name.ends_with(b"/") => to.folder(&name, mode)?,
        b'0' | b'7' | 0 => {
            to.file(&name, (mode, size), &mut from.take(size))?;
            return skip(from, padding(size), to);
        }
        b'1' => to.hard_link(&name, &link)?,
        b'2' => to.symlink(&name, &link)?,
        b'5' => to.folder(&name, mode)?,
        b'3' | b'4' => return refuse("is a device"),
        b'6' => return refuse("is a pipe"),
        b'S' => return refuse("is a sparse file"),
        _ => return refuse("is of a kind that is not known"),
    }
    // What is no file has no content; some programs write its length all the same for another name.
    let size = if kind == b'1' { 0 } else { size };
    skip(from, size.saturating_add(padding(size)), to)
}

/// One header.
struct Header<'a>(&'a [u8; BLOCK]);

impl Header<'_> {
    /// Bytes of a field up to its end.
    fn text(&self, from: usize, length: usize) -> &[u8] {
        let field = self.0.get(from..from + length).unwrap_or_default();
        field.split(|it| *it == 0).next().unwrap_or_default()
    }

    fn name(&self) -> Vec<u8> {
        let name = self.text(0, 100);
        let prefix =
            if self.0.get(257..263) == Some(b"ustar\0") { self.text(345, 155) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// A number: octal digits, or for large ones the bytes themselves.
    fn number(&self, from: usize, length: usize) -> Result<u64, BadArchive> {
        let field = self.0.get(from..from + length).unwrap_or_default();
        let odd = || BadArchive::damaged("a number in it is none");
        if let Some((0x80, bytes)) = field.split_first() {
            let (high, low) =
                bytes.split_at_checked(bytes.len().saturating_sub(8)).ok_or_else(odd)?;
            let low: [u8; 8] = low.try_into().map_err(|_short| odd())?;
            return if high.iter().all(|it| *it == 0) {
                Ok(u64::from_be_bytes(low))
            } else {
                Err(odd())
            };
        }
        let digits = field.split(|it| *it == 0).next().unwrap_or_default();
        let text = std::str::from_utf8(digits).map_err(|_binary| odd())?.trim_matches(' ');
        if text.is_empty() {
            return Ok(0);
        }
        let is_octal = text.bytes().all(|it| (b'0'..=b'7').contains(&it));
        u64::from_str_radix(text, 8).ok().filter(|_| is_octal).ok_or_else(odd)
    }

    /// The sum of all bytes, those of the sum itself taken for blanks.
    fn verify(&self) -> Result<(), BadArchive> {
        let sum: u64 = self.0.iter().map(|it| u64::from(*it)).sum();
        let own: u64 = self.0.get(148..156).into_iter().flatten().map(|it| u64::from(*it)).sum();
        if self.number(148, 8)? == sum - own + 8 * u64::from(b' ') {
            return Ok(());
        }
        Err(BadArchive::damaged("a header in it is not what a tar archive has"))
    }
}

/// Reads the records of an extended header: `LENGTH KEY=VALUE` and a line's end each.
fn extended(mut rest: &[u8], ahead: &mut Ahead) -> Result<(), BadArchive> {
    let odd = || BadArchive::damaged("an extended header in it makes no sense");
    while !rest.is_empty() {
        let blank = rest.iter().position(|it| *it == b' ').ok_or_else(odd)?;
        let digits =
            rest.get(..blank).and_then(|it| std::str::from_utf8(it).ok()).ok_or_else(odd)?;
        let length: usize = digits.parse().map_err(|_none| odd())?;
        let record = rest.get(blank + 1..length).ok_or_else(odd)?;
        let record = record.strip_suffix(b"\n").ok_or_else(odd)?;
        rest = rest.get(length..).ok_or_else(odd)?;
        let equals = record.iter().position(|it| *it == b'=').ok_or_else(odd)?;
        let (key, value) = (record.get(..equals), record.get(equals + 1..));
        let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
        match key {
            b"path" => ahead.path = Some(value.to_vec()),
            b"linkpath" => ahead.link = Some(value.to_vec()),
            b"size" => {
                let text = std::str::from_utf8(value).map_err(|_binary| odd())?;
                ahead.size = Some(text.parse().map_err(|_none| odd())?);
            }
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(BadArchive::member(value, "is part of a sparse file"));
            }
            _ if IDLE_WORDS.contains(&key) => {}
            _ => {
                let name = ahead.path.clone().unwrap_or_else(|| b"after it".to_vec());
                let key = one_line(&String::from_utf8_lossy(key), KEY_SHOWN_MAX);
                let why = format!(
                    "has {key}, which is not kept: ACLs and attributes are none of a release"
                );
                return Err(BadArchive::member(&name, why));
            }
        }
    }
    Ok(())
}

/// A name of its own block, without the NUL at its end.
fn name(from: &mut impl Read, size: u64, to: &Sink<'_>) -> Result<Vec<u8>, BadArchive> {
    let mut name = whole(from, (size, NAME_MAX), to)?;
    while name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn whole(
    from: &mut impl Read,
    (size, most): (u64, u64),
    to: &Sink<'_>,
) -> Result<Vec<u8>, BadArchive> {
    if size > most {
        return Err(BadArchive::TooLarge { limit: format!("{most} bytes of a name or header") });
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    from.read_exact(&mut bytes).map_err(|it| BadArchive::of_read(&to.archive, it))?;
    skip(from, padding(size), to)?;
    Ok(bytes)
}

fn block(from: &mut impl Read, to: &Sink<'_>) -> Result<[u8; BLOCK], BadArchive> {
    let mut block = [0; BLOCK];
    from.read_exact(&mut block).map_err(|it| BadArchive::of_read(&to.archive, it))?;
    Ok(block)
}

fn padding(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}

fn skip(from: &mut impl Read, bytes: u64, to: &Sink<'_>) -> Result<(), BadArchive> {
    if bytes > EXTENDED_MAX {
        return Err(BadArchive::damaged("what is no file in it has content"));
    }
    let skipped = copy(&mut from.take(bytes), &mut sink());
    let skipped = skipped.map_err(|it| BadArchive::of_read(&to.archive, it))?;
    if skipped == bytes { Ok(()) } else { Err(BadArchive::damaged("it ends in the middle")) }
}
