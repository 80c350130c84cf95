//! Checkpoints: new hosts begin where a threshold of the root vouched for everything below.
//!
//! **Invariant:** beside each checkpoint that counts for nothing stands the one that counts.

use bowline_model::bundle::CommitEvidence;
use bowline_model::digest::Sha256;
use jiff::Timestamp;

use crate::root_statement::Checkpoint;
use crate::sample::{
    BEGINNING, DAY, Draft, HOUR, Law, Signer, World, checkpoint, new_root, noted, root_line,
    root_says, roots_file, said, vouches,
};
use crate::verdict::Verdict;

/// A commit by a stranger, and one by Bob on top of it.
fn two(world: &World) -> [CommitEvidence; 2] {
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).by(9).commit();
    let two = Draft::on(&one, BEGINNING + 2 * HOUR).by(2).commit();
    [one, two]
}

/// The verdict when a changed checkpoint stands on the second of two commits.
fn says(world: &World, seeds: &[u8], change: impl Fn(&mut Checkpoint)) -> String {
    let [one, two] = two(world);
    let mut said = checkpoint(world, &two);
    change(&mut said);
    let two = noted(&two, &[vouches(&said, &two, seeds)]);
    let three = Draft::on(&two, BEGINNING + 3 * HOUR).commit();
    world.says(&[&one, &two, &three])
}

#[test]
fn a_new_host_begins_at_the_newest_checkpoint_and_says_so() {
    let world = World::new();
    let [one, two] = two(&world);
    let two = noted(&two, &[vouches(&checkpoint(&world, &two), &two, &[1, 2])]);
    let three = Draft::on(&two, BEGINNING + 3 * HOUR).commit();
    let verdict = world.judge(&world.bundle(&[&one, &two, &three]));
    let Verdict::Accepted { walked, .. } = verdict else { panic!("{verdict:?}") };
    let seen = walked.checkpoint.unwrap();
    assert_eq!((seen.commit, seen.policy_version), (two.id.to_string(), 1));
    assert_eq!((seen.signers.join(" "), walked.commits), ("alice bob".to_owned(), 1));
    assert_eq!((walked.high_water.head, walked.high_water.cleared), (three.id, Some(three.id)));
    assert!(walked.warnings.iter().any(|it| it.starts_with("the walk began at the checkpoint")));
    // Above it everything is judged.
    let bad = Draft::on(&two, BEGINNING + 3 * HOUR).by(9).commit();
    assert_eq!(world.says(&[&one, &two, &bad]), "refused unknown-key");
    let four = Draft::on(&three, BEGINNING + 4 * HOUR).by(9).commit();
    assert_eq!(world.says(&[&one, &two, &three, &four]), "refused unknown-key");
    let four = noted(&four, &[vouches(&checkpoint(&world, &four), &four, &[1, 2])]);
    assert_eq!(world.says(&[&one, &two, &three, &four]), "accepted");
}

#[test]
fn a_checkpoint_of_another_threshold_place_or_policy_counts_for_nothing() {
    let world = World::new();
    assert_eq!(says(&world, &[1, 2], |_| ()), "accepted");
    for seeds in [&[][..], &[1], &[1, 1], &[1, 3]] {
        assert_eq!(says(&world, seeds, |_| ()), "refused unknown-key", "{seeds:?}");
    }
    let later = Timestamp::from_second(world.now + 601).unwrap();
    for wrong in [
        says(&world, &[1, 2], |it| it.repo_uri.push('x')),
        says(&world, &[1, 2], |it| it.ref_name.push('x')),
        says(&world, &[1, 2], |it| it.policy_version = 2),
        says(&world, &[1, 2], |it| it.policy_sha256 = Sha256::of(b"other")),
        says(&world, &[1, 2], |it| it.issued = later),
    ] {
        assert_eq!(wrong, "refused unknown-key");
    }
    let [one, two] = two(&world);
    let words = checkpoint(&world, &two)
        .statement(crate::root_statement::Named { commit: two.id, sha256: Sha256::of(b"other") });
    let collided = noted(&two, &[root_says(&words, &[1, 2])]);
    assert_eq!(world.says(&[&one, &collided]), "refused unknown-key");
    let elsewhere = noted(&two, &[vouches(&checkpoint(&world, &one), &one, &[1, 2])]);
    assert_eq!(world.says(&[&one, &elsewhere]), "accepted", "found on another commit");
}

#[test]
fn a_checkpoint_below_the_floors_counts_for_nothing() {
    let mut world = World::new();
    let [one, two] = two(&world);
    let two = noted(&two, &[vouches(&checkpoint(&world, &two), &two, &[1, 2])]);
    let law = Law::version(2).signed();
    let three = Draft::on(&two, BEGINNING + 3 * HOUR).with(law).commit();
    assert_eq!(world.says(&[&one, &two, &three]), "accepted");
    let later = Timestamp::from_second(BEGINNING + 3 * HOUR).unwrap();
    world.root.floors.not_before = Some(later);
    assert_eq!(world.says(&[&one, &two, &three]), "refused unknown-key");
    world.root.floors.not_before = None;
    world.root.floors.policy_version = 2;
    assert_eq!(world.says(&[&one, &two, &three]), "refused policy-version");
}

#[test]
fn below_a_checkpoint_there_is_still_the_chain() {
    let world = World::new();
    let [_, two] = two(&world);
    let two = noted(&two, &[vouches(&checkpoint(&world, &two), &two, &[1, 2])]);
    assert_eq!(world.says(&[&two]), "refused not-fast-forward");
    let mut other = World::new();
    other.root.anchor.commit_sha256 = Sha256::of(b"other");
    let [one, _] = self::two(&other);
    assert_eq!(other.says(&[&one, &two]), "tampered anchor-mismatch");
}

#[test]
fn a_checkpoint_vouches_for_no_policy_that_the_root_did_not_sign() {
    let world = World::new();
    let own = Law { mergers: "[carol]", ..Law::version(2) };
    let one = Draft::on(&world.anchor, BEGINNING + HOUR);
    let says = |seeds: &[u8]| {
        let one = one.clone().with(own.signed_by(seeds)).commit();
        let one = noted(&one, &[vouches(&checkpoint(&world, &one), &one, &[1, 2])]);
        world.says(&[&one])
    };
    assert_eq!(says(&[1]), "refused policy-below-threshold");
    assert_eq!(says(&[1, 2]), "accepted");
}

#[test]
fn keys_above_a_checkpoint_are_valid_now_and_below_it_need_not_be() {
    let world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
    let mut law = Law::version(2);
    law.revoked = format!("[\"{}\"]", Signer::new(2).key().fingerprint());
    let revoking = Draft::on(&one, BEGINNING + 2 * HOUR).with(law.signed()).commit();
    assert_eq!(world.says(&[&one, &revoking]), "refused key-revoked");
    let on = |it: &CommitEvidence| noted(it, &[vouches(&checkpoint(&world, it), it, &[1, 2])]);
    assert_eq!(world.says(&[&on(&one), &revoking]), "accepted");
    let between = Draft::on(&one, BEGINNING + HOUR).by(2).commit();
    let revoking = Draft::on(&between, BEGINNING + 2 * HOUR).with(law.signed()).commit();
    assert_eq!(world.says(&[&on(&one), &between, &revoking]), "refused key-revoked");
}

#[test]
fn a_host_that_has_marks_is_not_moved_by_a_checkpoint() {
    let mut world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    world.remember(&[&one]);
    let bad = Draft::on(&one, BEGINNING + 2 * HOUR).by(9).commit();
    let on = |it: &CommitEvidence| noted(it, &[vouches(&checkpoint(&world, it), it, &[1, 2])]);
    let bad = on(&bad);
    assert_eq!(said(&world.judge(&world.bundle_from(&one, &[&bad]))), "refused unknown-key");
    // Under another trust file it begins anew, at a checkpoint above its old head, and not on a fork.
    let fork = on(&Draft::on(&world.anchor, BEGINNING + 5 * DAY).commit());
    world.root_sha256 = Sha256::of(b"another trust file");
    assert_eq!(world.says(&[&one, &bad]), "accepted");
    assert_eq!(world.says(&[&fork]), "refused not-fast-forward");
}

#[test]
fn attack_27_a_checkpoint_by_a_retired_root_counts_for_nothing() {
    let world = World::new();
    let [one, two] = two(&world);
    let file = roots_file(&[&root_line(&new_root(2, &[3, 4]), &[1, 2, 3, 4])]);
    let three = Draft::on(&two, BEGINNING + 3 * HOUR).rooted(&file).commit();
    let says = |seeds: &[u8]| {
        let two = noted(&two, &[vouches(&checkpoint(&world, &two), &two, seeds)]);
        world.says(&[&one, &two, &three])
    };
    assert_eq!(says(&[1, 2]), "refused unknown-key");
    assert_eq!(says(&[4]), "accepted");
    // A fork from before the rotation is another root, whoever vouches for it.
    let mut world = world;
    world.root_sha256 = Sha256::of(b"former trust file");
    let honest = Draft::on(&world.anchor, BEGINNING + HOUR).rooted(&file).commit();
    world.remember(&[&honest]);
    world.root_sha256 = Sha256::of(b"another trust file");
    let fork = Draft::on(&honest, BEGINNING + 2 * HOUR);
    let fork = Draft { roots: bowline_model::bundle::PathEvidence::Missing, ..fork }.commit();
    let fork = noted(&fork, &[vouches(&checkpoint(&world, &fork), &fork, &[1, 2])]);
    assert_eq!(world.says(&[&honest, &fork]), "refused root-version");
}
