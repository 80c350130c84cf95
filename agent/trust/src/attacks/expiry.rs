//! Attack 27, the half of it that is about time: a policy past its date.
//!
//! **Invariant:** an expired policy neither lets a change through nor locks its renewal out.

use bowline_model::object_id::ObjectFormat;

use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, NOW, World};
use crate::verdict::Verdict;

/// A world whose policy expired five days ago.
fn expired_world() -> World {
    let law = Law { expires: "2026-11-06T00:00:00Z", ..Law::default() };
    World::under(ObjectFormat::Sha1, law.signed())
}

#[test]
fn an_expired_policy_admits_only_its_own_root_signed_renewal() {
    let world = expired_world();
    let late = BEGINNING + 7 * DAY;
    let mut renewal = Draft::on(&world.anchor, late).with(Law::version(2).signed());
    renewal.policy_only = true;
    let mut with_more = renewal.clone();
    with_more.policy_only = false;
    let below = renewal.clone().with(Law::version(2).signed_by(&[1]));
    let stale = Law { expires: "2026-11-07T00:00:00Z", ..Law::version(2) };
    let mut no_renewal = Draft::on(&world.anchor, late);
    no_renewal.policy_only = true;
    for (draft, expected) in [
        (renewal.clone(), "accepted"),
        (with_more, "refused policy-expired"),
        (below, "refused policy-below-threshold"),
        (renewal.clone().with(stale.signed()), "refused policy-expired"),
        (renewal.clone().by(9), "refused unknown-key"),
        (renewal.by(3), "refused not-a-merger"),
        (no_renewal, "refused policy-expired"),
        // Dated back to when it was in force.
        (Draft::on(&world.anchor, BEGINNING + HOUR), "refused policy-expired"),
    ] {
        assert_eq!(world.says(&[&draft.commit()]), expected);
    }
}

#[test]
fn a_root_key_may_commit_the_renewal_when_every_mergers_key_ended() {
    let mut law = Law { expires: "2026-11-06T00:00:00Z", mergers: "[carol]", ..Law::default() };
    law.principals[2].3 = ", notAfter: 2026-11-06T00:00:00Z";
    let world = World::under(ObjectFormat::Sha1, law.signed());
    let mut renewal = Draft::on(&world.anchor, BEGINNING + 7 * DAY).with(Law::version(2).signed());
    renewal.policy_only = true;
    assert_eq!(world.says(&[&renewal.clone().by(3).commit()]), "refused key-expired");
    assert_eq!(world.says(&[&renewal.by(1).commit()]), "accepted");
}

#[test]
fn a_head_verified_before_the_policy_expired_stays_with_a_warning() {
    let mut world = expired_world();
    world.now = BEGINNING + DAY;
    world.remember(&[]);
    world.now = NOW;
    let Verdict::Accepted { walked, .. } = world.judge(&world.bundle(&[])) else {
        panic!("accepted");
    };
    assert!(walked.warnings.iter().any(|it| it.contains("expired")), "{:?}", walked.warnings);
    world.marks = None;
    assert_eq!(world.says(&[]), "refused policy-expired", "a new host does not begin there");
}
