//! Git objects, made in memory, so that they can be signed and judged before anything is written.
//!
//! **Invariant:** ids are computed here and compared with what Git's store computes.

use std::collections::BTreeMap;

use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_trust::commit::object_id;

/// Files by path.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Objects by id: kind and content.
#[derive(Debug)]
pub(super) struct Objects {
    /// Each object.
    pub(super) all: BTreeMap<ObjectId, (&'static str, Vec<u8>)>,
    root: ObjectId,
}

impl Objects {
    /// Blobs and trees of these files.
    pub(super) fn of(files: &Files) -> Self {
        let nothing = object_id(ObjectFormat::Sha1, "tree", b"");
        let mut objects = Self { all: BTreeMap::new(), root: nothing };
        let files: Vec<_> = files.iter().map(|(path, it)| (path.as_str(), it.as_slice())).collect();
        objects.root = objects.tree(&files);
        objects
    }

    /// The tree that holds everything.
    pub(super) fn root(&self) -> ObjectId {
        self.root
    }

    /// Adds an object.
    pub(super) fn add(&mut self, kind: &'static str, content: &[u8]) -> ObjectId {
        let id = object_id(ObjectFormat::Sha1, kind, content);
        self.all.insert(id, (kind, content.to_vec()));
        id
    }

    /// As deep as the paths have parts.
    fn tree(&mut self, files: &[(&str, &[u8])]) -> ObjectId {
        let mut entries: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut folders: BTreeMap<&str, Vec<(&str, &[u8])>> = BTreeMap::new();
        for (path, content) in files {
            if let Some((folder, rest)) = path.split_once('/') {
                folders.entry(folder).or_default().push((rest, content));
            } else {
                let id = self.add("blob", content);
                entries.insert((*path).to_owned(), entry("100644", path, &id));
            }
        }
        for (folder, inner) in folders {
            let id = self.tree(&inner);
            // Git sorts a folder as if its name ended with a slash.
            entries.insert(format!("{folder}/"), entry("40000", folder, &id));
        }
        let content: Vec<u8> = entries.into_values().flatten().collect();
        self.add("tree", &content)
    }
}

fn entry(mode: &str, name: &str, id: &ObjectId) -> Vec<u8> {
    [format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_have_the_ids_that_git_gives_them() {
        // git mktree, with the same entries.
        let files = [("a.b", "x\n"), ("a/c", "y\n"), ("a0", "x\n")];
        let files: Files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        let objects = Objects::of(&files);
        assert_eq!(objects.root().to_string(), "f2326f542137bc38c56347631434cf75f91828a4");
        assert_eq!(objects.all.len(), 4);
    }

    #[test]
    fn no_files_make_the_empty_tree() {
        let known = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        assert_eq!(Objects::of(&Files::new()).root().to_string(), known);
    }
}
