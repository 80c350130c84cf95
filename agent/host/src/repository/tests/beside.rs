//! What stands beside the branch, notes and what is to be tried out: it never holds up the branch.
//!
//! **Invariant:** what is spoiled is not fetched again at each poll.

use std::sync::Arc;

use super::{LIMITS, MAIN, World};
use crate::repository::fetch::{Branches, FetchLimits, Remotes, Tips};
use crate::repository::{NOTES, object_id};
use crate::settings::Access;

/// The branch that is tried out.
const OFFERED: &str = "refs/heads/testing-web-1";

#[test]
fn the_notes_beside_the_branch_are_brought_and_followed() {
    let world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    assert_eq!(world.own.named(NOTES).unwrap(), None);
    let first = world.commit(world.files(&[("note", "1")]), &[], "one note");
    let second = world.commit(world.files(&[("note", "2")]), &[first], "another");
    for notes in [first, second] {
        world.point(NOTES, notes);
        assert_eq!(world.fetch().unwrap(), tip);
        assert_eq!(world.own.named(NOTES).unwrap(), Some(object_id(notes)));
        assert!(world.own.odb.exists(notes));
    }
}

#[test]
fn notes_that_cannot_be_brought_do_not_hold_up_the_branch() {
    let world = World::new();
    let commit = world.commit(world.files(&[("a", "1")]), &[], "one");
    world.point(MAIN, commit);
    let notes = world.folder().join("refs/notes");
    std::fs::create_dir_all(&notes).unwrap();
    std::fs::write(notes.join("attestations"), "1".repeat(40)).unwrap();
    assert_eq!(world.fetch().unwrap(), object_id(commit));
    assert_eq!(world.own.named(NOTES).unwrap(), None);
}

#[test]
fn a_spoiled_branch_to_try_out_is_fetched_once_and_told_until_it_moves() {
    let world = World::new();
    let main = world.commit(world.files(&[("a", "1")]), &[], "one");
    world.point(MAIN, main);
    // Random enough not to be packed into a few bytes.
    let large: Vec<u8> =
        (0..50_000_u32).flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let spoiled = world.tree(&[("100644", b"a", world.blob(&large))]);
    let sources = Remotes::by(vec![world.url()], Access::default());
    let limits = FetchLimits { bytes: 64 << 10, ..LIMITS };
    let wanted = Branches { branch: MAIN, testing: Some(OFFERED) };
    let poll = || {
        let tips = world.own.fetch(&sources, wanted, &limits, &Arc::default()).unwrap();
        (tips, sources.take_received())
    };
    let alone = Tips { branch: object_id(main), testing: None, place: 0 };
    for number in ["first", "second"] {
        world.point(OFFERED, world.commit(spoiled, &[main], number));
        let (tips, received) = poll();
        assert!(tips == alone && received > limits.bytes, "{number}: {received}");
        assert!(sources.untried().unwrap().contains("is not tried out"), "{number}");
        let (tips, received) = poll();
        assert!(tips == alone && received < 4_096, "{number}: {received}");
        assert!(sources.untried().is_some(), "{number}");
    }
    let good = world.commit(world.files(&[("a", "2")]), &[main], "good");
    world.point(OFFERED, good);
    assert_eq!(poll().0.testing, Some(object_id(good)));
    assert_eq!(sources.untried(), None);
}
