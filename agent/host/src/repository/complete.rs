//! Whether everything below a commit is here: a server may send less than was asked for.
//!
//! **Invariant:** what was known to be complete is not walked again.

use std::collections::HashSet;
use std::path::PathBuf;

use git2::{ErrorCode, Odb, Oid};

use super::fetch_failure::FetchFailure;
use super::objects::{Mode, NoObject, entries, read_tree};
use super::watch::Watch;
use super::{Repository, objects_in};

/// Looks at objects between two looks at the clock.
const LOOK_EVERY: usize = 1_024;

impl Repository {
    /// An object below a commit that is not here; `None` when everything is. What lies below `known` is.
    pub(super) fn missing_below(
        &self,
        tip: Oid,
        known: Option<Oid>,
        watch: &Watch<'_>,
    ) -> Result<Option<Oid>, FetchFailure> {
        if !self.odb.exists(tip) {
            return Ok(Some(tip));
        }
        missing_below(&[self.folder.join("objects")], tip, known, watch)
    }
}

/// The same in some folders of objects.
pub(super) fn missing_below(
    folders: &[PathBuf],
    tip: Oid,
    known: Option<Oid>,
    watch: &Watch<'_>,
) -> Result<Option<Oid>, FetchFailure> {
    let local = |source| watch.failure("read objects from", source);
    let odb = objects_in(folders).map_err(local)?;
    let here = objects_in(folders).and_then(git2::Repository::from_odb).map_err(local)?;
    let mut walk = here.revwalk().map_err(local)?;
    walk.push(tip).map_err(local)?;
    let mut search = Search { odb: &odb, seen: HashSet::new(), looks: 0, watch };
    if let Some(known) = known {
        walk.hide(known).map_err(local)?;
        let tree = here.find_commit(known).map_err(local)?.tree_id();
        // Most of a revision is as in the one before.
        search.missing_in(tree)?;
    }
    for commit in walk {
        let found = commit.and_then(|id| here.find_commit(id));
        let commit = match found {
            Ok(commit) => commit,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(Some(tip)),
            Err(error) => return Err(local(error)),
        };
        if let Some(missing) = search.missing_in(commit.tree_id())? {
            return Ok(Some(missing));
        }
    }
    Ok(None)
}

/// A search through trees.
struct Search<'s> {
    odb: &'s Odb<'s>,
    seen: HashSet<Oid>,
    /// Entries and trees that were looked at, seen before or not.
    looks: usize,
    watch: &'s Watch<'s>,
}

impl Search<'_> {
    /// An object of a tree that is not here.
    fn missing_in(&mut self, tree: Oid) -> Result<Option<Oid>, FetchFailure> {
        let mut open = vec![tree];
        while let Some(id) = open.pop() {
            self.look()?;
            if !self.seen.insert(id) {
                continue;
            }
            let tree = match read_tree(self.odb, id) {
                Ok(tree) => tree,
                Err(NoObject::Missing) => return Ok(Some(id)),
                // It is here; what it is will be judged when it is read.
                Err(_) => continue,
            };
            for entry in entries(tree.data()).flatten() {
                match entry.mode {
                    Mode::Folder => open.push(entry.id),
                    Mode::Submodule | Mode::Unknown => {}
                    Mode::File { .. } | Mode::Symlink => {
                        if self.seen.insert(entry.id) && !self.odb.exists(entry.id) {
                            return Ok(Some(entry.id));
                        }
                    }
                }
                self.look()?;
            }
        }
        Ok(None)
    }

    /// Counts a look. Trees that name the same objects again and again take time as well.
    fn look(&mut self) -> Result<(), FetchFailure> {
        self.looks += 1;
        if self.looks.is_multiple_of(LOOK_EVERY) {
            self.watch.count(0, self.seen.len())?;
        }
        Ok(())
    }
}
