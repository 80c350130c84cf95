//! Whether the index of a pack is one: where each object lies, as somebody else wrote it down.
//!
//! **Invariant:** it is read once, from end to end, a piece at a time; nothing is followed.
//! **Invariant:** an index that passes leads nowhere but into its pack. That an object is what its name says is seen
//! when it is read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::door::files;

/// What a version 2 index begins with.
const HEAD: [u8; 8] = *b"\xfftOc\0\0\0\x02";

/// How a pack of version 2 begins, and the number of its objects after that.
const PACK: [u8; 8] = *b"PACK\0\0\0\x02";

/// Bytes before the first object of a pack, and of a name or a checksum.
const PACK_HEAD: u64 = 12;
const NAME: usize = 20;

/// In the list of offsets: the rest is a place in the list of long ones.
const LONG: u32 = 1 << 31;

/// Checks an index, with its pack's length, head and checksum.
///
/// # Errors
/// What is wrong, as what was left.
pub(super) fn check(index: &Path, pack: &Path) -> Result<(), String> {
    let length = files::length(index).map_err(unread)?;
    let open = |path: &Path| files::look(path).map_err(unread)?.ok_or("no file".to_owned());
    let ends = ends_of(&open(pack)?, files::length(pack).map_err(unread)?)?;
    check_read(open(index)?, length, &ends)
}

/// Checks an index of so many bytes by what is known of its pack.
///
/// # Errors
/// What is wrong, as what was left.
pub fn check_read(index: impl Read, length: u64, pack: &Ends) -> Result<(), String> {
    let sum = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    Reader { file: BufReader::new(index), sum }.check(length, pack)
}

/// What the index must agree with.
#[derive(Debug)]
pub struct Ends {
    /// How many objects the pack says it has.
    pub count: u32,
    /// Where the pack's checksum begins.
    pub last: u64,
    /// That checksum.
    pub checksum: [u8; NAME],
}

fn ends_of(mut pack: &File, length: u64) -> Result<Ends, String> {
    use std::io::{Seek as _, SeekFrom};
    let last = length.checked_sub(NAME as u64).filter(|it| *it >= PACK_HEAD);
    let last = last.ok_or("a pack that is cut short")?;
    let (mut head, mut count, mut checksum) = ([0; 8], [0; 4], [0; NAME]);
    pack.read_exact(&mut head).map_err(unread)?;
    pack.read_exact(&mut count).map_err(unread)?;
    pack.seek(SeekFrom::Start(last)).map_err(unread)?;
    pack.read_exact(&mut checksum).map_err(unread)?;
    if head != PACK {
        return Err("a pack of another version".to_owned());
    }
    Ok(Ends { count: u32::from_be_bytes(count), last, checksum })
}

/// Reads the index, and sums up what it read.
struct Reader<R> {
    file: BufReader<R>,
    sum: Context,
}

impl<R: Read> Reader<R> {
    fn check(mut self, length: u64, pack: &Ends) -> Result<(), String> {
        if self.next::<8>()? != HEAD {
            return Err("an index of another version".to_owned());
        }
        let mut fan_out = [0; 256];
        for place in &mut fan_out {
            *place = self.number()?;
        }
        if !fan_out.is_sorted() || fan_out.last() != Some(&pack.count) {
            return Err("an index of another number of objects".to_owned());
        }
        // Head and fan-out; a name, a checksum and an offset of each; long offsets; two checksums.
        let short = 8 + 1_024 + u64::from(pack.count) * (NAME as u64 + 8) + 2 * NAME as u64;
        let long = length.checked_sub(short).filter(|it| it.is_multiple_of(8)).map(|it| it / 8);
        let long = long.filter(|it| *it <= u64::from(pack.count));
        let long = long.ok_or("an index of another length")?;
        self.names(pack.count, &fan_out)?;
        for _ in 0..pack.count {
            self.next::<4>()?;
        }
        self.offsets((pack.count, long), pack.last)?;
        if self.next::<NAME>()? != pack.checksum {
            return Err("an index of another pack".to_owned());
        }
        let sum = self.sum.clone().finish();
        if self.next::<NAME>()? != sum.as_ref() {
            return Err("an index whose checksum is wrong".to_owned());
        }
        Ok(())
    }

    /// Names rise, and each stands where the fan-out says.
    fn names(&mut self, count: u32, fan_out: &[u32; 256]) -> Result<(), String> {
        let mut before = None;
        for place in 0..count {
            let name = self.next::<NAME>()?;
            let first = usize::from(name[0]);
            let from = first.checked_sub(1).and_then(|it| fan_out.get(it)).copied().unwrap_or(0);
            let to = fan_out.get(first).copied().unwrap_or(0);
            if before >= Some(name) || !(from..to).contains(&place) {
                return Err("an index that is out of order".to_owned());
            }
            before = Some(name);
        }
        Ok(())
    }

    /// Each offset lies between head and checksum of the pack, whether it is short or long.
    fn offsets(&mut self, (count, long): (u32, u64), last: u64) -> Result<(), String> {
        let is_in = |it: u64| (PACK_HEAD..last).contains(&it);
        let beyond = || "an index that leads out of its pack".to_owned();
        for _ in 0..count {
            let offset = self.number()?;
            let is_fine = match offset & LONG {
                0 => is_in(u64::from(offset)),
                _ => u64::from(offset ^ LONG) < long,
            };
            is_fine.then_some(()).ok_or_else(beyond)?;
        }
        for _ in 0..long {
            let offset = u64::from_be_bytes(self.next()?);
            is_in(offset).then_some(()).ok_or_else(beyond)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<u32, String> {
        Ok(u32::from_be_bytes(self.next()?))
    }

    fn next<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(unread)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }
}

fn unread(error: impl std::fmt::Display) -> String {
    format!("what cannot be read: {error}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use git2::{Indexer, Repository, Signature};
    use ring::digest::digest;

    use super::*;
    use crate::scratch::Scratch;

    /// A pack of one commit and what it is made of, its index, and the commit.
    pub(in crate::repository) fn packed(folder: &Path) -> ([PathBuf; 2], git2::Oid) {
        let source = Repository::init_bare(folder.join("source.git")).unwrap();
        let mut tree = source.treebuilder(None).unwrap();
        for name in ["a", "b", "c", "d"] {
            tree.insert(name, source.blob(name.as_bytes()).unwrap(), 0o100_644).unwrap();
        }
        let tree = source.find_tree(tree.write().unwrap()).unwrap();
        let who = Signature::new("A", "a@example.org", &git2::Time::new(0, 0)).unwrap();
        let commit = source.commit(None, &who, &who, "one", &tree, &[]).unwrap();
        let mut builder = source.packbuilder().unwrap();
        builder.insert_commit(commit).unwrap();
        let mut bytes = git2::Buf::new();
        builder.write_buf(&mut bytes).unwrap();
        let to = folder.join("packed");
        std::fs::create_dir(&to).unwrap();
        let mut index = Indexer::new(None, &to, 0o600, true).unwrap();
        index.write_all(&bytes).unwrap();
        index.commit().unwrap();
        let [index, pack] = <[String; 2]>::try_from(files::names(&to, 2).unwrap()).unwrap();
        ([to.join(index), to.join(pack)], commit)
    }

    /// Bytes with a checksum that fits them, as whoever lies would write it.
    pub(in crate::repository) fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - NAME;
        let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes[..end]);
        bytes[end..].copy_from_slice(sum.as_ref());
        bytes
    }

    #[test]
    fn attack_33_an_index_that_lies_is_none() {
        let scratch = Scratch::new();
        let ([index, pack], _) = packed(scratch.path());
        assert_eq!(check(&index, &pack), Ok(()));
        let good = std::fs::read(&index).unwrap();
        // Six objects: a commit, its tree, and four files.
        let (names, offsets) = (8 + 1_024, 8 + 1_024 + 6 * 24);
        let long = offsets + 6 * 4;
        let last = std::fs::metadata(&pack).unwrap().len() - 20;
        let write = |at: usize, bytes: &[u8]| {
            let mut changed = good.clone();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            summed(changed)
        };
        let place = |at: u64| write(offsets, &u32::try_from(at).unwrap().to_be_bytes());
        let with_long = |at: u64| {
            let mut changed = good.clone();
            changed[offsets..offsets + 4].copy_from_slice(&LONG.to_be_bytes());
            changed.splice(long..long, at.to_be_bytes());
            summed(changed)
        };
        let mut unsummed = good.clone();
        unsummed[offsets - 1] ^= 1;
        let mut swapped = good.clone();
        swapped[names..names + 2 * NAME].rotate_left(NAME);
        let cases = [
            ("the same", summed(good.clone()), ""),
            ("another version", write(7, &[3]), "of another version"),
            ("a fan-out that falls", write(8, &[0xff; 4]), "another number of objects"),
            (
                "one object more",
                write(names - 4, &7_u32.to_be_bytes()),
                "another number of objects",
            ),
            ("names that fall", summed(swapped), "out of order"),
            ("a name under another letter", write(names, &[good[names] ^ 0x80]), "out of order"),
            ("the head of the pack", place(11), "out of its pack"),
            ("its checksum", place(last), "out of its pack"),
            ("its last byte", place(last - 1), ""),
            ("far beyond it", place(0x7fff_ffff), "out of its pack"),
            ("no long offset", place(u64::from(LONG)), "out of its pack"),
            ("a long offset", with_long(12), ""),
            ("one beyond the pack", with_long(u64::MAX), "out of its pack"),
            ("another pack's", write(long, &[good[long] ^ 1]), "of another pack"),
            ("cut short", summed(good[..good.len() - 1].to_vec()), "of another length"),
            ("nothing", Vec::new(), "cannot be read"),
            ("a wrong checksum", unsummed, "whose checksum is wrong"),
        ];
        for (what, bytes, words) in cases {
            std::fs::remove_file(&index).unwrap();
            std::fs::write(&index, bytes).unwrap();
            let said = check(&index, &pack).err().unwrap_or_default();
            assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{what}: {said}");
        }
    }
}
