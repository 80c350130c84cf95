//! Where packs lie on their way into the agent's repository.
//!
//! **Invariant:** nothing but what is let in becomes part of the repository, and it is the agent's own then.

use std::path::{Path, PathBuf};

use bowline_model::object_id::ObjectId;

use super::{ARRIVALS, FILES_MAX, Repository, RepositoryFailure};
use crate::door::{files, lent};
use crate::failure::{OsFailure, chain};

impl Repository {
    /// Folders of objects: the repository's own, and that of what arrived.
    pub(super) fn with_arrivals(&self) -> [PathBuf; 2] {
        [self.folder.join("objects"), self.folder.join("arriving")]
    }

    /// Lets in what arrived. Gives the names of its files.
    pub(super) fn let_in(&self) -> Result<Vec<String>, RepositoryFailure> {
        let (from, to) = (self.folder.join(ARRIVALS), self.packs());
        let mut names = files::names(&from, FILES_MAX)?;
        // A pack is found by its index, so that comes last.
        names.sort_by_key(|it| it.strip_suffix(".idx").is_some());
        for name in &names {
            // Whoever unpacked it owned it.
            lent::lend(&from.join(name), 0o440)?;
            files::rename(&from.join(name), &to.join(name))?;
        }
        self.odb.refresh().map_err(|error| self.failure("write objects", error))?;
        Ok(names)
    }

    /// Throws away what arrived and is not wanted.
    pub(super) fn turn_away(&self) {
        if let Err(error) = clear_arrivals(&self.folder) {
            // Nobody looks there, and the next one to arrive tries again.
            tracing::warn!(error = %chain(&error), "what a remote sent is still on the disk");
        }
    }
}

/// Lets nobody read what is here, and write what arrives: so a process without rights can unpack.
pub(super) fn open_to_nobody(folder: &Path) -> Result<(), OsFailure> {
    if !lent::is_able() {
        return Ok(());
    }
    for (below, mode) in [("", 0o710), ("objects", 0o750), ("objects/pack", 0o750)] {
        lent::lend(&folder.join(below), mode)?;
    }
    lent::lend(&folder.join("objects/info"), 0o750)?;
    lent::lend(&folder.join("arriving"), 0o750)?;
    let packs = folder.join("objects/pack");
    for name in files::names(&packs, FILES_MAX)? {
        lent::lend(&packs.join(name), 0o440)?;
    }
    lent::give(&folder.join(ARRIVALS))
}

/// Empties the folder of what is on its way in.
pub(super) fn clear_arrivals(folder: &Path) -> Result<(), OsFailure> {
    let folder = folder.join(ARRIVALS);
    // More names than can be listed are no reason to keep them.
    let names = files::names(&folder, FILES_MAX).unwrap_or_default();
    let mut emptied = true;
    for name in names {
        emptied &= files::remove(&folder.join(name)).is_ok();
    }
    if !emptied || files::names(&folder, FILES_MAX).map_or(true, |it| !it.is_empty()) {
        // Folders, or names that no process of the agent's gives.
        files::remove_folder(&folder)?;
        files::make_folder_cheaply(&folder)?;
        lent::give(&folder)?;
    }
    Ok(())
}

/// `pack-ID.idx` and `pack-ID.pack`.
pub(super) fn is_pair(index: &str, pack: &str) -> bool {
    let of = |name: &str, end: &str| {
        let id = name.strip_prefix("pack-").and_then(|it| it.strip_suffix(end));
        id.and_then(|it| it.parse::<ObjectId>().ok())
    };
    of(index, ".idx").is_some_and(|it| of(pack, ".pack") == Some(it))
}
