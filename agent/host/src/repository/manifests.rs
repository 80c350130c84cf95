//! Files of a commit's tree that may hold manifests: brought whole and unparsed, or not at all.
//!
//! **Invariant:** what is brought is everything below the repository's own folder that a manifest could be in.
//! **Invariant:** what does not fit into the budgets of a walk is none; a part would say less than was merged.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use bowline_model::bundle::RawManifests;
use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::manifest_files::{
    CONTENT_FOLDERS, MANIFEST_BYTES_MAX, MANIFEST_FILES_MAX, is_yaml, own_folder,
};
use bowline_model::object_id::ObjectId;
use bowline_model::tree::Contents;
use bowline_trust::sieve::digests_in;
use git2::{ObjectType, Odb, Oid};

use super::objects::{Mode, NoObject, entries, read, read_tree};
use super::oid;
use super::tree::{DEPTH_MAX, check_name};

/// Bytes of all that differs from each other on one walk: each of them may be parsed, some seconds' work.
const WALK_BYTES_MAX: u64 = 2 * MANIFEST_BYTES_MAX;

/// The same in files.
const WALK_FILES_MAX: usize = 5 * MANIFEST_FILES_MAX;

/// Folders that differ, on one walk.
const FOLDERS_MAX: usize = 100_000;

/// Files of a folder and what lies below it, or why that cannot be listed.
type Listed = Result<Vec<(String, Oid)>, String>;

/// The manifests of one or more commits.
#[derive(Debug, Clone)]
pub(super) struct Sheaf {
    /// What goes to the judgement.
    pub(super) raw: RawManifests,
    /// Every digest that is written in it.
    pub(super) digests: Rc<BTreeSet<Sha256>>,
}

/// What was read on one walk.
pub(super) struct Sheaves<'a> {
    odb: &'a Odb<'a>,
    folder: &'a str,
    folders: HashMap<Oid, Rc<Listed>>,
    blobs: HashMap<Oid, Arc<[u8]>>,
    known: HashMap<Sha256, Sheaf>,
    /// Files and bytes of all that is known.
    files: usize,
    bytes: u64,
}

impl<'a> Sheaves<'a> {
    /// For a repository whose own folder is this.
    pub(super) fn of(odb: &'a Odb<'a>, folder: &'a str) -> Self {
        let (folders, blobs, known) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { odb, folder: own_folder(folder), folders, blobs, known, files: 0, bytes: 0 }
    }

    /// What a tree holds.
    pub(super) fn in_tree(&mut self, tree: &ObjectId) -> Sheaf {
        self.look(tree).unwrap_or_else(|why| Sheaf {
            raw: RawManifests::Unreadable { why },
            digests: Rc::default(),
        })
    }

    fn look(&mut self, tree: &ObjectId) -> Result<Sheaf, String> {
        let top = oid(tree).ok_or_else(|| format!("{tree} is named by SHA-256"))?;
        let Some(own) = self.own(top)? else {
            return Err(format!("there is no folder {:?}", self.folder));
        };
        let listed = self.list(own, 0);
        let files = listed.as_ref().as_ref().map_err(Clone::clone)?;
        let name = name_of(files);
        if let Some(known) = self.known.get(&name) {
            return Ok(known.clone());
        }
        let contents = self.read(files)?;
        let digests = Rc::new(digests_in(&contents));
        let sheaf = Sheaf { raw: RawManifests::Files(Arc::new(contents)), digests };
        self.known.insert(name, sheaf.clone());
        Ok(sheaf)
    }

    /// The repository's own folder in a tree; `None` where there is none.
    fn own(&self, top: Oid) -> Result<Option<Oid>, String> {
        let mut at = top;
        for name in self.folder.split('/').filter(|it| !it.is_empty()) {
            let tree = read_tree(self.odb, at).map_err(|why| format!("the tree {at} {why}"))?;
            let mut found = None;
            for entry in entries(tree.data()) {
                let entry = entry.map_err(|_| format!("the tree {at} is malformed"))?;
                if entry.name == name.as_bytes() && entry.mode == Mode::Folder {
                    found = Some(entry.id);
                }
            }
            let Some(next) = found else { return Ok(None) };
            at = next;
        }
        Ok(Some(at))
    }

    /// The files of a folder by their paths in it; a folder that many commits share is read once.
    fn list(&mut self, id: Oid, depth: u64) -> Rc<Listed> {
        if let Some(known) = self.folders.get(&id) {
            return Rc::clone(known);
        }
        let listed = Rc::new(self.list_anew(id, depth));
        self.folders.insert(id, Rc::clone(&listed));
        listed
    }

    fn list_anew(&mut self, id: Oid, depth: u64) -> Listed {
        if depth > DEPTH_MAX {
            return Err(format!("folders lie more than {DEPTH_MAX} deep"));
        }
        if self.folders.len() >= FOLDERS_MAX {
            return Err(format!("there are more than {FOLDERS_MAX} folders"));
        }
        let odb = self.odb;
        let tree = read_tree(odb, id).map_err(|why| format!("the tree {id} {why}"))?;
        let (mut files, mut names) = (Vec::new(), Vec::new());
        for entry in entries(tree.data()) {
            let entry = entry.map_err(|_| format!("the tree {id} is malformed"))?;
            let name = check_name("", entry.name).map_err(|why| why.to_string())?;
            names.push(entry.name);
            match entry.mode {
                Mode::File { .. } if is_yaml(name) => files.push((name.to_owned(), entry.id)),
                Mode::Folder if !CONTENT_FOLDERS.contains(&name) => {
                    let below = self.list(entry.id, depth + 1);
                    let below = below.as_ref().as_ref().map_err(Clone::clone)?;
                    files.extend(below.iter().map(|(path, id)| (format!("{name}/{path}"), *id)));
                }
                _ => {}
            }
            if files.len() > MANIFEST_FILES_MAX {
                return Err(too_much(&format!("{MANIFEST_FILES_MAX} files")));
            }
        }
        names.sort_unstable();
        if names.windows(2).any(|it| it.first() == it.last()) {
            return Err(format!("two entries of the tree {id} have the same name"));
        }
        Ok(files)
    }

    /// The contents of files, by path from the tree's root.
    fn read(&mut self, files: &[(String, Oid)]) -> Result<Contents, String> {
        self.files += files.len();
        if self.files > WALK_FILES_MAX {
            return Err(too_much(&format!("{WALK_FILES_MAX} files in revisions that wait")));
        }
        let (mut contents, mut bytes) = (Contents::new(), 0_u64);
        for (path, id) in files {
            let left = MANIFEST_BYTES_MAX.saturating_sub(bytes);
            let content = self.blob(*id, left).map_err(|why| format!("{path}: the file {why}"))?;
            bytes = bytes.saturating_add(content.len() as u64);
            self.bytes = self.bytes.saturating_add(content.len() as u64);
            if bytes > MANIFEST_BYTES_MAX {
                return Err(too_much(&format!("{MANIFEST_BYTES_MAX} bytes")));
            }
            if self.bytes > WALK_BYTES_MAX {
                return Err(too_much(&format!("{WALK_BYTES_MAX} bytes in revisions that wait")));
            }
            let path = match self.folder {
                "" => path.clone(),
                folder => format!("{folder}/{path}"),
            };
            contents.insert(path, content);
        }
        Ok(contents)
    }

    /// A file that is no larger than this; one that many commits share is read once.
    fn blob(&mut self, id: Oid, most: u64) -> Result<Arc<[u8]>, NoObject> {
        if let Some(known) = self.blobs.get(&id) {
            return Ok(Arc::clone(known));
        }
        let content: Arc<[u8]> = Arc::from(read(self.odb, id, ObjectType::Blob, most)?.data());
        self.blobs.insert(id, Arc::clone(&content));
        Ok(content)
    }
}

fn too_much(limit: &str) -> String {
    format!("there is too much YAML in the repository's folder: more than {limit}")
}

/// Names a list of files by their paths and blobs.
fn name_of(files: &[(String, Oid)]) -> Sha256 {
    let mut stream = Sha256Stream::new();
    for (path, id) in files {
        stream.update(&(path.len() as u64).to_le_bytes());
        stream.update(path.as_bytes());
        stream.update(id.as_bytes());
    }
    stream.finish()
}
