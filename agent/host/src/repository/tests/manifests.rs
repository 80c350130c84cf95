//! Files that may hold manifests: which are brought, that none is left out, and how much is too much.
//!
//! **Invariant:** a limit that is passed leaves nothing, never the first part.

use std::fmt::Write as _;
use std::sync::Arc;

use bowline_model::bundle::RawManifests;
use bowline_model::digest::Sha256;
use git2::Oid;

use super::World;
use crate::repository::manifests::Sheaves;
use crate::repository::object_id;

/// What a tree gives: paths in order, or why there are none.
fn brought(sheaves: &mut Sheaves<'_>, tree: Oid) -> Result<String, String> {
    match sheaves.in_tree(&object_id(tree)).raw {
        RawManifests::Unasked => panic!("it was asked for"),
        RawManifests::Unreadable { why } => Err(why),
        RawManifests::Files(files) => {
            Ok(files.keys().map(String::as_str).collect::<Vec<_>>().join(" "))
        }
    }
}

/// A repository's own folder: manifests, contents, and what is neither.
fn own(world: &World, host: &str) -> Oid {
    let yaml = world.files(&[("a.yaml", "content")]);
    let hosts = world.tree(&[
        ("100755", b"a.yaml", world.blob(host.as_bytes())),
        ("120000", b"b.yaml", world.blob(b"a.yaml")),
        ("100644", b"c.yml", world.blob(b"c")),
        ("40000", b"deep", world.files(&[("d.yaml", "d"), ("e.txt", "e")])),
        ("40000", b"files", yaml),
    ]);
    world.tree(&[
        ("100644", b"bowline.yaml", world.blob(b"folders")),
        ("40000", b"hosts", hosts),
        ("40000", b"secrets", yaml),
        ("40000", b"templates", yaml),
    ])
}

#[test]
fn every_file_that_may_hold_a_manifest_is_brought_and_no_other() {
    let world = World::new();
    let odb = world.git.odb().unwrap();
    let tree = own(&world, "one");
    let expected = "bowline.yaml hosts/a.yaml hosts/c.yml hosts/deep/d.yaml";
    for folder in ["", ".", "/"] {
        assert_eq!(brought(&mut Sheaves::of(&odb, folder), tree).unwrap(), expected, "{folder:?}");
    }
    let inner = world.tree(&[("40000", b"fleet", tree), ("100644", b"x.yaml", world.blob(b"x"))]);
    let outer = world.tree(&[("40000", b"ops", inner), ("100644", b"z.yaml", world.blob(b"z"))]);
    let below = expected.split(' ').map(|it| format!("ops/fleet/{it}"));
    let below = below.collect::<Vec<_>>().join(" ");
    assert_eq!(brought(&mut Sheaves::of(&odb, "ops/fleet"), outer).unwrap(), below);
    for folder in ["ops/other", "ops/fleet/bowline.yaml", "..", "fleet"] {
        let why = brought(&mut Sheaves::of(&odb, folder), outer).unwrap_err();
        assert_eq!(why, format!("there is no folder {folder:?}"));
    }
}

#[test]
fn commits_that_hold_the_same_manifests_share_them() {
    let world = World::new();
    let odb = world.git.odb().unwrap();
    let mut sheaves = Sheaves::of(&odb, "fleet");
    let mut of = |host: &str, other: &str| {
        let more = world.blob(other.as_bytes());
        let tree =
            world.tree(&[("40000", b"fleet", own(&world, host)), ("100644", b"more.yaml", more)]);
        match sheaves.in_tree(&object_id(tree)).raw {
            RawManifests::Files(files) => files,
            other => panic!("{other:?}"),
        }
    };
    let (one, same, other) = (of("one", "1"), of("one", "2"), of("two", "1"));
    assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    assert_eq!(other["fleet/hosts/a.yaml"][..], *b"two");
}

#[test]
fn what_cannot_be_read_whole_is_none() {
    let world = World::new();
    let odb = world.git.odb().unwrap();
    let (good, gone) = (world.blob(b"x"), Oid::from_str(&"1".repeat(40)).unwrap());
    for (what, tree, expected) in [
        ("a file is not here", world.tree(&[("100644", b"a.yaml", gone)]), "is not here"),
        ("a folder is not here", world.tree(&[("40000", b"a", gone)]), "is not here"),
        ("a folder that is a file", world.tree(&[("40000", b"a", good)]), "is a blob"),
        (
            "a name twice",
            world.tree(&[("100644", b"a.yaml", good), ("100644", b"a.yaml", good)]),
            "have the same name",
        ),
        ("a name that no host can have", world.tree(&[("100644", b"\xff.yaml", good)]), "UTF-8"),
    ] {
        let both = world.tree(&[
            ("100644", b"bowline.yaml", good),
            ("40000", b"hosts", tree),
            ("40000", b"more", world.files(&[("b.yaml", "b")])),
        ]);
        let why = brought(&mut Sheaves::of(&odb, ""), both).unwrap_err();
        assert!(why.contains(expected), "{what}: {why}");
    }
    let mut deep = world.files(&[("a.yaml", "x")]);
    for _ in 0..65 {
        deep = world.tree(&[("40000", b"d", deep)]);
    }
    let why = brought(&mut Sheaves::of(&odb, ""), deep).unwrap_err();
    assert!(why.contains("64 deep"), "{why}");
}

#[test]
fn too_much_is_none_and_a_tree_of_itself_is_no_work() {
    let world = World::new();
    let odb = world.git.odb().unwrap();
    // Ten folders, ten deep, are the same ones: ten thousand million files.
    let bomb = |leaf: Oid| {
        let mut tree = leaf;
        for _ in 0..10 {
            let names: Vec<_> = (0..10).map(|it| format!("d{it}")).collect();
            let each: Vec<_> = names.iter().map(|it| ("40000", it.as_bytes(), tree)).collect();
            tree = world.tree(&each);
        }
        tree
    };
    let why = brought(&mut Sheaves::of(&odb, ""), bomb(world.files(&[("a.yaml", "x")])));
    assert!(why.unwrap_err().contains("more than 20000 files"));
    let empty = brought(&mut Sheaves::of(&odb, ""), bomb(world.files(&[("a.txt", "x")])));
    assert_eq!(empty.unwrap(), "");
    // Nine files of eight mebibytes, a file by the same content counted each time.
    let large = world.blob(&vec![b'x'; 8 << 20]);
    let names: Vec<_> = (0..9).map(|it| format!("{it}.yaml")).collect();
    let each: Vec<_> = names.iter().map(|it| ("100644", it.as_bytes(), large)).collect();
    let mut sheaves = Sheaves::of(&odb, "");
    let why = brought(&mut sheaves, world.tree(&each)).unwrap_err();
    assert!(why.contains("more than 67108864 bytes"), "{why}");
    // Each fits, and together they do not: those that are looked at later are left out whole.
    let fits = |number: usize| {
        let other = world.blob(number.to_string().as_bytes());
        let mut each = each[..7].to_vec();
        each.push(("100644", b"z.yaml", other));
        world.tree(&each)
    };
    let mut sheaves = Sheaves::of(&odb, "");
    let found: Vec<_> = (0..4).map(|it| brought(&mut sheaves, fits(it)).is_ok()).collect();
    assert_eq!(found, [true, true, false, false]);
    assert!(brought(&mut sheaves, fits(0)).is_ok(), "what is known is had again");
}

#[test]
fn digests_are_found_as_manifests_write_them() {
    let world = World::new();
    let odb = world.git.odb().unwrap();
    let [one, two, longer] = [b"1", b"2", b"3"].map(|it| Sha256::of(it));
    let mut text = format!("sha256: {one}\nagain: \"{two}\"\n");
    write!(text, "upper: {}\nlonger: {longer}0\n", longer.to_string().to_uppercase()).unwrap();
    let tree = world.files(&[("a.yaml", &text)]);
    let found = Sheaves::of(&odb, "").in_tree(&object_id(tree)).digests;
    assert_eq!(*found, [one, two].into_iter().collect());
}
