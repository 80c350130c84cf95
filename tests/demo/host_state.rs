//! The digest of everything below the host's root, made without any of the agent's code.
//!
//! **Invariant:** path, kind, mode, owner and content of every object count; times do not.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ring::digest::{Context, SHA256};

/// Objects that the demo's host may have; it has some 2,000.
const OBJECTS_MAX: usize = 100_000;

/// The state of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostState {
    /// SHA-256, in hex.
    pub(crate) digest: String,
    /// How many objects it is of.
    pub(crate) objects: usize,
}

/// Looks at everything below a root.
pub(crate) fn look(root: &Path) -> Result<HostState> {
    let mut digest = Context::new(&SHA256);
    let mut objects = 0;
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        objects += 1;
        if objects > OBJECTS_MAX {
            bail!("{} holds more than {OBJECTS_MAX} objects", root.display());
        }
        let shown = || format!("look at {}", path.display());
        let stat = path.symlink_metadata().with_context(shown)?;
        let content = if stat.is_file() {
            fs::read(&path).with_context(shown)?
        } else if stat.is_symlink() {
            fs::read_link(&path).with_context(shown)?.as_os_str().as_bytes().to_vec()
        } else {
            Vec::new()
        };
        let below = path.strip_prefix(root).with_context(shown)?;
        // Each part with its length, so that no two hosts write the same bytes.
        for part in [
            below.as_os_str().as_bytes(),
            &stat.mode().to_be_bytes(),
            &stat.uid().to_be_bytes(),
            &stat.gid().to_be_bytes(),
            &content,
        ] {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        if stat.is_dir() {
            let mut inner = Vec::new();
            for entry in fs::read_dir(&path).with_context(shown)? {
                inner.push(entry.with_context(shown)?.path());
            }
            inner.sort();
            left.append(&mut inner);
        }
    }
    let mut hex = String::new();
    for byte in digest.finish().as_ref() {
        write!(hex, "{byte:02x}").context("write the digest")?;
    }
    Ok(HostState { digest: hex, objects })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::place::{Afterwards, Place};

    #[test]
    fn every_change_that_counts_changes_the_digest() {
        let place = Place::make(Afterwards::Removed).unwrap();
        let file = place.host.join("etc/hostname");
        let mut seen = vec![look(&place.host).unwrap()];
        assert_eq!(look(&place.host).unwrap(), seen[0]);
        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(&file, "other\n").unwrap(),
            &|| fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap(),
            &|| symlink("nowhere", place.host.join("link")).unwrap(),
            &|| fs::rename(&file, place.host.join("hostname")).unwrap(),
        ];
        for (number, change) in changes.iter().enumerate() {
            change();
            let now = look(&place.host).unwrap();
            assert!(!seen.contains(&now), "change {number}");
            seen.push(now);
        }
    }
}
