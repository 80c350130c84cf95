//! Answers of Git servers.
//!
//! **Invariant:** how an answer is cut into pieces on its way changes nothing.
//! **Invariant:** of a pack arrives what its side band holds, as a reader that is written here finds it.

use super::way;
use super::wire::advert::Advert;
use super::wire::refs::Refs;
use super::wire::{BadAnswer, Packets, Stream, pack};

/// References that are asked for.
const WANTED: [&str; 3] = ["refs/heads/main", "refs/notes/attestations", "HEAD"];

/// An answer that comes in pieces of one length.
struct Pieces<'a> {
    rest: &'a [u8],
    length: usize,
}

impl Stream for Pieces<'_> {
    type Failure = BadAnswer;

    fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, BadAnswer> {
        let (piece, rest) = self.rest.split_at(self.length.min(self.rest.len()));
        self.rest = rest;
        into.extend_from_slice(piece);
        Ok(!piece.is_empty())
    }
}

/// What a reader makes of the bytes, which is the same in every kind of pieces.
fn in_pieces<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&mut Packets<Pieces<'_>>) -> Result<T, BadAnswer>,
) -> Result<T, BadAnswer> {
    let with = |length| read(&mut Packets::of(Pieces { rest: bytes, length }));
    let whole = with(bytes.len().max(1));
    for length in [1, 5] {
        assert_eq!(with(length), whole, "in pieces of {length}");
    }
    if let Err(BadAnswer::Told(words)) = &whole {
        assert!(words.chars().count() <= 300 && !words.chars().any(char::is_control));
    }
    whole
}

/// An answer to `ls-refs`.
pub(super) fn references(bytes: &[u8]) -> bool {
    let found = in_pieces(bytes, |packets| {
        let mut refs = Refs::wanted(&WANTED);
        refs.read(packets)?;
        Ok((refs.found(), refs.is_empty()))
    });
    let Ok((found, is_empty)) = found else { return false };
    for (id, name) in found.iter().zip(WANTED) {
        let Some(id) = id else { continue };
        let line = format!("{id} {name}");
        let lower = String::from_utf8_lossy(bytes).to_lowercase();
        assert!(lower.contains(&line.to_lowercase()), "{line} was not said");
    }
    assert!(!is_empty || found.iter().all(Option::is_none));
    found.iter().any(Option::is_some)
}

/// What a server says first, over SSH or the web.
pub(super) fn advert(bytes: &[u8]) -> bool {
    let Some((how, rest)) = way(bytes, 2) else { return false };
    let found = in_pieces(rest, |packets| {
        let said = match how {
            0 => Advert::read(packets, &WANTED)?,
            _ => Advert::read_from_web(packets, &WANTED)?,
        };
        Ok(match said {
            Advert::Version2 => None,
            Advert::Version0 { refs, abilities } => Some((refs.found(), abilities)),
        })
    });
    if let Ok(Some((_, abilities))) = &found {
        for word in abilities.split(' ') {
            assert!(["side-band-64k", "ofs-delta", "no-progress"].contains(&word), "{word}");
        }
    }
    found.is_ok()
}

/// The answer to a fetch, in version 2 or 0.
pub(super) fn pack(bytes: &[u8]) -> bool {
    let Some((how, rest)) = way(bytes, 2) else { return false };
    let found = in_pieces(rest, |packets| {
        if how == 0 {
            pack::find_in_version_2(packets)?;
        }
        let mut whole = Vec::new();
        pack::receive(packets, |more| {
            whole.extend_from_slice(more);
            Ok(())
        })?;
        Ok(whole)
    });
    let Ok(found) = found else { return false };
    assert_eq!(Some(found), on_band_1(rest, how == 0), "not what was sent");
    true
}

/// What stands on side band 1, up to the first flush after the pack began.
fn on_band_1(mut rest: &[u8], mut is_before: bool) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let (digits, after) = rest.split_at_checked(4)?;
        let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        let (data, after) = after.split_at_checked(length.max(4) - 4)?;
        rest = after;
        match data {
            _ if is_before => is_before = !matches!(data, b"packfile" | b"packfile\n"),
            [] => return Some(whole),
            [1, more @ ..] => whole.extend_from_slice(more),
            _ => {}
        }
    }
}
