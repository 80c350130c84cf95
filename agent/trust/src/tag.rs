//! An annotated tag, read by the one strict grammar: `object type tag tagger`, blank line, message, signature.
//!
//! **Invariant:** the signature begins at the last line that begins one, as in Git, and ends the object.
//! **Invariant:** the payload is every byte before it.

use crate::commit::{LARGEST_COMMIT, format_of_first, only};
use crate::header::{Header, MalformedCommit, split_headers};
use crate::signature::Format;

/// As long as a path that Git keeps a tag under.
const LONGEST_NAME: usize = 255;

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    /// What it says that it is called; under which name it is offered is another matter.
    pub(crate) name: String,
    /// The tagger's time, in seconds since 1970. Whoever made the tag wrote it.
    pub(crate) time: i64,
    pub(crate) signature: Option<Vec<u8>>,
    /// What the signature covers.
    pub(crate) payload: Vec<u8>,
}

/// Whether a raw object begins as tags do, and commits never.
pub(crate) fn is_one(raw: &[u8]) -> bool {
    raw.starts_with(b"object ")
}

impl Tag {
    /// Reads a raw tag object.
    pub(crate) fn parse(raw: &[u8]) -> Result<Self, MalformedCommit> {
        if raw.len() > LARGEST_COMMIT {
            return Err(MalformedCommit::new(1, "the object is larger than 1 MiB"));
        }
        if raw.contains(&0) {
            return Err(MalformedCommit::new(0, "there is a NUL byte"));
        }
        let headers = split_headers(raw)?;
        let mut rest = headers.iter();
        only(rest.next(), "object")?.object_id(format_of_first(raw, "object "))?;
        let kind = only(rest.next(), "type")?;
        if !matches!(kind.text(), Some("commit" | "tree" | "blob" | "tag")) {
            return Err(kind.wrong("the kind of an object was expected"));
        }
        let name = name_of(only(rest.next(), "tag")?)?;
        let tagger = only(rest.next(), "tagger")?;
        if let Some(more) = rest.next() {
            return Err(more.wrong("a header that tags do not have"));
        }
        let message = tagger.range.end;
        let end = signature_at(raw, message).unwrap_or(raw.len());
        let (payload, signature) = raw.split_at_checked(end).unwrap_or((raw, b""));
        let signature = (!signature.is_empty()).then(|| signature.to_vec());
        Ok(Self { name, time: tagger.time()?, signature, payload: payload.to_vec() })
    }
}

fn name_of(header: &Header<'_>) -> Result<String, MalformedCommit> {
    let is_plain = |it: &&str| !it.is_empty() && !it.chars().any(char::is_control);
    match header.text().filter(is_plain) {
        Some(name) if name.len() <= LONGEST_NAME => Ok(name.to_owned()),
        _ => Err(header.wrong("the name of a tag was expected")),
    }
}

/// Where the last line begins that begins a signature.
fn signature_at(raw: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let mut found = None;
    for line in raw.get(from..)?.split_inclusive(|byte| *byte == b'\n') {
        if Format::of(line) != Format::Unknown {
            found = Some(at);
        }
        at += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "0123456789012345678901234567890123456789";

    fn tag(more: &str) -> String {
        format!("object {OBJECT}\ntype commit\ntag v1\ntagger A <a@example.org> 7 +0000\n{more}")
    }

    #[test]
    fn the_signature_is_what_stands_behind_the_last_line_that_begins_one() {
        let begin = "-----BEGIN SSH SIGNATURE-----";
        for (message, place) in [
            ("\nfirst\n".to_owned(), None),
            ("\n".to_owned(), None),
            (format!("\nfirst\n{begin}\nabc\n"), Some("first\n")),
            (format!("\n{begin}\nabc\n"), Some("\n")),
            (format!("\n{begin}\nabc\n{begin}\nabc\n"), Some("abc\n")),
            (format!("\nfirst\n {begin}\n"), None),
            ("\nfirst\n-----BEGIN PGP SIGNATURE-----\n".to_owned(), Some("first\n")),
            ("\nfirst\n-----BEGIN SIGNED MESSAGE-----".to_owned(), Some("first\n")),
        ] {
            let raw = tag(&message);
            let found = Tag::parse(raw.as_bytes()).unwrap();
            assert_eq!((found.name.as_str(), found.time), ("v1", 7));
            assert_eq!(found.signature.is_some(), place.is_some(), "{message:?}");
            let payload = String::from_utf8(found.payload).unwrap();
            assert!(payload.ends_with(place.unwrap_or(&message)), "{message:?}: {payload:?}");
            let signature = String::from_utf8(found.signature.unwrap_or_default()).unwrap();
            assert_eq!(payload + &signature, raw);
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_malformed() {
        let good = tag("\nfirst\n");
        for (what, instead) in [
            ("type commit\n", ""),
            ("type commit", "type gift"),
            ("tag v1\n", ""),
            ("tag v1", "tag "),
            ("tag v1", "tag v1\u{7f}"),
            ("tag v1\n", "tag v1\n v2\n"),
            ("tag v1\n", "tag v1\ntag v2\n"),
            ("tagger A <a@example.org> 7 +0000\n", ""),
            ("tagger A <a@example.org> 7 +0000", "tagger A"),
            ("7 +0000\n", "7 +0000\ngpgsig abc\n"),
            (OBJECT, "0123"),
            ("first", "fir\0st"),
            ("\n\n", "\n"),
        ] {
            let bad = good.replacen(what, instead, 1);
            assert_ne!(bad, good);
            assert!(Tag::parse(bad.as_bytes()).is_err(), "{what:?} {instead:?}");
        }
        let long = tag(&"\n".repeat(LARGEST_COMMIT));
        assert!(Tag::parse(long.as_bytes()).is_err());
    }
}
