//! What a merge changes, as a list that means the same to everybody.
//!
//! **Invariant:** two changes have one list only when they take the same paths from the same content and
//! mode to the same; what else stands in either tree has no part in it.

use std::collections::BTreeMap;

use crate::object_id::ObjectId;

/// What the list begins with: bytes of another kind are no list by accident.
const HEAD: &[u8] = b"bowline change v1\n";

/// What stands for a path that is not there.
const NOTHING: &str = "000000 -";

/// Changed paths and what stood there before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    paths: BTreeMap<Vec<u8>, [Option<Standing>; 2]>,
}

/// What stands at a path: Git's mode and the object's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Such as `0o100644`.
    pub mode: u32,
    /// The blob, or a submodule's commit.
    pub id: ObjectId,
}

impl ChangeSet {
    /// Notes what stood at a path before.
    pub fn note_before(&mut self, path: Vec<u8>, standing: Standing) {
        self.paths.entry(path).or_default()[0] = Some(standing);
    }

    /// Notes what stands at a path afterwards.
    pub fn note_after(&mut self, path: Vec<u8>, standing: Standing) {
        self.paths.entry(path).or_default()[1] = Some(standing);
    }

    /// How many paths differ.
    pub fn len(&self) -> usize {
        self.differing().count()
    }

    /// Whether no path differs.
    pub fn is_empty(&self) -> bool {
        self.differing().next().is_none()
    }

    /// The paths that differ, in order of their bytes, with what stands there before and after.
    pub fn differing(&self) -> impl Iterator<Item = (&[u8], &[Option<Standing>; 2])> {
        let pairs = self.paths.iter().map(|(path, pair)| (path.as_slice(), pair));
        pairs.filter(|(_, [before, after])| before != after)
    }

    /// The list: `MODE ID MODE ID PATH`, before and after, each ended by a NUL, which no path holds.
    pub fn text(&self) -> Vec<u8> {
        let mut text = HEAD.to_vec();
        for (path, [before, after]) in self.differing() {
            let line = format!("{} {} ", shown(before.as_ref()), shown(after.as_ref()));
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(path);
            text.push(0);
        }
        text
    }
}

fn shown(standing: Option<&Standing>) -> String {
    standing.map_or_else(|| NOTHING.to_owned(), |it| format!("{:06o} {}", it.mode, it.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(mode: u32, letter: char) -> Standing {
        Standing { mode, id: letter.to_string().repeat(40).parse().unwrap() }
    }

    #[test]
    fn a_list_names_what_differs_in_order_of_paths() {
        let mut change = ChangeSet::default();
        change.note_after(b"new".to_vec(), standing(0o100_755, 'a'));
        change.note_before(b"old/x".to_vec(), standing(0o100_644, 'b'));
        change.note_before(b"mode".to_vec(), standing(0o100_644, 'c'));
        change.note_after(b"mode".to_vec(), standing(0o120_000, 'c'));
        change.note_before(b"same".to_vec(), standing(0o100_644, 'd'));
        change.note_after(b"same".to_vec(), standing(0o100_644, 'd'));
        let [a, b, c] = ["a", "b", "c"].map(|it| it.repeat(40));
        let expected = format!(
            "bowline change v1\n100644 {c} 120000 {c} mode\0000000 - 100755 {a} new\0100644 {b} \
             000000 - old/x\0"
        );
        assert_eq!(String::from_utf8(change.text()).unwrap(), expected);
        assert_eq!((change.len(), change.is_empty()), (3, false));
        assert!(ChangeSet::default().is_empty());
    }
}
