//! Attacks 9, 10, 11 and 12: on the chain of first parents.
//!
//! **Invariant:** every commit here is well signed unless the test says otherwise.

use bowline_model::bundle::Bundle;

use crate::sample::{BEGINNING, Draft, HOUR, Law, World, said};
use crate::verdict::Verdict;

#[test]
fn a_longer_chain_is_accepted_and_its_tip_is_what_is_deployed() {
    let world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let mut merge = Draft::on(&one, BEGINNING + 2 * HOUR).by(2);
    merge.parents.push(Draft::on(&world.anchor, BEGINNING).by(9).commit().id);
    let merge = merge.commit();
    assert_eq!(world.says(&[]), "accepted");
    assert_eq!(world.says(&[&one, &merge]), "accepted");
}

#[test]
fn a_branch_that_was_rewound_is_refused() {
    let mut world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let two = Draft::on(&one, BEGINNING + 2 * HOUR).commit();
    world.remember(&[&one, &two]);
    // The walk from the tip ran to the beginning of history without meeting the head.
    let rewound = Bundle { tip: one.id, ..world.bundle_from(&two, &[&world.anchor, &one]) };
    let gone = Bundle { start: None, ..rewound.clone() };
    for bundle in [rewound, gone] {
        let verdict = world.judge(&bundle);
        assert_eq!(said(&verdict), "refused not-fast-forward");
        // What is refused is the tip that is offered, and not where the walk happened to end.
        let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
        assert_eq!(refusal.commit, Some(one.id), "{refusal}");
        assert!(refusal.detail.contains(&two.id.short()), "{refusal}");
    }
}

#[test]
fn siblings_and_unrelated_roots_are_refused() {
    let mut world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let sibling = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
    let mut unrelated = Draft::on(&world.anchor, BEGINNING + HOUR);
    unrelated.parents.clear();
    let unrelated = unrelated.commit();
    assert_eq!(world.says(&[&unrelated]), "refused not-fast-forward");
    world.remember(&[&one]);
    for tip in [&sibling, &unrelated] {
        let bundle = world.bundle_from(&one, &[tip]);
        assert_eq!(said(&world.judge(&bundle)), "refused not-fast-forward");
    }
}

#[test]
fn a_chain_that_does_not_reach_the_tip_is_refused() {
    let world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let two = Draft::on(&one, BEGINNING + 2 * HOUR).commit();
    for commits in [&[][..], &[&one], &[&two], &[&two, &one]] {
        let bundle = Bundle { tip: two.id, ..world.bundle(commits) };
        assert_eq!(said(&world.judge(&bundle)), "refused not-fast-forward");
    }
}

#[test]
fn a_tip_from_another_branch_or_repository_is_refused() {
    for (law, expected) in [
        (Law { branch: "refs/heads/staging", ..Law::version(2) }, "refused wrong-ref"),
        (
            Law { uri: "git+https://git.example/ops/other", ..Law::version(2) },
            "refused wrong-repository",
        ),
    ] {
        let world = World::new();
        let tip = Draft::on(&world.anchor, BEGINNING + HOUR).with(law.signed()).commit();
        assert_eq!(world.says(&[&tip]), expected);
        let world = World::under(world.anchor.id.format(), law.signed());
        assert_eq!(world.says(&[]), expected, "as the anchor");
    }
}

#[test]
fn another_repository_that_lacks_the_anchor_is_refused() {
    let world = World::new();
    let bundle = Bundle { start: None, ..world.bundle(&[]) };
    assert_eq!(said(&world.judge(&bundle)), "refused anchor-mismatch");
}

#[test]
fn swapped_parents_and_a_fast_forward_over_main_are_refused() {
    let mut world = World::new();
    let main = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let side = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
    world.remember(&[&main]);
    let mut merge = Draft::on(&side, BEGINNING + 2 * HOUR);
    merge.parents.push(main.id);
    let merge = merge.commit();
    // Only by the second parent does the tip lead to the verified head.
    let bundle = world.bundle_from(&main, &[&side, &merge]);
    let verdict = world.judge(&bundle);
    assert_eq!(said(&verdict), "refused not-fast-forward");
    assert!(format!("{verdict:?}").contains("only a side parent"), "{verdict:?}");
}

#[test]
fn a_bad_commit_in_the_middle_spoils_a_good_tip() {
    let world = World::new();
    let mut middle = Draft::on(&world.anchor, BEGINNING + HOUR);
    middle.signer = None;
    let middle = middle.commit();
    let tip = Draft::on(&middle, BEGINNING + 2 * HOUR).commit();
    assert_eq!(world.says(&[&middle, &tip]), "refused unsigned");
    assert!(
        format!("{:?}", world.judge(&world.bundle(&[&middle, &tip])))
            .contains(&middle.id.to_string())
    );
}

#[test]
fn a_walk_has_a_limit() {
    let mut world = World::new();
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let two = Draft::on(&one, BEGINNING + 2 * HOUR).commit();
    world.root.limits.commits_per_walk = 2;
    assert_eq!(world.says(&[&one, &two]), "accepted");
    world.root.limits.commits_per_walk = 1;
    assert_eq!(world.says(&[&one, &two]), "refused walk-too-long");
    let cut = Bundle { cut_short: true, ..world.bundle(&[&one]) };
    assert_eq!(said(&world.judge(&cut)), "refused walk-too-long");
}
