//! Attacks 6, 14 and the revocation half of 7: on keys, dates and roles.
//!
//! **Invariant:** a key must count now and at the commit's date, by the parent's policy and the newest.

use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, NOW, Signer, World, said};
use crate::verdict::Verdict;

fn law_with_alice(window: &'static str) -> Law {
    let mut law = Law::default();
    law.principals[0].3 = window;
    law
}

#[test]
fn a_key_counts_only_now_and_at_the_commits_date() {
    // The clock stands at 2026-11-11, the commit is dated 2026-11-01T01:00.
    for (window, expected) in [
        (", notAfter: 2026-12-01T00:00:00Z", "accepted"),
        (", notBefore: 2026-10-01T00:00:00Z", "accepted"),
        // Dated back into the time of a key that was rotated out.
        (", notAfter: 2026-11-05T00:00:00Z", "refused key-expired"),
        // A key that came later.
        (", notBefore: 2026-11-02T00:00:00Z", "refused key-expired"),
        // The end does not belong to the window.
        (", notAfter: 2026-11-11T00:00:00Z", "refused key-expired"),
        (", notBefore: 2026-11-01T01:00:00Z", "accepted"),
    ] {
        let world = World::under(World::new().anchor.id.format(), law_with_alice(window).signed());
        let commit = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
        assert_eq!(world.says(&[&commit]), expected, "{window}");
    }
}

#[test]
fn dates_in_the_future_and_long_before_the_parent_are_refused() {
    let world = World::new();
    for (time, expected) in [
        (NOW + 600, "accepted"),
        (NOW + 601, "refused future-dated"),
        (BEGINNING - DAY, "accepted"),
        (BEGINNING - DAY - 1, "refused before-parent"),
        (99_999_999_999, "refused future-dated"),
    ] {
        let commit = Draft::on(&world.anchor, time).commit();
        assert_eq!(world.says(&[&commit]), expected, "{time}");
    }
}

#[test]
fn a_key_revoked_by_the_parents_policy_is_refused() {
    let law =
        Law { revoked: format!("[\"{}\"]", Signer::new(1).key().fingerprint()), ..Law::default() };
    let world = World::under(World::new().anchor.id.format(), law.signed());
    let commit = |seed| Draft::on(&world.anchor, BEGINNING + HOUR).by(seed).commit();
    assert_eq!(world.says(&[&commit(1)]), "refused key-revoked");
    assert_eq!(world.says(&[&commit(2)]), "accepted");
}

#[test]
fn a_key_revoked_by_the_newest_policy_spoils_what_it_newly_signed() {
    let mut world = World::new();
    let by_alice = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let law =
        Law { revoked: format!("[\"{}\"]", Signer::new(1).key().fingerprint()), ..Law::version(2) };
    let revoking = Draft::on(&by_alice, BEGINNING + 2 * HOUR).by(2).with(law.signed()).commit();
    assert_eq!(world.says(&[&by_alice, &revoking]), "refused key-revoked");
    // What was verified before the revocation stays.
    world.remember(&[&by_alice]);
    let bundle = world.bundle_from(&by_alice, &[&revoking]);
    assert_eq!(said(&world.judge(&bundle)), "accepted");
}

#[test]
fn a_later_policy_does_not_wash_clean_what_a_revoked_key_signed() {
    let revoking =
        Law { revoked: format!("[\"{}\"]", Signer::new(1).key().fingerprint()), ..Law::default() };
    let world = World::under(World::new().anchor.id.format(), revoking.signed());
    let by_alice = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let pardon = Draft::on(&by_alice, BEGINNING + 2 * HOUR).by(2).with(Law::version(2).signed());
    assert_eq!(world.says(&[&by_alice, &pardon.commit()]), "refused key-revoked");
}

#[test]
fn a_key_that_the_newest_policy_extends_counts_for_older_commits_too() {
    let ended = law_with_alice(", notAfter: 2026-11-05T00:00:00Z");
    let world = World::under(World::new().anchor.id.format(), ended.signed());
    let by_alice = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let extended = Law { version: 2, ..law_with_alice(", notAfter: 2026-12-01T00:00:00Z") };
    let mut dropped = Law::version(2);
    dropped.principals.remove(0);
    dropped.mergers = "[bob]";
    for (law, expected) in [(extended, "accepted"), (dropped, "refused key-expired")] {
        let next = Draft::on(&by_alice, BEGINNING + 2 * HOUR).by(2).with(law.signed());
        assert_eq!(world.says(&[&by_alice, &next.commit()]), expected);
    }
}

#[test]
fn a_key_that_the_newest_policy_ends_is_refused_when_newly_walked() {
    let world = World::new();
    let by_alice = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let law = Law { version: 2, ..law_with_alice(", notAfter: 2026-11-02T00:00:00Z") };
    let ending = Draft::on(&by_alice, BEGINNING + 2 * HOUR).by(2).with(law.signed()).commit();
    assert_eq!(world.says(&[&by_alice, &ending]), "refused key-expired");
}

#[test]
fn the_merge_of_a_forge_or_robot_waits_for_approval() {
    for kind in ["forge", "robot"] {
        let mut law = Law::default();
        law.principals[0].1 = kind;
        let world = World::under(World::new().anchor.id.format(), law.signed());
        let by_bob = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
        let merge = Draft::on(&by_bob, BEGINNING + 2 * HOUR).commit();
        let above = Draft::on(&merge, BEGINNING + 3 * HOUR).by(2).commit();
        for commits in [&[&by_bob, &merge][..], &[&by_bob, &merge, &above]] {
            let verdict = world.judge(&world.bundle(commits));
            assert_eq!(said(&verdict), "pending approval-missing", "{kind}");
            let Verdict::Pending { walked, deployable, .. } = verdict else {
                panic!("{kind}");
            };
            assert_eq!(walked.high_water.head, by_bob.id, "marks stop below what waits");
            assert_eq!(deployable.map(|it| it.commit), Some(by_bob.id));
        }
    }
}

#[test]
fn something_wrong_above_a_commit_that_waits_is_still_refused() {
    let mut law = Law::default();
    law.principals[0].1 = "forge";
    let world = World::under(World::new().anchor.id.format(), law.signed());
    let merge = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let above = Draft::on(&merge, BEGINNING + 2 * HOUR).by(9).commit();
    assert_eq!(world.says(&[&merge, &above]), "refused unknown-key");
}

#[test]
fn attack_28_a_fork_by_a_retired_key_is_refused_by_a_host_that_was_away() {
    let law = law_with_alice(", notAfter: 2026-11-05T00:00:00Z");
    let mut world = World::under(World::new().anchor.id.format(), law.signed());
    let fork = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    assert_eq!(world.says(&[&fork]), "refused key-expired", "dated before the key was retired");
    world.now = BEGINNING + 2 * HOUR;
    assert_eq!(world.says(&[&fork]), "accepted", "while it was not");
}
