//! The journal as bytes: what its records are called, and how it is copied to another disk.
//!
//! Records name the objects that stood at their targets by device and number. A copy of the disk has
//! other numbers, so each whole record is written again with the copy's, and the chain of digests
//! with it. Bytes that are no whole record stay as they are: torn stays torn, lost stays lost.
//!
//! **Invariant:** a journal that was whole, torn or damaged is so afterwards, in the same way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bowline_model::digest::Sha256;
use bowline_model::mark::Mark;
use bowline_model::step::Deed;
use serde_json::Value;

use super::op::Reach;
use super::tree::Inode;

/// What a journal begins with.
const HEADER: &[u8] = b"bowline journal1";

/// Bytes of a record before its payload: length and sequence.
const HEAD: usize = 12;

/// Bytes of the digest behind it.
const DIGEST: usize = 32;

/// Where the two places of the tail mark are.
const PLACES: [usize; 2] = [0, 512];

/// Bytes of the sequence in a place of the tail mark.
const SEQ: usize = 8;

/// Bytes of a place before its check: sequence and digest.
const SAID: usize = SEQ + DIGEST;

/// Bytes of the check.
const CHECK: usize = 8;

/// Cuts the record off that stands at the beginning: head, payload, digest.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
    if length == 0 {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(length)?;
    let (digest, rest) = rest.split_at_checked(DIGEST)?;
    Some((head, payload, digest, rest))
}

fn digest_of(previous: &[u8], head: &[u8], payload: &[u8]) -> Sha256 {
    Sha256::of(&[previous, head, payload].concat())
}

/// The words of the records that are written to a journal; `None` for another file.
pub fn marks_of(path: &str, written: &[u8]) -> Option<String> {
    if !is_journal(path) || written.starts_with(HEADER) {
        return None;
    }
    let (mut words, mut rest) = (Vec::new(), written);
    while let Some((_, payload, _, after)) = cut(rest) {
        let value: Value = serde_json::from_slice(payload).unwrap();
        words.push(value["mark"].as_str().unwrap().to_owned());
        rest = after;
    }
    words.dedup();
    Some(words.join("+"))
}

fn is_journal(path: &str) -> bool {
    path.starts_with("state/journal/") && path.ends_with(".wal")
}

/// What a barrier is called: what it is for, and when it comes.
pub fn barrier_name(path: &str, reach: Reach, fresh: &[Vec<u8>], marks: &str) -> String {
    if is_journal(path) {
        let words: Vec<_> = fresh.iter().filter_map(|it| marks_of(path, it)).collect();
        return match words.as_slice() {
            [] => "journal header".to_owned(),
            words => format!("journal {}", words.join("+")),
        };
    }
    if path.ends_with(".tail") {
        return format!("tail mark of {marks}");
    }
    let path = path.split('/').map(without_ids).collect::<Vec<_>>().join("/");
    match reach {
        Reach::Volume => format!("filesystem after {marks}"),
        Reach::Data => format!("content of {path} after {marks}"),
        Reach::Whole => format!("{path} after {marks}"),
    }
}

/// Names of one deployment or one pack are the same in every recording.
fn without_ids(name: &str) -> String {
    let is_id = |word: &str| word.len() > 6 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let has_id = |word: &str| is_id(word) || word.strip_prefix('d').is_some_and(is_id);
    let words = name.split_inclusive(['-', '.', '_']);
    let star = |word: &str| {
        let bare = word.trim_end_matches(['-', '.', '_']);
        if has_id(bare) { word.replace(bare, "*") } else { word.to_owned() }
    };
    words.map(star).collect()
}

/// Rewrites the journal of a copied state folder for the copy's objects.
pub fn translate(journals: &Path, moved: &BTreeMap<Inode, Inode>) {
    let Ok(entries) = fs::read_dir(journals) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "wal") {
            continue;
        }
        let (bytes, digests) = translate_journal(&fs::read(&path).unwrap(), moved);
        fs::write(&path, bytes).unwrap();
        let tail = path.with_extension("tail");
        if let Ok(bytes) = fs::read(&tail) {
            fs::write(&tail, translate_tail(bytes, &digests)).unwrap();
        }
    }
}

/// Gives the new bytes, and what each digest became.
fn translate_journal(
    old: &[u8],
    moved: &BTreeMap<Inode, Inode>,
) -> (Vec<u8>, BTreeMap<Vec<u8>, Sha256>) {
    let mut digests = BTreeMap::new();
    let Some(mut rest) = old.strip_prefix(HEADER) else { return (old.to_vec(), digests) };
    let (mut before, mut after) = (Sha256::of(HEADER), Sha256::of(HEADER));
    let mut new = HEADER.to_vec();
    while let Some((head, payload, digest, further)) = cut(rest) {
        if digest_of(before.as_bytes(), head, payload).as_bytes() != digest {
            break;
        }
        let payload = translate_mark(payload, moved);
        let length = u32::try_from(payload.len()).unwrap();
        let head = [&length.to_le_bytes()[..], &head[4..]].concat();
        before = Sha256::from_bytes(digest.try_into().unwrap());
        after = digest_of(after.as_bytes(), &head, &payload);
        new.extend([&head[..], &payload, after.as_bytes()].concat());
        digests.insert(digest.to_vec(), after);
        rest = further;
    }
    new.extend(rest);
    // Numbers may be longer or shorter than they were; reserved room makes up for it.
    if old.last() == Some(&0) {
        let end = new.iter().rposition(|it| *it != 0).map_or(0, |at| at + 1);
        new.resize(old.len().max(end), 0);
    }
    (new, digests)
}

fn translate_mark(payload: &[u8], moved: &BTreeMap<Inode, Inode>) -> Vec<u8> {
    let mut mark: Mark = serde_json::from_slice(payload).unwrap();
    let Mark::StepIntent { steps } = &mut mark else { return payload.to_vec() };
    for step in steps {
        if let Deed::Place { inode: Some(inode), .. } = &mut step.deed {
            // An object that the crash lost has no place; no number of another fits it.
            let there = moved.get(&(inode.dev, inode.ino)).copied();
            (inode.dev, inode.ino) = there.unwrap_or((0, 0));
        }
    }
    serde_json::to_vec(&mark).unwrap()
}

fn translate_tail(mut tail: Vec<u8>, digests: &BTreeMap<Vec<u8>, Sha256>) -> Vec<u8> {
    for place in PLACES {
        let Some(mark) = tail.get_mut(place..place + SAID + CHECK) else { continue };
        let (said, check) = mark.split_at_mut(SAID);
        if Sha256::of(said).as_bytes()[..CHECK] != *check {
            continue;
        }
        if let Some(digest) = digests.get(&said[SEQ..]) {
            said[SEQ..].copy_from_slice(digest.as_bytes());
            check.copy_from_slice(&Sha256::of(said).as_bytes()[..CHECK]);
        }
    }
    tail
}
