//! Attack 10: what one host may try out, offered to others.
//!
//! **Invariant:** the same signed bytes are good for one purpose at most.

use jiff::Timestamp;

use crate::here::Here;
use crate::purpose::Purpose;
use crate::sample::{BEGINNING, Draft, HOUR, World, said};
use crate::verify::verify_for;

fn draft(world: &World, message: &str) -> Draft {
    let mut draft = Draft::on(&world.anchor, BEGINNING + HOUR);
    message.clone_into(&mut draft.message);
    draft
}

fn says_for(world: &World, purpose: Purpose<'_>, draft: &Draft) -> String {
    let now = Timestamp::from_second(world.now).unwrap();
    let bundle = world.bundle(&[&draft.commit()]);
    said(&verify_for(
        (purpose, Here::default()),
        (&world.root, world.root_sha256),
        None,
        &bundle,
        now,
    ))
}

#[test]
fn a_test_commit_is_no_merge_and_a_merge_is_no_test() {
    let world = World::new();
    let (here, there) = (Purpose::Tests("web-1"), Purpose::Tests("web-2"));
    let tried = "try\n\nBowline-Testing: web-1";
    let cases = [
        ("merge", Purpose::Everybody, "accepted"),
        ("merge", here, "refused testing-unbound"),
        (tried, here, "accepted"),
        (tried, Purpose::Everybody, "refused testing-only"),
        (tried, there, "refused testing-unbound"),
        ("try\n\nBowline-Testing: web-1\nBowline-Testing: web-2", here, "refused testing-unbound"),
        ("try\n\nBowline-Testing: web-1\n\nmerge", here, "refused testing-unbound"),
        ("try\n\nBowline-Testing: web-1\n\nmerge", Purpose::Everybody, "accepted"),
    ];
    for (message, purpose, expected) in cases {
        let told = says_for(&world, purpose, &draft(&world, message));
        assert_eq!(told, expected, "{message:?} for {purpose:?}");
    }
}

#[test]
fn every_commit_of_a_walk_is_asked_what_it_is_for() {
    let world = World::new();
    let tried = draft(&world, "try\n\nBowline-Testing: web-1").commit();
    let mut merge = Draft::on(&tried, BEGINNING + 2 * HOUR);
    "merge".clone_into(&mut merge.message);
    assert_eq!(world.says(&[&tried, &merge.commit()]), "refused testing-only");
    // A merge that has it as its second parent only says itself what it is for.
    let mut merge = Draft::on(&world.anchor, BEGINNING + 2 * HOUR);
    merge.parents.push(tried.id);
    assert_eq!(world.says(&[&merge.commit()]), "accepted");
}

#[test]
fn who_may_not_sign_is_told_that_and_nothing_of_trailers() {
    let world = World::new();
    let stranger = draft(&world, "try\n\nBowline-Testing: web-1").by(9);
    for purpose in [Purpose::Everybody, Purpose::Tests("web-1")] {
        assert_eq!(says_for(&world, purpose, &stranger), "refused unknown-key");
    }
}
