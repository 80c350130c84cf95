//! What a walk down the first parents collects.
//!
//! **Invariant:** expectations name commits by their place in the chain.

use std::sync::Arc;

use bowline_model::bundle::PathEvidence;
use git2::{ObjectType, Oid};

use super::{MAIN, World, ids};
use crate::repository::history::HistoryFailure;
use crate::repository::object_id;

#[test]
fn a_walk_ends_where_it_should_and_not_later() {
    let world = World::new();
    let tree = world.files(&[("a", "1")]);
    let chain = world.chain(&[tree; 5]);
    world.point(MAIN, chain[4]);
    let tip = world.fetch().unwrap();
    let nowhere = object_id(Oid::from_str(&"1".repeat(40)).unwrap());
    for (from, most, expected, has_start, cut_short) in [
        (object_id(chain[1]), 10, &chain[2..], true, false),
        (object_id(chain[0]), 4, &chain[1..], true, false),
        (object_id(chain[0]), 3, &chain[2..], true, true),
        (tip, 10, &chain[5..], true, false),
        (nowhere, 10, &chain[..], false, false),
    ] {
        let bundle = world.own.history(&tip, &from, most).unwrap();
        let found: Vec<_> = bundle.commits.iter().map(|it| it.id).collect();
        assert_eq!(found, ids(expected), "from {from}, at most {most}");
        assert_eq!((bundle.tip, bundle.cut_short), (tip, cut_short), "from {from}");
        assert_eq!(bundle.start.map(|it| it.id), has_start.then_some(from));
    }
}

#[test]
fn only_first_parents_are_walked() {
    let world = World::new();
    let tree = world.files(&[("a", "1")]);
    let root = world.commit(tree, &[], "root");
    let (one, other) = (world.commit(tree, &[root], "one"), world.commit(tree, &[root], "other"));
    let merge = world.commit(tree, &[one, other], "merge");
    world.point(MAIN, merge);
    let tip = world.fetch().unwrap();
    let bundle = world.own.history(&tip, &object_id(root), 10).unwrap();
    let found: Vec<_> = bundle.commits.iter().map(|it| it.id).collect();
    assert_eq!(found, ids(&[one, merge]));
    let bundle = world.own.history(&tip, &object_id(other), 10).unwrap();
    assert_eq!(bundle.commits.len(), 3, "the whole chain, as `other` is not on it");
}

#[test]
fn the_first_commit_that_does_not_parse_is_the_oldest() {
    let world = World::new();
    let tree = world.files(&[("a", "1")]);
    let root = world.commit(tree, &[], "root");
    let who = "A <a@b> 1 +0000";
    let raw = format!(
        "tree {tree}\nparent {root}\nauthor {who}\ncommitter {who}\ngpgsig a\ngpgsig b\n\nx\n"
    );
    let odd = world.object(ObjectType::Commit, raw.as_bytes());
    let top = world.commit(tree, &[odd], "top");
    world.point(MAIN, top);
    let tip = world.fetch().unwrap();
    let bundle = world.own.history(&tip, &object_id(root), 10).unwrap();
    let found: Vec<_> = bundle.commits.iter().map(|it| it.id).collect();
    assert_eq!(found, ids(&[odd, top]));
    let oldest = &bundle.commits[0];
    assert_eq!(&*oldest.raw, raw.as_bytes());
    assert!(!oldest.outside_policy_unchanged);
}

#[test]
fn policies_are_evidence_and_the_same_blob_is_kept_once() {
    let world = World::new();
    let trees = [world.policy_tree("p1", "e1", "1"), world.policy_tree("p1", "e2", "2")];
    let chain = world.chain(&trees);
    world.point(MAIN, chain[1]);
    let tip = world.fetch().unwrap();
    let bundle = world.own.history(&tip, &object_id(chain[0]), 10).unwrap();
    let (start, top) = (bundle.start.unwrap(), &bundle.commits[0]);
    let bytes = |it: &PathEvidence| match it {
        PathEvidence::Blob { bytes, .. } => Arc::clone(bytes),
        other => panic!("{other:?}"),
    };
    assert_eq!(&*bytes(&top.policy), b"p1");
    assert_eq!(&*bytes(&top.policy_envelope), b"e2");
    assert_eq!(&*bytes(&start.policy_envelope), b"e1");
    assert!(Arc::ptr_eq(&bytes(&start.policy), &bytes(&top.policy)));
}

#[test]
fn what_is_no_small_file_is_named() {
    let world = World::new();
    let (text, large) = (world.blob(b"x"), world.blob(&vec![b'x'; (1 << 20) + 1]));
    let (most, empty) = (world.blob(&vec![b'x'; 1 << 20]), world.tree(&[]));
    let name: &[u8] = b"policy.yaml";
    let other = |what| PathEvidence::Other { what };
    let blob =
        |id: Oid, text: Vec<u8>| PathEvidence::Blob { id: object_id(id), bytes: text.into() };
    for (entries, expected) in [
        (vec![], PathEvidence::Missing),
        (vec![("100644", name, text)], blob(text, b"x".to_vec())),
        (vec![("100755", name, text)], blob(text, b"x".to_vec())),
        (vec![("100644", name, most)], blob(most, vec![b'x'; 1 << 20])),
        (vec![("100644", name, large)], other("too large")),
        (vec![("120000", name, text)], other("symlink")),
        (vec![("40000", name, empty)], other("folder")),
        (vec![("160000", name, text)], other("submodule")),
        (vec![("100600", name, text)], other("unknown")),
        (vec![("100644", name, text), ("100644", name, large)], other("in a malformed tree")),
    ] {
        let folder = world.tree(&entries);
        let commit = world.commit(world.tree(&[("40000", b".bowline", folder)]), &[], "one");
        // Written straight into the agent's repository: some of these no packer would take.
        world.share(&world);
        let id = object_id(commit);
        let bundle = world.own.history(&id, &id, 10).unwrap();
        assert_eq!(bundle.start.unwrap().policy, expected);
    }
}

#[test]
fn a_change_outside_the_policy_is_seen() {
    let world = World::new();
    let base = world.policy_tree("p", "e", "1");
    let plain = world.files(&[("a", "1")]);
    let blob = world.blob(b"1");
    let (p, e) = (world.blob(b"p"), world.blob(b"e"));
    let extra = world.tree(&[
        ("100644", b"extra", blob),
        ("100644", b"policy.dsse.json", e),
        ("100644", b"policy.yaml", p),
    ]);
    let with_extra = world.tree(&[("40000", b".bowline", extra), ("100644", b"a", blob)]);
    let as_link = world.tree(&[("120000", b".bowline", blob), ("100644", b"a", blob)]);
    let as_program = world.tree(&[
        ("40000", b".bowline", world.files(&[("policy.dsse.json", "e"), ("policy.yaml", "p")])),
        ("100755", b"a", blob),
    ]);
    for (what, before, after, unchanged) in [
        ("nothing", base, base, true),
        ("the policy", base, world.policy_tree("p2", "e", "1"), true),
        ("the policy and its envelope", base, world.policy_tree("p2", "e2", "1"), true),
        ("another file", base, world.policy_tree("p", "e", "2"), false),
        ("both", base, world.policy_tree("p2", "e2", "2"), false),
        ("a policy appears", plain, base, true),
        ("a policy goes", base, plain, true),
        ("another file beside the policy", base, with_extra, false),
        ("the folder becomes a link", base, as_link, false),
        ("a mode", base, as_program, false),
    ] {
        let chain = world.chain(&[before, after]);
        world.point(MAIN, chain[1]);
        let tip = world.fetch().unwrap();
        let bundle = world.own.history(&tip, &object_id(chain[0]), 10).unwrap();
        assert_eq!(bundle.commits[0].outside_policy_unchanged, unchanged, "{what}");
        assert!(!bundle.start.unwrap().outside_policy_unchanged, "a root commit has no parent");
    }
}

#[test]
fn what_is_no_commit_is_no_history() {
    let world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    let blob = object_id(world.blob(b"1"));
    let failure = world.own.history(&blob, &tip, 10).unwrap_err();
    assert!(matches!(failure, HistoryFailure::NotACommit { .. }), "{failure}");
    let nowhere = object_id(Oid::from_str(&"1".repeat(40)).unwrap());
    let failure = world.own.history(&nowhere, &tip, 10).unwrap_err();
    assert_eq!(failure.code(), "missing-object");
}
