//! Lists a verified commit's tree by object id, and refuses what could do harm when it is put on a host.
//!
//! **Invariant:** a listing holds regular files and links that stay inside the tree, nothing else.
//! **Invariant:** content is raw: no filter, no attribute, no line ending is changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::object_id::ObjectId;
use bowline_model::tree::{Contents, Entry, Tree};
use bowline_trust::commit::{Commit, LARGEST_COMMIT};
use git2::{ObjectType, Odb, Oid};
use thiserror::Error;

use super::blobs::BlobCache;
use super::objects::{Mode, NoObject, RawEntry, entries, read, read_tree};
use super::{Repository, RepositoryFailure, object_id, oid, symlink};
use crate::failure::Kind;

/// Deeper than any sensible tree, and far from a path's longest length.
pub(super) const DEPTH_MAX: u64 = 64;

/// Files, links and folders of one tree.
const ENTRIES_MAX: u64 = 100_000;

/// No blob of a revision is larger.
const BLOB_BYTES_MAX: u64 = 64 << 20;

/// All files of one tree together.
const TOTAL_BYTES_MAX: u64 = 1 << 30;

/// A file that is read to be understood (manifest, template) is not larger.
const CONTENT_BYTES_MAX: u64 = 8 << 20;

/// Longest path (`PATH_MAX`, with its NUL).
const PATH_BYTES_MAX: u64 = 4_095;

/// The tree could not be listed.
#[derive(Debug, Error)]
pub enum TreeFailure {
    /// The repository cannot be read.
    #[error("list the tree")]
    Repository(#[from] RepositoryFailure),
    /// Something that must not be put on a host.
    #[error("list the tree: {path:?}: {why}")]
    Hostile {
        /// Where.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A limit is passed.
    #[error("list the tree: {path:?}: {what}, and {limit} are allowed")]
    TooLarge {
        /// Where.
        path: String,
        /// What there is.
        what: String,
        /// The limit.
        limit: String,
    },
    /// An object that should be here is not, or not as it was written.
    #[error("list the tree: {path:?}: object {id} {why}")]
    Object {
        /// Where.
        path: String,
        /// The object.
        id: ObjectId,
        /// What is wrong with it.
        why: String,
    },
    /// No file has this path.
    #[error("read {path:?}: the revision holds no such file")]
    NoFile {
        /// The path.
        path: String,
    },
}

impl TreeFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Repository(failure) => failure.kind(),
            Self::Object { .. } => Kind::Transient,
            Self::Hostile { .. } | Self::TooLarge { .. } | Self::NoFile { .. } => Kind::Refused,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repository(_) => "io",
            Self::Hostile { .. } => "hostile-tree",
            Self::TooLarge { .. } => "too-large",
            Self::Object { .. } => "missing-object",
            Self::NoFile { .. } => "missing-file",
        }
    }
}

impl Repository {
    /// Lists the tree of a commit.
    pub fn tree(&self, commit: &ObjectId, cache: &mut BlobCache) -> Result<Tree, TreeFailure> {
        let odb = &self.odb;
        let root = tree_of(odb, commit)?;
        let (visited, total) = (0, 0);
        let mut scan = Scan { odb, cache, entries: BTreeMap::new(), visited, total };
        scan.folder(root, "", 0)?;
        let entries = scan.entries;
        let sha256 = digest(&entries);
        Ok(Tree { commit: *commit, entries, sha256 })
    }

    /// Reads files of a commit.
    pub fn contents(&self, commit: &ObjectId, paths: &[String]) -> Result<Contents, TreeFailure> {
        let odb = &self.odb;
        let root = tree_of(odb, commit)?;
        paths.iter().map(|path| Ok((path.clone(), content(odb, root, path)?))).collect()
    }
}

/// The tree of a commit, by the strict grammar: the same one that was verified.
fn tree_of(odb: &Odb<'_>, commit: &ObjectId) -> Result<Oid, TreeFailure> {
    let fail = |why: String| TreeFailure::Object { path: String::new(), id: *commit, why };
    let id = oid(commit).ok_or_else(|| fail("is named by SHA-256".to_owned()))?;
    let object = read(odb, id, ObjectType::Commit, LARGEST_COMMIT as u64)
        .map_err(|why| fail(why.to_string()))?;
    let parsed = Commit::parse(object.data(), commit.format())
        .map_err(|error| fail(format!("is malformed: {error}")))?;
    oid(&parsed.tree).ok_or_else(|| fail("has a tree that is named by SHA-256".to_owned()))
}

/// A listing in the making.
struct Scan<'s> {
    odb: &'s Odb<'s>,
    cache: &'s mut BlobCache,
    entries: BTreeMap<String, Entry>,
    /// Entries so far, folders among them: a tree may hold itself ten times over.
    visited: u64,
    /// Bytes of all files so far.
    total: u64,
}

impl Scan<'_> {
    /// Lists a folder and everything below it.
    fn folder(&mut self, id: Oid, path: &str, depth: u64) -> Result<(), TreeFailure> {
        if depth > DEPTH_MAX {
            return Err(too_large(path, "folders in folders", DEPTH_MAX));
        }
        let odb = self.odb;
        let object = read_tree(odb, id).map_err(|why| object_failure(path, id, &why))?;
        let mut names = Vec::new();
        for entry in entries(object.data()) {
            let entry = entry.map_err(|_| hostile(path, "the tree is malformed"))?;
            let name = check_name(path, entry.name)?;
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            if below.len() as u64 > PATH_BYTES_MAX {
                return Err(too_large(&below, "a longer path", PATH_BYTES_MAX));
            }
            self.visited += 1;
            if self.visited > ENTRIES_MAX {
                return Err(too_large(&below, "more entries", ENTRIES_MAX));
            }
            names.push(entry.name);
            self.entry(&entry, below, depth)?;
        }
        names.sort_unstable();
        match names.windows(2).find(|it| it.first() == it.last()) {
            Some(_) => Err(hostile(path, "two entries have the same name")),
            None => Ok(()),
        }
    }

    /// Lists one entry by what its mode says.
    fn entry(&mut self, entry: &RawEntry<'_>, path: String, depth: u64) -> Result<(), TreeFailure> {
        let listed = match entry.mode {
            Mode::Folder => return self.folder(entry.id, &path, depth + 1),
            Mode::Submodule => return Err(hostile(&path, "it is a submodule")),
            Mode::Unknown => return Err(hostile(&path, "its mode is none of Git's")),
            Mode::Symlink => self.link(entry.id, &path)?,
            Mode::File { executable } => {
                let (sha256, size) = self.blob(entry.id, &path)?;
                self.total = self.total.saturating_add(size);
                if self.total > TOTAL_BYTES_MAX {
                    return Err(too_large(&path, "more bytes in all files", TOTAL_BYTES_MAX));
                }
                Entry::File { blob: object_id(entry.id), sha256, size, executable }
            }
        };
        self.entries.insert(path, listed);
        Ok(())
    }

    /// Reads a link and checks where it leads.
    fn link(&self, id: Oid, path: &str) -> Result<Entry, TreeFailure> {
        let object = match read(self.odb, id, ObjectType::Blob, symlink::TARGET_BYTES_MAX) {
            Ok(object) => object,
            Err(NoObject::TooLarge(_)) => return Err(hostile(path, "its target is too long")),
            Err(why) => return Err(object_failure(path, id, &why)),
        };
        let target = std::str::from_utf8(object.data())
            .map_err(|_| hostile(path, "its target is not UTF-8"))?;
        match symlink::fault(path, target) {
            Some(why) => Err(hostile(path, why)),
            None => Ok(Entry::Symlink { target: target.to_owned() }),
        }
    }

    /// Digest and size of a file; its content is read only when it is not known.
    fn blob(&mut self, id: Oid, path: &str) -> Result<(Sha256, u64), TreeFailure> {
        if let Some(known) = self.cache.look(id) {
            return Ok(known);
        }
        let limit = BLOB_BYTES_MAX;
        let object = match read(self.odb, id, ObjectType::Blob, limit) {
            Ok(object) => object,
            Err(NoObject::TooLarge(size)) => {
                return Err(too_large(path, &format!("{size} bytes"), limit));
            }
            Err(why) => return Err(object_failure(path, id, &why)),
        };
        let (sha256, size) = (Sha256::of(object.data()), object.len() as u64);
        self.cache.keep(id, sha256, size);
        Ok((sha256, size))
    }
}

/// Finds one file by its path and reads it.
fn content(odb: &Odb<'_>, root: Oid, path: &str) -> Result<Arc<[u8]>, TreeFailure> {
    let none = || TreeFailure::NoFile { path: path.to_owned() };
    let mut tree = root;
    let mut names = path.split('/').peekable();
    // A path has no more names than bytes.
    while let Some(name) = names.next() {
        let object = read_tree(odb, tree).map_err(|why| object_failure(path, tree, &why))?;
        let found = entries(object.data())
            .find_map(|it| it.ok().filter(|it| it.name == name.as_bytes()))
            .ok_or_else(none)?;
        match (found.mode, names.peek()) {
            (Mode::Folder, Some(_)) => tree = found.id,
            (Mode::File { .. }, None) => {
                return match read(odb, found.id, ObjectType::Blob, CONTENT_BYTES_MAX) {
                    Ok(blob) => Ok(Arc::from(blob.data())),
                    Err(NoObject::TooLarge(size)) => {
                        Err(too_large(path, &format!("{size} bytes"), CONTENT_BYTES_MAX))
                    }
                    Err(why) => Err(object_failure(path, found.id, &why)),
                };
            }
            _ => return Err(none()),
        }
    }
    Err(none())
}

/// Checks a name that may be put on a host.
pub(super) fn check_name<'n>(folder: &str, name: &'n [u8]) -> Result<&'n str, TreeFailure> {
    let shown = || {
        let name = String::from_utf8_lossy(name);
        if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") }
    };
    let refuse = |why| Err(hostile(&shown(), why));
    let Ok(text) = std::str::from_utf8(name) else {
        return refuse("its name is not UTF-8");
    };
    match text {
        "" => refuse("its name is empty"),
        "." | ".." => refuse("its name is `.` or `..`"),
        _ if text.eq_ignore_ascii_case(".git") => refuse("its name is `.git`"),
        _ if text.contains('/') => refuse("its name holds a `/`"),
        _ if text.chars().any(char::is_control) => refuse("its name holds a control character"),
        _ if text.len() > 255 => refuse("its name is longer than 255 bytes"),
        _ => Ok(text),
    }
}

/// Digests everything about every entry; lengths keep neighbours apart.
fn digest(entries: &BTreeMap<String, Entry>) -> Sha256 {
    let mut stream = Sha256Stream::new();
    for (path, entry) in entries {
        stream.update(&(path.len() as u64).to_le_bytes());
        stream.update(path.as_bytes());
        match entry {
            Entry::File { sha256, size, executable, .. } => {
                stream.update(if *executable { b"100755" } else { b"100644" });
                stream.update(&size.to_le_bytes());
                stream.update(sha256.as_bytes());
            }
            Entry::Symlink { target } => {
                stream.update(b"120000");
                stream.update(&(target.len() as u64).to_le_bytes());
                stream.update(target.as_bytes());
            }
        }
    }
    stream.finish()
}

fn hostile(path: &str, why: &str) -> TreeFailure {
    TreeFailure::Hostile { path: path.to_owned(), why: why.to_owned() }
}

fn too_large(path: &str, what: &str, limit: u64) -> TreeFailure {
    TreeFailure::TooLarge { path: path.to_owned(), what: what.to_owned(), limit: limit.to_string() }
}

fn object_failure(path: &str, id: Oid, why: &NoObject) -> TreeFailure {
    match why {
        // Kind and size are part of what the id names: fetching it again would not change them.
        NoObject::Kind(_) | NoObject::TooLarge(_) => {
            hostile(path, &format!("the object {} {why}", object_id(id)))
        }
        _ => TreeFailure::Object { path: path.to_owned(), id: object_id(id), why: why.to_string() },
    }
}
