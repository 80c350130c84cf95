//! Raw objects: read with a limit, trees split into their entries.
//!
//! **Invariant:** an object's size is known before it is unpacked.

use std::fmt;

use git2::{ErrorCode, ObjectType, Odb, OdbObject, Oid};

/// A tree of 100,000 entries is smaller.
const TREE_BYTES_MAX: u64 = 32 << 20;

/// Why an object was not read.
#[derive(Debug)]
pub(super) enum NoObject {
    /// It is not here.
    Missing,
    /// It is something else.
    Kind(ObjectType),
    /// It is larger than allowed.
    TooLarge(usize),
    /// It cannot be read.
    Damaged(git2::Error),
}

impl fmt::Display for NoObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is not here"),
            Self::Kind(found) => write!(f, "is a {found}"),
            Self::TooLarge(size) => write!(f, "has {size} bytes, which is too large"),
            Self::Damaged(error) => write!(f, "cannot be read: {}", error.message()),
        }
    }
}

/// Reads an object of a kind and of at most `limit` bytes.
pub(super) fn read<'o>(
    odb: &'o Odb<'_>,
    id: Oid,
    kind: ObjectType,
    limit: u64,
) -> Result<OdbObject<'o>, NoObject> {
    let refuse = |error: git2::Error| match error.code() {
        ErrorCode::NotFound => NoObject::Missing,
        _ => NoObject::Damaged(error),
    };
    let (size, found) = odb.read_header(id).map_err(refuse)?;
    if found != kind {
        return Err(NoObject::Kind(found));
    }
    if size as u64 > limit {
        return Err(NoObject::TooLarge(size));
    }
    odb.read(id).map_err(refuse)
}

/// Reads a tree.
pub(super) fn read_tree<'o>(odb: &'o Odb<'_>, id: Oid) -> Result<OdbObject<'o>, NoObject> {
    read(odb, id, ObjectType::Tree, TREE_BYTES_MAX)
}

/// What a tree's entry is, by its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A regular file.
    File {
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link.
    Symlink,
    /// A folder.
    Folder,
    /// A submodule.
    Submodule,
    /// None of Git's modes.
    Unknown,
}

/// One entry of a raw tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawEntry<'t> {
    pub(super) mode: Mode,
    pub(super) name: &'t [u8],
    pub(super) id: Oid,
    /// The mode as a number, as Git's own programs show it.
    pub(super) bits: u32,
    /// The whole entry as it stands in the tree.
    pub(super) raw: &'t [u8],
}

/// Splits a raw tree. An entry that is not well formed ends it with `Err`.
pub(super) fn entries(tree: &[u8]) -> Entries<'_> {
    Entries { rest: tree }
}

/// The entries of a raw tree.
#[derive(Debug)]
pub(super) struct Entries<'t> {
    rest: &'t [u8],
}

impl<'t> Iterator for Entries<'t> {
    type Item = Result<RawEntry<'t>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = split(self.rest);
        self.rest = match &entry {
            Some((_, rest)) => rest,
            None => &[],
        };
        Some(entry.map(|(entry, _)| entry).ok_or(Malformed))
    }
}

/// A tree that ends in the middle of an entry.
#[derive(Debug)]
pub(super) struct Malformed;

fn split(tree: &[u8]) -> Option<(RawEntry<'_>, &[u8])> {
    // The longest mode has six digits.
    let blank = tree.iter().take(7).position(|byte| *byte == b' ')?;
    let (mode, after) = (tree.get(..blank)?, tree.get(blank + 1..)?);
    let end = after.iter().position(|byte| *byte == 0)?;
    let name = after.get(..end)?;
    let (id, rest) = after.get(end + 1..)?.split_at_checked(20)?;
    let raw = tree.get(..blank + 1 + end + 1 + 20)?;
    let id = Oid::from_bytes(id).ok()?;
    let bits = mode.iter().try_fold(0_u32, |sum, digit| match digit {
        b'0'..=b'7' => Some(sum * 8 + u32::from(digit - b'0')),
        _ => None,
    })?;
    Some((RawEntry { mode: mode_of(mode), name, id, bits, raw }, rest))
}

fn mode_of(mode: &[u8]) -> Mode {
    match mode {
        b"100755" => Mode::File { executable: true },
        // 100664 was written by the first versions of Git.
        b"100644" | b"100664" => Mode::File { executable: false },
        b"120000" => Mode::Symlink,
        b"40000" | b"040000" => Mode::Folder,
        b"160000" => Mode::Submodule,
        _ => Mode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mode: &str, name: &str) -> Vec<u8> {
        [format!("{mode} {name}\0").as_bytes(), &[7; 20]].concat()
    }

    #[test]
    fn a_tree_is_split_into_its_entries() {
        let tree = [entry("100644", "a"), entry("40000", "b c"), entry("160000", "d")].concat();
        let found: Vec<_> =
            entries(&tree).map(|it| it.map(|it| (it.mode, it.name.to_vec())).unwrap()).collect();
        let file = Mode::File { executable: false };
        let expected = [(file, "a"), (Mode::Folder, "b c"), (Mode::Submodule, "d")];
        assert_eq!(found, expected.map(|(mode, name)| (mode, name.as_bytes().to_vec())));
    }

    #[test]
    fn a_tree_that_is_cut_off_is_malformed() {
        let whole = entry("100644", "a");
        for length in 1..whole.len() {
            assert!(entries(&whole[..length]).any(|it| it.is_err()), "{length} bytes");
        }
    }
}
