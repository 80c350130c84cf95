//! Attacks 7, 26 and 27: on the policy, its signatures and its date.
//!
//! **Invariant:** beside the sound change of policy, every other one fails.

use bowline_model::bundle::PathEvidence;
use bowline_model::object_id::ObjectFormat;

use crate::sample::{BEGINNING, Draft, HOUR, Law, Signer, World, blob, said, sign_policy};
use crate::verdict::Verdict;

/// The verdict over one child of the anchor that brings these policy files.
fn says_of(law: [PathEvidence; 2]) -> String {
    let world = World::new();
    let commit = Draft::on(&world.anchor, BEGINNING + HOUR).with(law).commit();
    world.says(&[&commit])
}

#[test]
fn a_root_signed_change_is_accepted_and_governs_what_follows() {
    let world = World::new();
    let mut law = Law::version(2);
    law.principals.push(("dave", "human", 4, ""));
    law.mergers = "[bob, dave]";
    let change = Draft::on(&world.anchor, BEGINNING + HOUR).with(law.signed()).commit();
    let by_dave = Draft::on(&change, BEGINNING + 2 * HOUR).by(4).commit();
    let by_alice = Draft::on(&change, BEGINNING + 2 * HOUR).commit();
    assert_eq!(world.says(&[&change]), "accepted");
    assert_eq!(world.says(&[&change, &by_dave]), "accepted");
    assert_eq!(world.says(&[&change, &by_alice]), "refused not-a-merger");
}

#[test]
fn a_commit_cannot_authorise_itself() {
    let world = World::new();
    let mut law = Law::version(2);
    law.principals.push(("mallory", "human", 9, ""));
    law.mergers = "[mallory]";
    let own = Draft::on(&world.anchor, BEGINNING + HOUR).by(9);
    assert_eq!(world.says(&[&own.clone().with(law.signed()).commit()]), "refused unknown-key");
    let theirs = Draft::on(&world.anchor, BEGINNING + HOUR);
    let unsigned = theirs.with(law.signed_by(&[9])).commit();
    assert_eq!(world.says(&[&unsigned]), "refused policy-below-threshold");
}

#[test]
fn a_policy_that_is_removed_or_no_file_is_refused() {
    let [policy, envelope] = Law::default().signed();
    let link = || PathEvidence::Other { what: "symlink" };
    for (law, expected) in [
        ([PathEvidence::Missing, envelope.clone()], "refused policy-missing"),
        ([policy.clone(), PathEvidence::Missing], "refused policy-missing"),
        ([link(), envelope], "refused policy-not-a-file"),
        ([policy, link()], "refused policy-not-a-file"),
    ] {
        assert_eq!(says_of(law), expected);
    }
}

#[test]
fn a_policy_blob_under_a_false_name_is_refused() {
    let [policy, envelope] = Law::version(2).signed();
    let PathEvidence::Blob { bytes, .. } = policy else {
        panic!("a blob");
    };
    let PathEvidence::Blob { id, .. } = blob(b"other") else {
        panic!("a blob");
    };
    assert_eq!(says_of([PathEvidence::Blob { id, bytes }, envelope]), "refused object-mismatch");
}

#[test]
fn too_few_root_signatures_are_refused() {
    for seeds in [&[][..], &[1], &[2], &[1, 1], &[1, 9], &[8, 9]] {
        let said = says_of(Law::version(2).signed_by(seeds));
        assert_eq!(said, "refused policy-below-threshold", "{seeds:?}");
    }
    assert_eq!(says_of(Law::version(2).signed_by(&[2, 9, 1])), "accepted");
}

#[test]
fn signatures_over_another_policy_do_not_count() {
    let [policy, _] = Law::version(2).signed();
    let [_, envelope] = Law::version(3).signed();
    assert_eq!(says_of([policy, envelope]), "refused policy-below-threshold");
}

#[test]
fn an_envelope_of_another_type_or_shape_is_refused() {
    let [policy, envelope] = Law::version(2).signed();
    let PathEvidence::Blob { bytes, .. } = envelope else {
        panic!("a blob");
    };
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    for changed in [
        text.replace("vnd.bowline.policy", "vnd.bowline.other"),
        text.replace("\"payload\":", "\"payload\":\"\",\"payload\":"),
        format!("{text}{{}}"),
        text.replace("\"signatures\":", "\"others\":"),
        String::new(),
    ] {
        let said = says_of([policy.clone(), blob(changed.as_bytes())]);
        assert_eq!(said, "refused policy-malformed", "{changed}");
    }
}

#[test]
fn a_version_that_does_not_rise_is_refused() {
    let same = Law { expires: "2028-01-01T00:00:00Z", ..Law::version(1) };
    assert_eq!(says_of(same.signed()), "refused policy-version");
    let world = World::under(ObjectFormat::Sha1, Law::version(5).signed());
    for (version, expected) in [(4, "refused policy-version"), (6, "accepted"), (9, "accepted")] {
        let commit =
            Draft::on(&world.anchor, BEGINNING + HOUR).with(Law::version(version).signed());
        assert_eq!(world.says(&[&commit.commit()]), expected, "{version}");
    }
}

#[test]
fn a_policy_below_the_hosts_floor_governs_nothing() {
    let mut world = World::under(ObjectFormat::Sha1, Law::version(5).signed());
    world.root.floors.policy_version = 5;
    assert_eq!(world.says(&[]), "accepted");
    world.root.floors.policy_version = 6;
    assert_eq!(world.says(&[]), "refused policy-version");
}

#[test]
fn more_signatures_over_the_same_policy_are_no_new_version() {
    let world = World::new();
    let more = Law::default().signed_by(&[1, 2, 9]);
    let commit = Draft::on(&world.anchor, BEGINNING + HOUR).with(more).commit();
    assert_eq!(world.says(&[&commit]), "accepted");
}

#[test]
fn a_signed_policy_that_cannot_be_read_is_refused() {
    let good = Law::version(2).yaml();
    let bomb =
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\n";
    for yaml in [
        bomb.to_owned(),
        good.replace("revoked:", "revokd:"),
        good.lines().filter(|line| !line.starts_with("revoked")).collect::<Vec<_>>().join("\n"),
        format!("{good}surprise: 1\n"),
        format!("{good}version: 3\n"),
        good.replace("[alice, bob]", "[alice, bobb]"),
        good.replace("[alice, bob]", "[]"),
        // One key for two people.
        good.replace(&Signer::new(3).line(), &Signer::new(1).line()),
        good.replace("ssh-ed25519 A", "ssh-ed25519 B"),
        String::new(),
    ] {
        assert_ne!(yaml, good);
        assert_eq!(says_of(sign_policy(&yaml, &[1, 2])), "refused policy-malformed", "{yaml}");
    }
}

#[test]
fn what_cannot_be_judged_is_pending_and_named() {
    let more = "gates: [{id: staging, hosts: {environment: staging, healthy: \"60%\", for: 1h}}]\n";
    let world = World::new();
    let law = Law { more, ..Law::version(2) };
    let before = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let asking = Draft::on(&before, BEGINNING + 2 * HOUR).with(law.signed()).commit();
    let verdict = world.judge(&world.bundle(&[&before, &asking]));
    assert_eq!(said(&verdict), "pending manifests-unreadable");
    let Verdict::Pending { walked, deployable, detail, .. } = verdict else {
        panic!("pending");
    };
    assert!(detail.contains("gate \"staging\""), "{detail}");
    assert_eq!(walked.high_water.head, asking.id, "the new policy binds at once");
    assert_eq!(deployable.map(|it| it.commit), Some(before.id));
}

#[test]
fn attack_07_a_policy_without_its_list_of_what_is_revoked_is_none() {
    let good = Law::version(2).yaml();
    assert_eq!(says_of(sign_policy(&good, &[1, 2])), "accepted");
    for list in ["keys", "commits", "trees"] {
        let without =
            good.replace(&format!("{list}: []"), "").replace("{,", "{").replace(", ,", ",");
        assert_ne!(without, good);
        assert_eq!(says_of(sign_policy(&without, &[1, 2])), "refused policy-malformed", "{list}");
    }
    let lines = good.lines().filter(|line| !line.starts_with("revoked"));
    let without = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(says_of(sign_policy(&without, &[1, 2])), "refused policy-malformed");
}
