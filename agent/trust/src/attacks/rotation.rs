//! Attack 27, the half of it that is about root keys: their place is taken by others, or is not.
//!
//! **Invariant:** beside each wrong change of the root stands the right one, which passes.

use bowline_model::bundle::{CommitEvidence, PathEvidence};
use bowline_model::object_id::ObjectFormat;

use crate::sample::{
    BEGINNING, DAY, Draft, HOUR, Law, World, new_root, root_line, roots_file, said,
};
use crate::verdict::Verdict;

/// A child of the anchor that brings this file.
fn rotated(world: &World, file: &PathEvidence) -> CommitEvidence {
    Draft::on(&world.anchor, BEGINNING + HOUR).rooted(file).commit()
}

fn says_of(file: &PathEvidence) -> String {
    let world = World::new();
    world.says(&[&rotated(&world, file)])
}

/// Root 2: Carol and Dave (3 and 4) and one more, two of whom it takes; signed as it should be.
fn second() -> String {
    root_line(&new_root(2, &[3, 4, 5]), &[1, 2, 3, 4])
}

/// Root 3: 6 and 7, one of whom it takes.
fn third() -> String {
    root_line(&new_root(3, &[6, 7]), &[4, 5, 6])
}

#[test]
fn a_rotation_by_both_thresholds_is_accepted_and_told() {
    let world = World::new();
    let next = rotated(&world, &roots_file(&[&second()]));
    let verdict = world.judge(&world.bundle(&[&next]));
    let Verdict::Accepted { walked, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(walked.high_water.root_version, Some(2));
    let Verdict::Accepted { walked, .. } = world.judge(&world.bundle(&[])) else {
        panic!("accepted");
    };
    assert_eq!(walked.high_water.root_version, Some(1));
}

#[test]
fn attack_27_a_rotation_below_either_threshold_is_refused() {
    let root = new_root(2, &[3, 4, 5]);
    for signers in
        [&[][..], &[3, 4, 5], &[1, 3, 4], &[1, 1, 3, 4], &[1, 2], &[1, 2, 3], &[1, 2, 3, 9]]
    {
        let file = roots_file(&[&root_line(&root, signers)]);
        assert_eq!(says_of(&file), "refused root-below-threshold", "{signers:?}");
    }
    assert_eq!(says_of(&roots_file(&[&root_line(&root, &[2, 1, 5, 3])])), "accepted");
    // A key that stays counts on both sides.
    let kept = root_line(&new_root(2, &[1, 2, 3]), &[1, 2]);
    assert_eq!(says_of(&roots_file(&[&kept])), "accepted");
}

#[test]
fn attack_27_a_rotation_of_another_form_is_refused() {
    let good = second();
    let root = new_root(2, &[3, 4, 5]);
    let all = [1, 2, 3, 4, 5];
    let mut elsewhere = root.clone();
    elsewhere.repo_uri = String::from("git+https://git.example/ops/other").try_into().unwrap();
    let says = |line: &str| says_of(&roots_file(&[line]));
    assert_eq!(says(&root_line(&elsewhere, &all)), "refused wrong-repository");
    let mut beside = root.clone();
    beside.ref_name = String::from("refs/heads/other").try_into().unwrap();
    assert_eq!(says(&root_line(&beside, &all)), "refused wrong-ref");
    for line in [
        root_line(&new_root(3, &[3, 4]), &all),
        root_line(&new_root(1, &[1, 2]), &all),
        format!("{good}{good}"),
        format!("{good}\n"),
        format!("\n{good}"),
        String::new(),
        "{}\n".to_owned(),
        good.replace("vnd.bowline.root+json", "vnd.in-toto+json"),
        good.replace("\"payload\":", "\"payload\":\"\",\"payload\":"),
        good.repeat(65),
    ] {
        assert_eq!(says(&line), "refused root-malformed", "{line}");
    }
    let link = PathEvidence::Other { what: "symlink" };
    assert_eq!(says_of(&link), "refused root-malformed");
    assert_eq!(says(&good), "accepted");
}

#[test]
fn attack_27_what_was_signed_as_a_policy_or_an_approval_is_no_rotation() {
    let root = new_root(2, &[3, 4, 5]);
    let payload = root.payload();
    let bytes = crate::new_root::bytes_to_sign(&payload);
    for namespace in ["bowline-policy", "bowline-approval", "git"] {
        let signed =
            [1, 2, 3, 4].map(|seed| crate::sample::Signer::new(seed).sign(namespace, &bytes));
        assert!(crate::new_root::extend(b"", &payload, &signed).is_err(), "{namespace}");
        let envelope = bowline_model::envelope::Envelope {
            payload_type: crate::new_root::ROOT_TYPE.to_owned(),
            payload: payload.clone(),
            signatures: signed
                .iter()
                .map(|it| bowline_model::envelope::EnvelopeSignature {
                    key_id: None,
                    sig: it.clone().into_bytes(),
                })
                .collect(),
        };
        let line = String::from_utf8(crate::dsse::write(&envelope)).unwrap();
        assert_eq!(says_of(&roots_file(&[&line])), "refused root-below-threshold", "{namespace}");
    }
}

#[test]
fn attack_27_a_retired_root_admits_no_new_policy() {
    let world = World::new();
    let file = roots_file(&[&second()]);
    let next = rotated(&world, &file);
    let law = |seeds: &[u8]| {
        Draft::on(&next, BEGINNING + 2 * HOUR).with(Law::version(2).signed_by(seeds)).commit()
    };
    assert_eq!(world.says(&[&next, &law(&[1, 2])]), "refused policy-below-threshold");
    assert_eq!(world.says(&[&next, &law(&[1, 2, 3])]), "refused policy-below-threshold");
    assert_eq!(world.says(&[&next, &law(&[3, 4])]), "accepted");
    // What the retired root admitted stays in force, and other signatures over it are a change.
    let child = Draft::on(&next, BEGINNING + 2 * HOUR).commit();
    assert_eq!(world.says(&[&next, &child]), "accepted");
    let more = Law::default().signed_by(&[1, 2, 9]);
    let more = Draft::on(&next, BEGINNING + 2 * HOUR).with(more).commit();
    assert_eq!(world.says(&[&next, &more]), "refused policy-below-threshold");
}

#[test]
fn attack_27_a_policy_in_the_commit_of_a_rotation_is_the_new_roots() {
    let world = World::new();
    let file = roots_file(&[&second()]);
    let both = |seeds: &[u8]| {
        let law = Law::version(2).signed_by(seeds);
        let draft = Draft::on(&world.anchor, BEGINNING + HOUR).rooted(&file).with(law);
        world.says(&[&draft.commit()])
    };
    assert_eq!(both(&[1, 2]), "refused policy-below-threshold");
    assert_eq!(both(&[3, 4]), "accepted");
}

#[test]
fn a_host_that_was_away_for_two_rotations_follows_both() {
    let mut world = World::new();
    world.remember(&[]);
    let one = rotated(&world, &roots_file(&[&second()]));
    let two = Draft::on(&one, BEGINNING + 2 * HOUR).rooted(&roots_file(&[&second(), &third()]));
    let law = two.clone().with(Law::version(2).signed_by(&[7])).commit();
    let two = two.commit();
    assert_eq!(world.says(&[&one, &two]), "accepted");
    assert_eq!(world.says(&[&one, &law]), "accepted");
    let at_once = rotated(&world, &roots_file(&[&second(), &third()]));
    assert_eq!(world.says(&[&at_once]), "accepted");
    let gap = rotated(&world, &roots_file(&[&third()]));
    assert_eq!(world.says(&[&gap]), "refused root-malformed");
}

#[test]
fn attack_27_a_file_of_roots_is_neither_rolled_back_nor_replaced() {
    let world = World::new();
    let one = rotated(&world, &roots_file(&[&second(), &third()]));
    let other = root_line(&new_root(2, &[8, 9]), &[1, 2, 8, 9]);
    let later = root_line(&new_root(3, &[6, 7]), &[8, 9, 6]);
    for (file, expected) in [
        (PathEvidence::Missing, "refused root-version"),
        (roots_file(&[&second()]), "refused root-version"),
        (roots_file(&[&other]), "refused root-version"),
        (roots_file(&[&other, &later]), "refused root-version"),
        (roots_file(&[&second(), &third()]), "accepted"),
    ] {
        let next = Draft::on(&one, BEGINNING + 2 * HOUR).rooted(&file).commit();
        assert_eq!(world.says(&[&one, &next]), expected);
    }
}

#[test]
fn attack_29_marks_of_a_later_root_are_never_given_up() {
    let mut world = World::new();
    let one = rotated(&world, &roots_file(&[&second()]));
    world.remember(&[&one]);
    let at_one = world.bundle_from(&one, &[]);
    assert_eq!(said(&world.judge(&at_one)), "accepted");
    let marks = world.marks.clone().unwrap();
    // The state says another root than the tree at its head.
    for version in [1, 3] {
        world.marks.as_mut().unwrap().root_version = Some(version);
        assert_eq!(said(&world.judge(&at_one)), "tampered state-mismatch", "{version}");
    }
    // Under another trust file, a branch that forked before the rotation and is newer.
    world.marks = Some(marks);
    world.root_sha256 = bowline_model::digest::Sha256::of(b"another trust file");
    let fork = Draft::on(&world.anchor, BEGINNING + 2 * HOUR).commit();
    let bundle = world.bundle(&[&fork]);
    assert_eq!(said(&world.judge(&bundle)), "refused not-fast-forward");
    world.root.anchor.commit = fork.id;
    world.root.anchor.commit_sha256 = bowline_model::digest::Sha256::of(&fork.raw);
    let begun = world.bundle_from(&fork, &[]);
    assert_eq!(said(&world.judge(&begun)), "refused root-version");
    world.root.anchor.commit = one.id;
    world.root.anchor.commit_sha256 = bowline_model::digest::Sha256::of(&one.raw);
    assert_eq!(said(&world.judge(&at_one)), "accepted");
}

/// Makes a world's trust file begin at root 2, and at this commit.
fn lift(world: &mut World, anchor: &CommitEvidence) {
    let root = new_root(2, &[3, 4, 5]);
    let keys = &mut world.root.root;
    (keys.version, keys.threshold, keys.keys) = (2, root.threshold, root.keys);
    world.anchor = anchor.clone();
    world.root.anchor.commit = anchor.id;
    world.root.anchor.commit_sha256 = bowline_model::digest::Sha256::of(&anchor.raw);
}

#[test]
fn a_new_trust_file_begins_at_a_later_root_where_that_signed_the_policy() {
    let world = World::new();
    let file = roots_file(&[&second(), &third()]);
    let old_law = rotated(&world, &roots_file(&[&second()]));
    let new_law =
        Draft::on(&old_law, BEGINNING + 2 * HOUR).with(Law::version(2).signed_by(&[3, 4])).commit();
    let later = Draft::on(&new_law, BEGINNING + 3 * HOUR).rooted(&file).commit();
    let mut lifted = World::new();
    lift(&mut lifted, &new_law);
    assert_eq!(lifted.says(&[]), "accepted");
    assert_eq!(lifted.says(&[&later]), "accepted");
    // The policy at an older anchor is by keys that this trust file does not know.
    lift(&mut lifted, &old_law);
    assert_eq!(lifted.says(&[]), "refused policy-below-threshold");
    // A trust file with other keys under a version that the branch has.
    lift(&mut lifted, &new_law);
    lifted.root.root.threshold = 1;
    assert_eq!(lifted.says(&[]), "refused root-version");
    // A new host at the oldest anchor follows from the first root.
    assert_eq!(World::new().says(&[&old_law, &new_law, &later]), "accepted");
}

#[test]
fn a_rotation_may_come_with_the_renewal_of_an_expired_policy_and_not_instead() {
    let law = Law { expires: "2026-11-06T00:00:00Z", ..Law::default() };
    let world = World::under(ObjectFormat::Sha1, law.signed());
    let mut late = Draft::on(&world.anchor, BEGINNING + 7 * DAY).rooted(&roots_file(&[&second()]));
    late.policy_only = true;
    assert_eq!(world.says(&[&late.clone().commit()]), "refused policy-expired");
    let renewal = |seeds: &[u8]| late.clone().with(Law::version(2).signed_by(seeds)).commit();
    assert_eq!(world.says(&[&renewal(&[1, 2])]), "refused policy-below-threshold");
    assert_eq!(world.says(&[&renewal(&[3, 4])]), "accepted");
}
