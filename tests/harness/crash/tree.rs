//! A folder tree made of memory: what a disk holds, as numbered objects with names.
//!
//! **Invariant:** an object keeps its number under every name that it is given.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, Permissions};
use std::hash::{Hash as _, Hasher as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names one object of a tree, and the same one in every tree of the same recording.
pub type Number = usize;

/// The folder above everything.
pub const TOP: Number = 0;

/// Device and number of an object on a real disk.
pub type Inode = (u64, u64);

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Body {
    /// A folder and its names.
    Folder(BTreeMap<String, Number>),
    /// A file.
    File(Content),
    /// A symbolic link and what it points at.
    Link(String),
}

/// What a file holds. Reserved room is long and empty, so it is not spelled out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Content {
    begin: Vec<u8>,
    /// Behind the beginning there are zeros up to here.
    length: usize,
}

impl Content {
    /// The whole of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.begin.clone();
        bytes.resize(self.length, 0);
        bytes
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Writes bytes somewhere; what is skipped holds zeros.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.begin.resize(self.begin.len().max(end), 0);
        self.begin[at..end].copy_from_slice(bytes);
        self.reserve(end);
    }

    /// Makes it at least so long.
    pub fn reserve(&mut self, length: usize) {
        self.length = self.length.max(length);
    }

    /// Makes it exactly so long.
    pub fn cut(&mut self, length: usize) {
        self.begin.truncate(length);
        self.length = length;
    }
}

impl From<Vec<u8>> for Content {
    fn from(begin: Vec<u8>) -> Self {
        Self { length: begin.len(), begin }
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Thing {
    /// What it is.
    pub body: Body,
    /// Its permission bits.
    pub mode: u32,
    /// Where it was read from; `None` when it was made later.
    pub origin: Option<Inode>,
}

/// What a reader sees at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Look {
    /// A folder with this mode.
    Folder(u32),
    /// A file with this mode and content.
    File(u32, Vec<u8>),
    /// A link to this.
    Link(String),
}

/// What a reader sees at every path.
pub type Looks = BTreeMap<String, Look>;

/// A tree of objects.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Shared between copies until one is changed: thousands of copies differ in a few objects.
    things: Vec<Arc<Thing>>,
}

impl Tree {
    /// Reads real folders, each under a name of its own.
    pub fn read(folders: &[(&str, &Path)]) -> Self {
        let names = Body::Folder(BTreeMap::new());
        let top = Thing { body: names, mode: 0o755, origin: None };
        let mut tree = Self { things: vec![Arc::new(top)] };
        let mut seen = BTreeMap::new();
        for (name, path) in folders {
            let number = tree.take_in(path, &mut seen);
            tree.names_mut(TOP).insert((*name).to_owned(), number);
        }
        tree
    }

    fn take_in(&mut self, path: &Path, seen: &mut BTreeMap<Inode, Number>) -> Number {
        let met = fs::symlink_metadata(path).unwrap();
        let origin = (met.dev(), met.ino());
        if let Some(number) = seen.get(&origin) {
            return *number;
        }
        let body = if met.is_symlink() {
            Body::Link(fs::read_link(path).unwrap().into_os_string().into_string().unwrap())
        } else if met.is_dir() {
            Body::Folder(BTreeMap::new())
        } else {
            Body::File(fs::read(path).unwrap().into())
        };
        let is_folder = met.is_dir();
        let number = self.add(Thing { body, mode: met.mode() & 0o7777, origin: Some(origin) });
        seen.insert(origin, number);
        if is_folder {
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                let inner = self.take_in(&entry.path(), seen);
                self.names_mut(number).insert(entry.file_name().into_string().unwrap(), inner);
            }
        }
        number
    }

    /// Adds an object that has no name yet.
    pub fn add(&mut self, thing: Thing) -> Number {
        self.things.push(Arc::new(thing));
        self.things.len() - 1
    }

    /// One object.
    pub fn thing(&self, number: Number) -> &Thing {
        &self.things[number]
    }

    /// One object, to be changed.
    pub fn thing_mut(&mut self, number: Number) -> &mut Thing {
        Arc::make_mut(&mut self.things[number])
    }

    /// A folder's names; of anything else none.
    pub fn names(&self, number: Number) -> Option<&BTreeMap<String, Number>> {
        match &self.things[number].body {
            Body::Folder(names) => Some(names),
            _ => None,
        }
    }

    /// A folder's names, to be changed.
    pub fn names_mut(&mut self, number: Number) -> &mut BTreeMap<String, Number> {
        match &mut Arc::make_mut(&mut self.things[number]).body {
            Body::Folder(names) => names,
            other => panic!("object {number} is no folder: {other:?}"),
        }
    }

    /// The object at a path below the top.
    pub fn find(&self, path: &str) -> Option<Number> {
        let mut at = TOP;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = *self.names(at)?.get(name)?;
        }
        Some(at)
    }

    /// What a reader sees below a path; the path's own object is left out.
    pub fn looks(&self, below: &str) -> Looks {
        let mut looks = Looks::new();
        if let Some(number) = self.find(below) {
            self.look_below(number, "", &mut looks);
        }
        looks
    }

    fn look_below(&self, number: Number, path: &str, looks: &mut Looks) {
        for (name, inner) in self.names(number).into_iter().flatten() {
            let path = format!("{path}/{name}");
            let Thing { body, mode, .. } = self.thing(*inner);
            let look = match body {
                Body::Folder(_) => Look::Folder(*mode),
                Body::File(content) => Look::File(*mode, content.bytes()),
                Body::Link(to) => Look::Link(to.clone()),
            };
            looks.insert(path.clone(), look);
            self.look_below(*inner, &path, looks);
        }
    }

    /// A number for what a reader sees and which objects those are. `other` is an earlier tree of the
    /// same objects: what is as it was there need not be looked at again.
    pub fn digest(&self, other: &Self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut open = vec![TOP];
        while let Some(number) = open.pop() {
            let thing = &self.things[number];
            number.hash(&mut hasher);
            if !Arc::ptr_eq(thing, &other.things[number]) {
                (thing.mode, &thing.body).hash(&mut hasher);
            }
            open.extend(self.names(number).into_iter().flatten().map(|(_, inner)| *inner));
        }
        hasher.finish()
    }

    /// Makes the tree on a real disk. Gives where the objects that were once read went.
    pub fn write(&self, into: &Path) -> BTreeMap<Inode, Inode> {
        let mut placed = BTreeMap::new();
        let mut moved = BTreeMap::new();
        self.write_below(TOP, into, &mut placed, &mut moved);
        moved
    }

    fn write_below(
        &self,
        number: Number,
        folder: &Path,
        placed: &mut BTreeMap<Number, PathBuf>,
        moved: &mut BTreeMap<Inode, Inode>,
    ) {
        for (name, inner) in self.names(number).into_iter().flatten() {
            let path = folder.join(name);
            if let Some(first) = placed.get(inner) {
                fs::hard_link(first, &path).unwrap();
                continue;
            }
            placed.insert(*inner, path.clone());
            let thing = self.thing(*inner);
            match &thing.body {
                Body::Link(to) => symlink(to, &path).unwrap(),
                Body::File(content) => {
                    let file = File::create(&path).unwrap();
                    file.write_all_at(&content.begin, 0).unwrap();
                    file.set_len(content.length as u64).unwrap();
                }
                Body::Folder(_) => {
                    fs::create_dir(&path).unwrap();
                    self.write_below(*inner, &path, placed, moved);
                }
            }
            if !matches!(thing.body, Body::Link(_)) {
                fs::set_permissions(&path, Permissions::from_mode(thing.mode)).unwrap();
            }
            let met = fs::symlink_metadata(&path).unwrap();
            moved.extend(thing.origin.map(|origin| (origin, (met.dev(), met.ino()))));
        }
    }
}
