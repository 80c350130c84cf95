//! Attack 29 and its kin: on the host's state, anchor, trust file and clock.
//!
//! **Invariant:** what the host knows already is never given up because a repository offers less.

use bowline_model::bundle::CommitEvidence;
use bowline_model::digest::Sha256;

use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, NOW, World, said};
use crate::start::marks_apply;
use crate::verdict::Verdict;

/// A world that has verified one commit, and that commit.
fn walked_world() -> (World, CommitEvidence) {
    let mut world = World::new();
    let head = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    world.remember(&[&head]);
    (world, head)
}

#[test]
fn marks_hold_everything_that_pins_the_head() {
    let (world, head) = walked_world();
    let marks = world.marks.clone().unwrap();
    assert_eq!((marks.head, marks.head_sha256), (head.id, Sha256::of(&head.raw)));
    assert_eq!((marks.policy_version, marks.highest_time), (1, BEGINNING + HOUR));
    assert_eq!(marks.policy_sha256, Sha256::of(Law::default().yaml().as_bytes()));
    assert!(marks_apply(&marks, world.root_sha256));
    assert_eq!(said(&world.judge(&world.bundle_from(&head, &[]))), "accepted");
}

#[test]
fn a_state_that_disagrees_with_the_store_is_tampered() {
    let (world, head) = walked_world();
    let bundle = world.bundle_from(&head, &[]);
    let marks = world.marks.clone().unwrap();
    let mut other_bytes = marks.clone();
    other_bytes.head_sha256 = Sha256::of(b"other");
    let mut other_policy = marks.clone();
    other_policy.policy_sha256 = Sha256::of(b"other");
    let mut other_version = marks.clone();
    other_version.policy_version = 7;
    let mut other_head = marks;
    other_head.head = Draft::on(&head, BEGINNING).commit().id;
    for marks in [other_bytes, other_policy, other_version, other_head] {
        let mut world = World::new();
        world.marks = Some(marks);
        assert_eq!(said(&world.judge(&bundle)), "tampered state-mismatch");
    }
}

#[test]
fn a_state_below_the_floor_is_older_than_the_host() {
    let (mut world, head) = walked_world();
    world.root.floors.policy_version = 2;
    assert_eq!(said(&world.judge(&world.bundle_from(&head, &[]))), "tampered state-older");
}

#[test]
fn an_anchor_with_other_bytes_is_tampered() {
    let mut world = World::new();
    world.root.anchor.commit_sha256 = Sha256::of(b"other");
    assert_eq!(world.says(&[]), "tampered anchor-mismatch");
    let mut world = World::new();
    world.root.anchor.commit = Draft::on(&world.anchor, BEGINNING).commit().id;
    assert_eq!(world.says(&[]), "tampered anchor-mismatch");
}

#[test]
fn the_anchors_policy_must_be_root_signed_too() {
    let format = World::new().anchor.id.format();
    let world = World::under(format, Law::default().signed_by(&[1]));
    assert_eq!(world.says(&[]), "refused policy-below-threshold");
}

#[test]
fn a_clock_that_was_set_back_is_refused_and_a_little_skew_is_not() {
    let (mut world, head) = walked_world();
    let bundle = world.bundle_from(&head, &[]);
    for (now, expected) in
        [(BEGINNING + HOUR - 600, "accepted"), (BEGINNING + HOUR - 601, "refused clock-behind")]
    {
        world.now = now;
        assert_eq!(said(&world.judge(&bundle)), expected, "{now}");
    }
    let mut world = World::new();
    world.root.floors.not_before = "2026-11-12T00:00:00Z".parse().ok();
    assert_eq!(world.says(&[]), "refused clock-behind");
}

#[test]
fn the_time_of_verified_commits_stands_in_for_a_clock_within_the_skew() {
    let mut law = Law::default();
    law.principals[0].3 = ", notAfter: 2026-11-01T01:00:00Z";
    let mut world = World::under(World::new().anchor.id.format(), law.signed());
    let head = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
    world.remember(&[&head]);
    // The clock was set back by nine minutes, to when Alice's key still counted.
    world.now = BEGINNING + HOUR - 540;
    let late = Draft::on(&head, BEGINNING + HOUR - 540).commit();
    assert_eq!(said(&world.judge(&world.bundle_from(&head, &[&late]))), "refused key-expired");
}

#[test]
fn the_newest_commit_must_reach_the_floor_of_time() {
    let mut world = World::new();
    world.root.floors.not_before = "2026-11-05T00:00:00Z".parse().ok();
    assert_eq!(world.says(&[]), "refused below-floor");
    let newer = Draft::on(&world.anchor, BEGINNING + 5 * DAY).commit();
    assert_eq!(world.says(&[&newer]), "accepted");
}

#[test]
fn a_new_trust_file_makes_the_walk_begin_at_the_anchor_and_moves_no_host_back() {
    let (mut world, head) = walked_world();
    world.root_sha256 = Sha256::of(b"another trust file");
    let sibling = Draft::on(&world.anchor, BEGINNING + 2 * HOUR).by(2).commit();
    assert_eq!(said(&world.judge(&world.bundle_from(&head, &[]))), "refused trust-file-changed");
    assert_eq!(world.says(&[&head]), "accepted");
    assert_eq!(world.says(&[&sibling]), "refused not-fast-forward");
    assert_eq!(world.says(&[]), "refused not-fast-forward");
    // An anchor that is newer than all that was verified says: begin here.
    let anew = World::new();
    let mut moved = Draft::on(&head, NOW - DAY);
    moved.parents = vec![head.id];
    let anchor = moved.commit();
    world.root.anchor.commit = anchor.id;
    world.root.anchor.commit_sha256 = Sha256::of(&anchor.raw);
    assert_eq!(said(&world.judge(&anew.bundle_from(&anchor, &[]))), "accepted");
}

/// Makes a world's trust file another one, which begins at a commit.
fn begin_at(world: &mut World, anchor: &CommitEvidence) {
    world.root_sha256 = Sha256::of(b"another trust file");
    world.anchor = anchor.clone();
    world.root.anchor.commit = anchor.id;
    world.root.anchor.commit_sha256 = Sha256::of(&anchor.raw);
}

#[test]
fn attack_29_a_new_trust_file_brings_no_lower_policy_of_the_same_repository() {
    let format = World::new().anchor.id.format();
    let mut world = World::under(format, Law::version(5).signed());
    let head = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    world.remember(&[&head]);
    // A newer anchor, which never came past what was in force here.
    let older =
        |version: u64| Draft::on(&head, NOW - DAY).with(Law::version(version).signed()).commit();
    for (version, expected) in [(4, "refused policy-version"), (5, "accepted"), (6, "accepted")] {
        begin_at(&mut world, &older(version));
        assert_eq!(world.says(&[]), expected, "{version}");
    }
    // What rises above that anchor again was in force here already.
    begin_at(&mut world, &older(4));
    let risen = Draft::on(&world.anchor, NOW - HOUR).with(Law::version(5).signed()).commit();
    assert_eq!(world.says(&[&risen]), "accepted");
    // Marks of an agent of before name no repository: they bind.
    world.marks.as_mut().unwrap().repo = None;
    assert_eq!(world.says(&[]), "refused policy-version");
}

#[test]
fn another_repository_counts_its_versions_anew() {
    let format = World::new().anchor.id.format();
    let mut world = World::under(format, Law::version(5).signed());
    let head = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    world.remember(&[&head]);
    world.marks.as_mut().unwrap().root_version = Some(7);
    let elsewhere = Law { branch: "refs/heads/other", ..Law::version(1) };
    begin_at(&mut world, &Draft::on(&head, NOW - DAY).with(elsewhere.signed()).commit());
    world.root.repo.ref_name = String::from("refs/heads/other").try_into().unwrap();
    assert_eq!(world.says(&[]), "accepted");
    world.remember(&[]);
    let marks = world.marks.as_ref().unwrap();
    assert_eq!((marks.policy_version, marks.root_version), (1, Some(1)));
    assert_eq!(marks.repo.as_ref(), Some(&world.root.repo));
}

#[test]
fn a_proof_of_freshness_of_another_repository_is_none_here_and_still_a_time() {
    let mut world = World::new();
    world.remember(&[]);
    let proved = NOW - HOUR;
    world.marks.as_mut().unwrap().fresh = Some(proved);
    world.root_sha256 = Sha256::of(b"another trust file");
    world.remember(&[]);
    assert_eq!(world.marks.as_ref().unwrap().fresh, Some(proved), "the same repository");
    let elsewhere = Law { branch: "refs/heads/other", ..Law::default() };
    let anchor = Draft::on(&world.anchor, NOW - DAY).with(elsewhere.signed()).commit();
    begin_at(&mut world, &anchor);
    world.root_sha256 = Sha256::of(b"a third one");
    world.root.repo.ref_name = String::from("refs/heads/other").try_into().unwrap();
    world.remember(&[]);
    let marks = world.marks.as_ref().unwrap();
    assert_eq!((marks.fresh, marks.highest_time), (None, proved));
}

#[test]
fn attack_29_the_old_head_is_known_by_its_bytes_and_not_by_its_id_alone() {
    let (mut world, head) = walked_world();
    world.root_sha256 = Sha256::of(b"another trust file");
    assert_eq!(world.says(&[&head]), "accepted");
    // Another commit of that id, as a collision would have it.
    world.marks.as_mut().unwrap().head_sha256 = Sha256::of(b"other");
    assert_eq!(world.says(&[&head]), "refused not-fast-forward");
    begin_at(&mut world, &head);
    world.marks.as_mut().unwrap().highest_time = NOW;
    assert_eq!(world.says(&[]), "refused not-fast-forward");
    world.marks.as_mut().unwrap().head_sha256 = Sha256::of(&head.raw);
    assert_eq!(world.says(&[]), "accepted");
}

#[test]
fn marks_rise_with_the_newest_date_on_the_walk() {
    let world = World::new();
    let late = Draft::on(&world.anchor, BEGINNING + 3 * HOUR).commit();
    let early = Draft::on(&late, BEGINNING + 2 * HOUR).commit();
    let Verdict::Accepted { walked, deployable } = world.judge(&world.bundle(&[&late, &early]))
    else {
        panic!("accepted");
    };
    assert_eq!(walked.high_water.highest_time, BEGINNING + 3 * HOUR);
    assert_eq!((walked.commits, deployable.commit), (2, early.id));
}

#[test]
fn a_root_key_that_cannot_be_used_is_the_trust_files_fault() {
    let mut world = World::new();
    world.root.root.keys[0].key = "ssh-dss AAAAB3NzaC1kc3M=".to_owned();
    assert_eq!(world.says(&[]), "refused trust-file-malformed");
}
