//! The list of what a merge changes.
//!
//! **Invariant:** from the list alone a reader that is written here finds what differed, and nothing else.

use std::collections::BTreeMap;

use bowline_model::change_set::{ChangeSet, Standing};
use bowline_model::object_id::ObjectId;

/// Git's modes.
const MODES: [u32; 4] = [0o100_644, 0o100_755, 0o120_000, 0o160_000];

/// What stood at paths: notes of seven bytes and a path each.
pub(super) fn list(bytes: &[u8]) -> bool {
    let mut notes: Vec<(bool, Vec<u8>, Standing)> = Vec::new();
    let mut rest = bytes;
    while let Some(([flags, seed, length], more)) = rest.split_first_chunk() {
        let Some((path, more)) = more.split_at_checked(usize::from(length % 32)) else { break };
        rest = more;
        let path: Vec<u8> = path.iter().copied().filter(|it| *it != 0).collect();
        let mode = MODES[usize::from(flags >> 1) % MODES.len()];
        let id: ObjectId = format!("{seed:02x}").repeat(20).parse().expect("an id");
        let is_after = flags & 1 == 1;
        let stands = |it: &(bool, Vec<u8>, Standing)| it.0 == is_after && it.1 == path;
        // A tree holds a path once.
        if !path.is_empty() && !notes.iter().any(stands) {
            notes.push((is_after, path, Standing { mode, id }));
        }
    }
    let text = text_of(notes.iter());
    assert_eq!(text_of(notes.iter().rev()), text, "in another order");
    let mut differs: BTreeMap<&[u8], [Option<Standing>; 2]> = BTreeMap::new();
    for (is_after, path, standing) in &notes {
        differs.entry(path).or_default()[usize::from(*is_after)] = Some(*standing);
    }
    differs.retain(|_, [before, after]| before != after);
    let found = read(&text).expect("a list");
    let expected: Vec<_> = differs.into_iter().map(|(path, pair)| (path.to_vec(), pair)).collect();
    assert_eq!(found, expected);
    !found.is_empty()
}

fn text_of<'a>(notes: impl Iterator<Item = &'a (bool, Vec<u8>, Standing)>) -> Vec<u8> {
    let mut change = ChangeSet::default();
    for (is_after, path, standing) in notes {
        match is_after {
            true => change.note_after(path.clone(), *standing),
            false => change.note_before(path.clone(), *standing),
        }
    }
    let text = change.text();
    assert_eq!(text.iter().filter(|it| **it == 0).count(), change.len());
    text
}

/// Reads a list.
fn read(text: &[u8]) -> Option<Vec<(Vec<u8>, [Option<Standing>; 2])>> {
    let body = text.strip_prefix(b"bowline change v1\n")?;
    let lines = body.split_inclusive(|it| *it == 0).map(|it| it.strip_suffix(b"\0"));
    lines
        .map(|line| {
            let mut words = line?.splitn(5, |it| *it == b' ');
            let mut standing = || {
                let (mode, id) = (words.next()?, words.next()?);
                if id == b"-" {
                    return (mode == b"000000").then_some(None);
                }
                let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
                Some(Some(Standing { mode, id: std::str::from_utf8(id).ok()?.parse().ok()? }))
            };
            let pair = [standing()?, standing()?];
            Some((words.next()?.to_vec(), pair))
        })
        .collect()
}
