//! What of a tree is listed, and what is refused.
//!
//! **Invariant:** hostile trees are written object by object, as an attacker would.

use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::tree::{Entry, Tree};
use git2::Oid;

use super::World;
use crate::repository::blobs::BlobCache;
use crate::repository::object_id;
use crate::repository::tree::TreeFailure;
use crate::stage::Source as _;

/// Entries of a tree: mode, name, object.
type Raw<'a> = Vec<(&'a str, &'a [u8], Oid)>;

impl World {
    /// Lists a tree that lies in the agent's repository already.
    fn list(&self, tree: Oid, cache: &mut BlobCache) -> Result<Tree, TreeFailure> {
        self.share(self);
        self.own.tree(&self.commit_of(tree), cache)
    }

    fn commit_of(&self, tree: Oid) -> ObjectId {
        object_id(self.commit(tree, &[], "one"))
    }

    fn cache(&self) -> BlobCache {
        BlobCache::open(&self.scratch.path().join("blobs"))
    }
}

#[test]
fn files_and_links_are_listed_with_their_digests() {
    let world = World::new();
    let (text, target) = (world.blob(b"text"), world.blob(b"../a"));
    let below = world.tree(&[("100755", b"b", text), ("120000", b"l", target)]);
    let tree = world.tree(&[("100644", b"a", text), ("40000", b"d", below)]);
    let listed = world.list(tree, &mut world.cache()).unwrap();
    let file = |executable| Entry::File {
        blob: object_id(text),
        sha256: Sha256::of(b"text"),
        size: 4,
        executable,
    };
    let expected = [
        ("a".to_owned(), file(false)),
        ("d/b".to_owned(), file(true)),
        ("d/l".to_owned(), Entry::Symlink { target: "../a".to_owned() }),
    ];
    assert_eq!(listed.entries, expected.into());
    let commit = world.commit_of(tree);
    let paths = ["a".to_owned(), "d/b".to_owned()];
    let contents = world.own.contents(&commit, &paths).unwrap();
    assert_eq!(contents.get("d/b").map(|it| it.to_vec()), Some(b"text".to_vec()));
    assert_eq!(world.own.blob(&object_id(text)).unwrap(), b"text");
}

#[test]
fn only_regular_files_can_be_read() {
    let world = World::new();
    let target = world.blob(b"a");
    let tree = world.tree(&[
        ("100644", b"a", world.blob(b"1")),
        ("40000", b"d", world.files(&[("x", "1")])),
        ("120000", b"l", target),
        ("100644", b"large", world.blob(&vec![0; (8 << 20) + 1])),
    ]);
    world.list(tree, &mut world.cache()).unwrap();
    let commit = world.commit_of(tree);
    for (path, code) in [
        ("d", "missing-file"),
        ("l", "missing-file"),
        ("nope", "missing-file"),
        ("a/x", "missing-file"),
        ("d/../a", "missing-file"),
        ("", "missing-file"),
        ("large", "too-large"),
    ] {
        let failure = world.own.contents(&commit, &[path.to_owned()]).unwrap_err();
        assert_eq!(failure.code(), code, "{path}");
    }
}

#[test]
fn whatever_changes_a_host_changes_the_digest() {
    let world = World::new();
    let (one, two) = (world.blob(b"1"), world.blob(b"2"));
    let trees = [
        world.tree(&[("100644", b"a", one)]),
        world.tree(&[("100755", b"a", one)]),
        world.tree(&[("120000", b"a", one)]),
        world.tree(&[("100644", b"b", one)]),
        world.tree(&[("100644", b"a", two)]),
        world.tree(&[("100644", b"a", one), ("100644", b"b", one)]),
        world.tree(&[]),
    ];
    let mut digests: Vec<_> =
        trees.iter().map(|it| world.list(*it, &mut world.cache()).unwrap().sha256).collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), trees.len());
}

#[test]
fn hostile_trees_are_refused() {
    let world = World::new();
    let (text, empty) = (world.blob(b"x"), world.tree(&[]));
    let link = |target: &[u8]| world.blob(target);
    let long = vec![b'a'; 256];
    let cases: Vec<(&str, Raw<'_>)> = vec![
        ("a submodule", vec![("160000", b"a", text)]),
        ("an unknown mode", vec![("100600", b"a", text)]),
        (".git", vec![("40000", b".git", empty)]),
        (".GIT", vec![("100644", b".GiT", text)]),
        ("..", vec![("40000", b"..", empty)]),
        (".", vec![("40000", b".", empty)]),
        ("an empty name", vec![("100644", b"", text)]),
        ("a slash", vec![("100644", b"a/b", text)]),
        ("a newline", vec![("100644", b"a\nb", text)]),
        ("no UTF-8", vec![("100644", b"\xff", text)]),
        ("a long name", vec![("100644", &long, text)]),
        ("twice", vec![("100644", b"a", text), ("100644", b"a", text)]),
        ("file and folder", vec![("100644", b"a", text), ("40000", b"a", empty)]),
        ("an absolute link", vec![("120000", b"a", link(b"/etc/shadow"))]),
        ("an escaping link", vec![("120000", b"a", link(b"../b"))]),
        ("a link's NUL", vec![("120000", b"a", link(b"b\0c"))]),
        ("a link without UTF-8", vec![("120000", b"a", link(b"\xff"))]),
        ("a link to nothing", vec![("120000", b"a", link(b""))]),
        ("a long link", vec![("120000", b"a", link(&[b'a'; 4_096]))]),
    ];
    for (what, entries) in cases {
        for depth in ["at the top", "below"] {
            let mut tree = world.tree(&entries);
            // One folder down, a link may go up once; these then go up twice.
            if depth == "below" {
                if what == "an escaping link" {
                    continue;
                }
                tree = world.tree(&[("40000", b"d", tree)]);
            }
            let failure = world.list(tree, &mut world.cache()).unwrap_err();
            assert_eq!(failure.code(), "hostile-tree", "{what} {depth}: {failure}");
        }
    }
    let cut_off = world.object(git2::ObjectType::Tree, b"100644 a\0short");
    let failure = world.list(cut_off, &mut world.cache()).unwrap_err();
    assert_eq!(failure.code(), "hostile-tree", "{failure}");
}

#[test]
fn limits_are_named() {
    let world = World::new();
    let text = world.blob(b"x");
    let names: Vec<String> = (0..100_001).map(|it| format!("{it:06}")).collect();
    let entries: Vec<_> = names.iter().map(|it| ("100644", it.as_bytes(), text)).collect();
    let many = world.tree(&entries);
    let full = world.tree(&entries[..100_000]);
    let mut deep = world.tree(&[("100644", b"a", text)]);
    for _ in 0..65 {
        deep = world.tree(&[("40000", b"d", deep)]);
    }
    // Ten folders in each of seven levels: ten million entries in eight objects.
    let mut bomb = world.tree(&[("100644", b"a", text)]);
    for _ in 0..7 {
        let names: Vec<String> = (0..10).map(|it| it.to_string()).collect();
        let level: Vec<_> = names.iter().map(|it| ("40000", it.as_bytes(), bomb)).collect();
        bomb = world.tree(&level);
    }
    let large = world.blob(&vec![0; (64 << 20) + 1]);
    let large = world.tree(&[("100644", b"a", large)]);
    for (what, tree, limit) in [
        ("100,001 files", many, "100000 are allowed"),
        ("65 folders in one another", deep, "64 are allowed"),
        ("a bomb", bomb, "100000 are allowed"),
        ("a large file", large, "67108864 are allowed"),
    ] {
        let failure = world.list(tree, &mut world.cache()).unwrap_err();
        assert_eq!(failure.code(), "too-large", "{what}");
        assert!(failure.to_string().ends_with(limit), "{what}: {failure}");
    }
    assert_eq!(world.list(full, &mut world.cache()).unwrap().entries.len(), 100_000);
}

#[test]
fn all_files_together_are_limited() {
    let world = World::new();
    let most = world.blob(&vec![0; 64 << 20]);
    let names: Vec<String> = (0..17).map(|it| it.to_string()).collect();
    let entries: Vec<_> = names.iter().map(|it| ("100644", it.as_bytes(), most)).collect();
    let mut cache = world.cache();
    assert_eq!(world.list(world.tree(&entries[..16]), &mut cache).unwrap().entries.len(), 16);
    let failure = world.list(world.tree(&entries), &mut cache).unwrap_err();
    assert_eq!(failure.code(), "too-large");
}

#[test]
fn a_known_blob_is_not_read_again() {
    let world = World::new();
    let text = world.blob(b"text");
    let tree = world.tree(&[("100644", b"a", text)]);
    let mut cache = world.cache();
    let first = world.list(tree, &mut cache).unwrap();
    cache.save().unwrap();
    let name = text.to_string();
    let loose = world.folder().join("objects").join(&name[..2]).join(&name[2..]);
    std::fs::remove_file(loose).unwrap();
    // Libgit2 remembers what it read; another repository does not.
    let other = World::new();
    let commit = first.commit;
    other.share(&world);
    let mut warm = world.cache();
    assert_eq!(other.own.tree(&commit, &mut warm).unwrap(), first);
    let failure = other.own.tree(&commit, &mut other.cache()).unwrap_err();
    assert_eq!(failure.code(), "missing-object", "{failure}");
    assert!(other.own.contents(&commit, &["a".to_owned()]).is_err());
    assert!(other.own.blob(&object_id(text)).is_err());
}

#[test]
fn an_object_that_was_changed_on_the_disk_is_not_believed() {
    let world = World::new();
    let (text, other) = (world.blob(b"text"), world.blob(b"evil"));
    let tree = world.tree(&[("100644", b"a", text)]);
    let path = |id: Oid| {
        let name = id.to_string();
        world.folder().join("objects").join(&name[..2]).join(&name[2..])
    };
    let commit = world.commit_of(tree);
    std::fs::remove_file(path(text)).unwrap();
    std::fs::copy(path(other), path(text)).unwrap();
    let fresh = World::new();
    fresh.share(&world);
    let failure = fresh.own.tree(&commit, &mut fresh.cache()).unwrap_err();
    assert_eq!(failure.code(), "missing-object", "{failure}");
}
