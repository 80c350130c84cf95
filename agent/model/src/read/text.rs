//! Bytes to text, and text to documents: what must hold before any YAML reader sees it.
//!
//! **Invariant:** text that passes looks on a reviewer's screen like what is read: no control
//! characters, no invisible direction marks, no line ends that only some readers see.

use super::{MAX_BYTES, MAX_DOCUMENTS};

/// One document's text, and how many lines of the file stand before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// From its `---` (if it has one) to before the next.
    pub(super) text: &'a str,
    /// Lines before it.
    pub(super) lines_before: u32,
}

/// Why bytes are no readable text: line, column, what is wrong, what is expected.
pub(super) type Unreadable = (u32, u32, String, &'static str);

/// Checks bytes and gives their text.
pub(super) fn check(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > MAX_BYTES {
        let size = bytes.len();
        let message = format!("the file has {size} bytes; the limit is {MAX_BYTES}");
        return Err((1, 1, message, "large content in a file of its own"));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        let message = "the file begins with a byte order mark".to_owned();
        return Err((1, 1, message, "plain UTF-8 without it"));
    }
    let text = std::str::from_utf8(bytes).map_err(|cause| {
        let good = bytes.get(..cause.valid_up_to()).unwrap_or_default();
        let (line, column) = end_of(&String::from_utf8_lossy(good));
        let message = "bytes that are not UTF-8".to_owned();
        (line, column, message, "text in UTF-8")
    })?;
    match text.char_indices().find_map(|(at, it)| Some((at, it, refusal(it)?))) {
        None => directive(text),
        Some((at, found, expected)) => {
            let (line, column) = end_of(text.get(..at).unwrap_or_default());
            let message = format!("the character U+{:04X}", u32::from(found));
            Err((line, column, message, expected))
        }
    }
}

/// Directives (`%YAML`, `%TAG`) change how the rest is read. Inside a map no content may stand in
/// the first column, so a `%` there is always one.
fn directive(text: &str) -> Result<&str, Unreadable> {
    match (1u32..).zip(text.split('\n')).find(|(_, line)| line.starts_with('%')) {
        None => Ok(text),
        Some((line, _)) => {
            let message = "a directive (a line that begins with %)".to_owned();
            Err((line, 1, message, "no directives"))
        }
    }
}

/// What is expected instead of a character that no manifest may hold.
fn refusal(it: char) -> Option<&'static str> {
    match it {
        '\n' | '\t' => None,
        '\r' => Some("lines that end with LF alone"),
        // YAML 1.1 readers break lines here, YAML 1.2 readers do not.
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some(r#"an escape such as "\u2028" in quotes"#),
        '\u{feff}' => Some("no byte order mark inside the text"),
        // Direction marks let a reviewer see other text than the reader does.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some("no invisible direction marks"),
        _ if it.is_control() => Some("text without control characters"),
        _ => None,
    }
}

/// The place behind the last character, from 1.
fn end_of(text: &str) -> (u32, u32) {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (narrow(line), narrow(column))
}

/// A count as a line or column number; files are far smaller than this can hold.
pub(super) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Cuts text where documents begin.
///
/// A line that begins with `---` and a blank or nothing is a document marker wherever it stands
/// (YAML 1.2.2, rule 206 `c-forbidden`), so a document that can't be read does not hide the next.
pub(super) fn cut(text: &str) -> Result<Vec<Piece<'_>>, Unreadable> {
    let mut pieces = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 0, 0);
    for (line_number, line) in (0u32..).zip(text.split_inclusive('\n')) {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['\n', ' ', '\t']));
        if marker && at > 0 {
            pieces.push(piece(text, start, at, start_line));
            (start, start_line) = (at, line_number);
            if pieces.len() >= MAX_DOCUMENTS {
                let message = format!("more than {MAX_DOCUMENTS} documents in one file");
                return Err((line_number + 1, 1, message, "several files"));
            }
        }
        at += line.len();
    }
    pieces.push(piece(text, start, at, start_line));
    Ok(pieces)
}

fn piece(text: &str, from: usize, to: usize, lines_before: u32) -> Piece<'_> {
    Piece { text: text.get(from..to).unwrap_or_default(), lines_before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_is_named_with_its_place() {
        let table: [(&[u8], u32, u32, &str); 9] = [
            (b"a: 1\nb: \xff\n", 2, 4, "not UTF-8"),
            (b"\xef\xbb\xbfa: 1", 1, 1, "byte order mark"),
            ("a: \u{feff}1".as_bytes(), 1, 4, "U+FEFF"),
            (b"a: 1\r\n", 1, 5, "U+000D"),
            (b"a: \0", 1, 4, "U+0000"),
            (b"\x7fELF\x02\x01\x01\0", 1, 1, "U+007F"),
            ("x\u{2028}".as_bytes(), 1, 2, "U+2028"),
            ("\u{202e}".as_bytes(), 1, 1, "U+202E"),
            (b"a: 1\n%YAML 1.2\n", 2, 1, "directive"),
        ];
        for (bytes, line, column, says) in table {
            let (found_line, found_column, message, _) = check(bytes).unwrap_err();
            assert_eq!((found_line, found_column), (line, column), "{message}");
            assert!(message.contains(says), "{message} should say {says}");
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
        assert!(check(&vec![b'#'; MAX_BYTES]).is_ok());
        assert!(check(&vec![b'#'; MAX_BYTES + 1]).unwrap_err().2.contains("limit"));
    }

    #[test]
    fn pieces_begin_at_their_markers() {
        let pieces = cut("# head\n---\na: 1\n--- {b: 2}\n----\n---\n").unwrap();
        let found: Vec<_> = pieces.iter().map(|it| (it.lines_before, it.text)).collect();
        assert_eq!(
            found,
            [(0, "# head\n"), (1, "---\na: 1\n"), (3, "--- {b: 2}\n----\n"), (5, "---\n")]
        );
    }

    #[test]
    fn a_flood_of_documents_is_refused() {
        assert!(cut(&"---\n".repeat(MAX_DOCUMENTS)).is_ok());
        assert!(cut(&"---\n".repeat(MAX_DOCUMENTS + 1)).is_err());
    }
}
