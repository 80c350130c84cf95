//! Whether everything below a commit is here: a server may send less than was asked for.
//!
//! **Invariant:** what was known to be complete is not walked again.

use std::collections::HashSet;

use git2::{ErrorCode, Oid};

use super::fetch_failure::FetchFailure;
use super::objects::{Mode, NoObject, entries, read_tree};
use super::watch::Watch;
use super::{Repository, objects_in};

/// Objects between two looks at the clock.
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
        let local = |source| watch.failure("read objects from", source);
        let objects = objects_in(&self.folder.join("objects")).map_err(local)?;
        let here = git2::Repository::from_odb(objects).map_err(local)?;
        let mut walk = here.revwalk().map_err(local)?;
        walk.push(tip).map_err(local)?;
        let mut seen = HashSet::new();
        if let Some(known) = known {
            walk.hide(known).map_err(local)?;
            let tree = here.find_commit(known).map_err(local)?.tree_id();
            // Most of a revision is as in the one before.
            self.missing_in(tree, &mut seen, watch)?;
        }
        for commit in walk {
            let found = commit.and_then(|id| here.find_commit(id));
            let commit = match found {
                Ok(commit) => commit,
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(Some(tip)),
                Err(error) => return Err(local(error)),
            };
            if let Some(missing) = self.missing_in(commit.tree_id(), &mut seen, watch)? {
                return Ok(Some(missing));
            }
        }
        Ok(None)
    }

    /// An object of a tree that is not here.
    fn missing_in(
        &self,
        tree: Oid,
        seen: &mut HashSet<Oid>,
        watch: &Watch<'_>,
    ) -> Result<Option<Oid>, FetchFailure> {
        let mut open = vec![tree];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let tree = match read_tree(&self.odb, id) {
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
                        if seen.insert(entry.id) && !self.odb.exists(entry.id) {
                            return Ok(Some(entry.id));
                        }
                    }
                }
                if seen.len().is_multiple_of(LOOK_EVERY) {
                    watch.count(0, seen.len())?;
                }
            }
        }
        Ok(None)
    }
}
