//! What differs between two trees, path by path.
//!
//! **Invariant:** equal folders are never read; a difference that is too large to list is no list.

use std::collections::{BTreeMap, BTreeSet};

use bowline_model::change_set::{ChangeSet, Standing};
use git2::{Odb, Oid};

use super::object_id;
use super::objects::{Mode, entries, read_tree};

/// Nobody looks through a larger change before approving it.
const PATHS_MAX: usize = 50_000;

/// Folders that are read for one change.
const TREES_MAX: usize = 50_000;

/// Bytes of folders that are read for one change.
const BYTES_MAX: usize = 128 << 20;

/// Git itself stops much later; a path has at most 4096 bytes.
const DEPTH_MAX: usize = 256;

/// A list in the making.
struct Listing<'o> {
    odb: &'o Odb<'o>,
    change: ChangeSet,
    paths: usize,
    trees: usize,
    bytes: usize,
}

/// What a tree holds under one name.
type Entry = (Mode, Standing, Oid);

/// Lists what differs between a tree, or none, and another; `None` when it is too much, or a tree cannot be
/// read or means different things to different readers.
pub(super) fn between(odb: &Odb<'_>, before: Option<Oid>, after: Oid) -> Option<ChangeSet> {
    let mut listing = Listing { odb, change: ChangeSet::default(), paths: 0, trees: 0, bytes: 0 };
    listing.folders(&[], before, Some(after), 0)?;
    Some(listing.change)
}

impl Listing<'_> {
    fn folders(
        &mut self,
        at: &[u8],
        before: Option<Oid>,
        after: Option<Oid>,
        depth: usize,
    ) -> Option<()> {
        if before == after {
            return Some(());
        }
        if depth > DEPTH_MAX {
            return None;
        }
        let (before, after) = (self.read(before)?, self.read(after)?);
        let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for name in names {
            let sides = [before.get(name), after.get(name)];
            if sides[0] == sides[1] {
                continue;
            }
            let path = if at.is_empty() { name.clone() } else { [at, b"/", name].concat() };
            let folder = |side: Option<&Entry>| {
                side.filter(|(mode, ..)| *mode == Mode::Folder).map(|(_, _, id)| *id)
            };
            self.folders(&path, folder(sides[0]), folder(sides[1]), depth + 1)?;
            for (is_after, side) in [false, true].into_iter().zip(sides) {
                if let Some((mode, standing, _)) = side
                    && *mode != Mode::Folder
                {
                    self.note(path.clone(), *standing, is_after)?;
                }
            }
        }
        Some(())
    }

    fn note(&mut self, path: Vec<u8>, standing: Standing, is_after: bool) -> Option<()> {
        self.paths += 1;
        if self.paths > PATHS_MAX {
            return None;
        }
        if is_after {
            self.change.note_after(path, standing);
        } else {
            self.change.note_before(path, standing);
        }
        Some(())
    }

    /// A folder's entries by name; one without an id is empty.
    fn read(&mut self, id: Option<Oid>) -> Option<BTreeMap<Vec<u8>, Entry>> {
        let mut found = BTreeMap::new();
        let Some(id) = id else { return Some(found) };
        self.trees += 1;
        if self.trees > TREES_MAX {
            return None;
        }
        let tree = read_tree(self.odb, id).ok()?;
        self.bytes += tree.data().len();
        if self.bytes > BYTES_MAX {
            return None;
        }
        for entry in entries(tree.data()) {
            let entry = entry.ok()?;
            let standing = Standing { mode: entry.bits, id: object_id(entry.id) };
            let twice = found.insert(entry.name.to_vec(), (entry.mode, standing, entry.id));
            // Of two entries of one name, readers may take either.
            if twice.is_some() || entry.mode == Mode::Unknown {
                return None;
            }
        }
        Some(found)
    }
}
