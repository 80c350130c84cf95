//! The headers of a commit object: names, values, folded lines.
//!
//! **Invariant:** headers and blank line are found by position alone; nothing in a message or in a
//! folded value is ever taken for a header.

use std::ops::Range;

use bowline_model::object_id::{ObjectFormat, ObjectId};
use thiserror::Error;

/// A commit with more headers than this was not made by Git.
const MOST_HEADERS: usize = 512;

/// The year 5138; eleven digits keep every sum of two times within range.
const MOST_TIME_DIGITS: usize = 11;

/// A raw object that is no commit, or no tag, of the strict form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}, at line {line} of the object")]
pub struct MalformedCommit {
    line: usize,
    what: String,
}

impl MalformedCommit {
    pub(crate) fn new(line: usize, what: &str) -> Self {
        Self { line, what: what.to_owned() }
    }
}

/// One header with the lines folded under it.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    /// The number of its first line, from 1.
    line: usize,
    pub(crate) name: &'a [u8],
    /// The value on the first line.
    value: &'a [u8],
    /// The lines after it, without the space that folds them.
    folded: Vec<&'a [u8]>,
    /// Where it stands in the raw object, line ends included.
    pub(crate) range: Range<usize>,
}

/// Cuts the part before the blank line into headers.
pub(crate) fn split_headers(raw: &[u8]) -> Result<Vec<Header<'_>>, MalformedCommit> {
    let mut headers: Vec<Header<'_>> = Vec::new();
    let mut start = 0;
    for (place, line) in raw.split(|byte| *byte == b'\n').enumerate() {
        let number = place + 1;
        let range = start..start + line.len() + 1;
        start = range.end;
        if line.is_empty() {
            // The piece after the last line feed is no blank line.
            let is_line = range.end <= raw.len();
            return if is_line { Ok(headers) } else { Err(no_blank_line(number)) };
        }
        if headers.len() > MOST_HEADERS {
            return Err(MalformedCommit::new(number, "there are more than 512 headers"));
        }
        match (line.strip_prefix(b" "), headers.last_mut()) {
            (Some(folded), Some(header)) => header.fold(number, folded, range.end)?,
            (Some(_), None) => {
                return Err(MalformedCommit::new(number, "a folded line comes first"));
            }
            (None, _) => headers.push(Header::read(number, line, range)?),
        }
    }
    Err(no_blank_line(1))
}

fn no_blank_line(line: usize) -> MalformedCommit {
    MalformedCommit::new(line, "there is no blank line after the headers")
}

impl<'a> Header<'a> {
    fn read(line: usize, text: &'a [u8], range: Range<usize>) -> Result<Self, MalformedCommit> {
        let wrong = |what| Err(MalformedCommit::new(line, what));
        let mut halves = text.splitn(2, |byte| *byte == b' ');
        let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
            return wrong("a header has no value");
        };
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte);
        if name.is_empty() || !name.iter().all(plain) {
            return wrong("a header's name holds other bytes than letters, digits, \"-_:.\"");
        }
        if text.contains(&b'\r') {
            return wrong("a header holds a carriage return");
        }
        Ok(Self { line, name, value, folded: Vec::new(), range })
    }

    fn fold(&mut self, line: usize, text: &'a [u8], end: usize) -> Result<(), MalformedCommit> {
        if matches!(
            self.name,
            b"tree"
                | b"parent"
                | b"author"
                | b"committer"
                | b"encoding"
                | b"object"
                | b"type"
                | b"tag"
                | b"tagger"
        ) {
            return Err(MalformedCommit::new(line, "this header may not be folded"));
        }
        // A merged tag's message may have been written with carriage returns; nobody reads it here.
        if text.contains(&b'\r') && self.name != b"mergetag" {
            return Err(MalformedCommit::new(line, "a header holds a carriage return"));
        }
        self.folded.push(text);
        self.range.end = end;
        Ok(())
    }

    /// An error at this header that shows its name.
    pub(crate) fn wrong(&self, what: &str) -> MalformedCommit {
        let name = String::from_utf8_lossy(self.name);
        let shown: String = name.chars().take(40).collect();
        MalformedCommit::new(self.line, &format!("{what} (found {shown:?})"))
    }

    /// Whether it is left out of what the signature covers: both formats' headers are.
    pub(crate) fn is_signature(&self) -> bool {
        matches!(self.name, b"gpgsig" | b"gpgsig-sha256")
    }

    /// Whether some reader could take this unknown header for one that matters. libgit2 takes
    /// `gpgsigparent` for `gpgsig`.
    pub(crate) fn looks_alike(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let weighty: [&[u8]; 4] = [b"tree", b"parent", b"author", b"committer"];
        name.starts_with(b"gpgsig")
            || name.ends_with(b"gpgsig")
            || weighty.iter().any(|it| name.starts_with(it) || name.ends_with(it))
            || matches!(name.as_slice(), b"encoding" | b"mergetag")
    }

    /// The value with its folding undone.
    pub(crate) fn unfolded(&self) -> Vec<u8> {
        let folded: usize = self.folded.iter().map(|it| it.len() + 1).sum();
        let mut value = Vec::with_capacity(self.value.len() + folded);
        value.extend_from_slice(self.value);
        for line in &self.folded {
            value.push(b'\n');
            value.extend_from_slice(line);
        }
        value
    }

    /// The value as text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        str::from_utf8(self.value).ok()
    }

    /// The value as a full object id of the repository's format.
    pub(crate) fn object_id(&self, format: ObjectFormat) -> Result<ObjectId, MalformedCommit> {
        let text = str::from_utf8(self.value).unwrap_or_default();
        match text.parse::<ObjectId>() {
            Ok(id) if id.format() == format => Ok(id),
            _ => Err(self.wrong("a full object id was expected")),
        }
    }

    /// The time at the end of `name <mail> seconds zone`.
    pub(crate) fn time(&self) -> Result<i64, MalformedCommit> {
        self.read_time().ok_or_else(|| self.wrong("\"name <mail> seconds zone\" was expected"))
    }

    fn read_time(&self) -> Option<i64> {
        // Nothing before the last bracket is looked at: names are the committer's own affair.
        let close = self.value.iter().rposition(|byte| *byte == b'>')?;
        let (who, when) = self.value.split_at_checked(close + 1)?;
        who.contains(&b'<').then_some(())?;
        let when = str::from_utf8(when).ok()?.strip_prefix(' ')?;
        let (seconds, zone) = when.split_once(' ')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let offset = zone.strip_prefix(['+', '-'])?;
        (digits(offset) && offset.len() <= 6).then_some(())?;
        (digits(seconds) && seconds.len() <= MOST_TIME_DIGITS).then_some(())?;
        seconds.parse().ok()
    }
}
