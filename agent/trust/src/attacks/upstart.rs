//! Attack 27, the part of it that is about time: a root that speaks before anybody let it in.
//!
//! **Invariant:** beside each word of a root that came too early stands the same word in time, which counts.

use std::sync::Arc;

use bowline_model::bundle::{Beside, CommitEvidence};
use bowline_model::object_id::ObjectFormat;

use crate::sample::{
    Approver, BEGINNING, Draft, HOUR, Law, World, adoption, adopts, change, checkpoint, new_root,
    noted, root_line, roots_file, said, vouches,
};
use crate::verdict::Verdict;

/// Dave is a forge: what it merges waits for a person.
fn world() -> World {
    let mut law = Law { mergers: "[alice, dave]", ..Law::default() };
    law.principals.push(("dave", "forge", 4, ""));
    World::under(ObjectFormat::Sha1, law.signed())
}

/// A merge that brings root 2, of 5 and 6, one of whom it takes; soundly signed by both roots.
fn rotation(on: &CommitEvidence, seed: u8, lines: &[Arc<[u8]>]) -> Draft {
    let file = roots_file(&[&root_line(&new_root(2, &[5, 6]), &[1, 2, 5])]);
    let beside =
        Beside { attestations: lines.to_vec(), change: Some(change("one")), ..Beside::default() };
    Draft::on(on, BEGINNING + 2 * HOUR).by(seed).rooted(&file).beside(beside)
}

#[test]
fn attack_27_a_root_that_waits_for_approval_adopts_nothing_below_it() {
    let world = world();
    let bad = Draft { signer: None, ..Draft::on(&world.anchor, BEGINNING + HOUR) }.commit();
    let waits = rotation(&bad, 4, &[]).commit();
    let approved = rotation(&bad, 4, &[Approver::of(&world, "one").sign(&[3])]).commit();
    let by = |seeds: &[u8]| noted(&bad, &[adopts(&adoption(&world), &[&bad], seeds)]);
    assert_eq!(world.says(&[&by(&[5]), &waits]), "refused unsigned");
    assert_eq!(world.says(&[&by(&[5]), &approved]), "accepted", "once it is let in");
    assert_eq!(world.says(&[&by(&[1, 2]), &waits]), "pending approval-missing");
    let verdict = world.judge(&world.bundle(&[&by(&[1, 2]), &waits]));
    let Verdict::Pending { walked, .. } = verdict else { panic!("{verdict:?}") };
    let marks = walked.high_water;
    assert_eq!((marks.head, marks.root_version), (bad.id, Some(1)));
}

#[test]
fn attack_27_a_root_does_not_adopt_the_commit_that_brings_it() {
    let world = world();
    let unsigned = Draft { signer: None, ..rotation(&world.anchor, 4, &[]) }.commit();
    let waits = rotation(&world.anchor, 4, &[]).commit();
    for (commit, alone) in [(unsigned, "refused unsigned"), (waits, "pending approval-missing")] {
        let by = |seeds: &[u8]| noted(&commit, &[adopts(&adoption(&world), &[&commit], seeds)]);
        assert_eq!(world.says(&[&by(&[5])]), alone, "the upstart's own word");
        assert_eq!(world.says(&[&by(&[1, 2])]), "accepted", "that of the root in force");
    }
}

#[test]
fn attack_27_a_root_that_waits_for_approval_vouches_for_nothing_below_it() {
    let world = world();
    let strange = Draft::on(&world.anchor, BEGINNING + HOUR).by(9).commit();
    let strange = noted(&strange, &[vouches(&checkpoint(&world, &strange), &strange, &[5])]);
    let waits = rotation(&strange, 4, &[]).commit();
    let approved = rotation(&strange, 4, &[Approver::of(&world, "one").sign(&[3])]).commit();
    assert_eq!(said(&world.judge(&world.bundle(&[&strange, &waits]))), "refused unknown-key");
    assert_eq!(said(&world.judge(&world.bundle(&[&strange, &approved]))), "accepted");
}
