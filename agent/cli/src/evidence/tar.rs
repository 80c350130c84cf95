//! An archive of files, the same bytes for the same files: tar in the POSIX form, uncompressed.
//!
//! **Invariant:** names are sorted, and times, owners and modes are fixed: nothing of this machine is told.
//! **Invariant:** every name fits the form without an extension, or the archive is not made.

use std::collections::BTreeMap;

use anyhow::anyhow;

use crate::failure::Failure;

/// Everything is padded to it.
const BLOCK: usize = 512;

/// tar's programs read this much at once, and complain of less at the end.
const RECORD: usize = 20 * BLOCK;

/// As large as anybody would mail: what a host keeps of one revision is much less.
const BYTES_MAX: usize = 512 << 20;

/// Files of an archive, by their names.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Adds a file; one of the same name is replaced.
    pub(super) fn add(&mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), content.into());
    }

    /// Names and contents, sorted.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, content)| (name.as_str(), content.as_slice()))
    }

    /// The archive.
    pub(super) fn archive(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        for (name, content) in self.iter() {
            bytes.extend_from_slice(&header(name, content.len())?);
            bytes.extend_from_slice(content);
            pad(&mut bytes, BLOCK);
            if bytes.len() > BYTES_MAX {
                let what = anyhow!("the evidence has more than {BYTES_MAX} bytes");
                return Err(Failure::failed(what));
            }
        }
        // The end is two blocks of zeros.
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        pad(&mut bytes, RECORD);
        Ok(bytes)
    }
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// The block that stands before a file's content.
fn header(name: &str, size: usize) -> Result<Vec<u8>, Failure> {
    let (folder, file) = split(name)
        .ok_or_else(|| Failure::failed(anyhow!("the name {name:?} is too long for an archive")))?;
    let mut block = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, length: usize| {
        block.extend_from_slice(text.as_bytes());
        block.resize(block.len() + length - text.len(), 0);
    };
    field(file, 100);
    field("0000644", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{size:011o}"), 12);
    field("00000000000", 12);
    // The sum is taken with blanks in its own place.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("root", 32);
    field("root", 32);
    field("0000000", 8);
    field("0000000", 8);
    field(folder, 155);
    field("", 12);
    let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (to, from) in block.iter_mut().skip(148).zip(sum.bytes()) {
        *to = from;
    }
    Ok(block)
}

/// Parts a name so that each part fits its field.
fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    let places = name.match_indices('/').map(|(at, _)| at);
    places
        .filter_map(|at| Some((name.get(..at)?, name.get(at + 1..)?)))
        .find(|(folder, file)| folder.len() <= 155 && file.len() <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_bytes_in_whatever_order_they_come() {
        let make = |names: &[&str]| {
            let mut files = Files::default();
            for name in names {
                files.add(*name, name.as_bytes());
            }
            files.archive().unwrap()
        };
        assert_eq!(make(&["b", "a/c", "a"]), make(&["a", "b", "a/c"]));
        assert_ne!(make(&["a"]), make(&["b"]));
        assert_eq!(make(&["a"]).len() % RECORD, 0);
    }

    #[test]
    fn long_names_are_parted_and_too_long_ones_refused() {
        let folder = "f".repeat(90);
        let name = format!("{folder}/{}", "n".repeat(60));
        assert_eq!(split(&name), Some((folder.as_str(), &*"n".repeat(60))));
        assert_eq!(split(&"n".repeat(101)), None);
        assert!(header(&"n".repeat(101), 1).is_err());
    }
}
