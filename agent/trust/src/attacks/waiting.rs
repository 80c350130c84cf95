//! Attack 23 and its kin: evidence that is withheld, comes late or grows old.
//!
//! **Invariant:** what is missing holds a commit up and nothing else: not the marks, not a revocation.

use std::collections::BTreeSet;
use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, CommitEvidence};
use bowline_model::object_id::{ObjectFormat, ObjectId};

use crate::commit::Commit;
use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, NOW, Robot, World, said};
use crate::sieve::{About, Sieve};
use crate::verdict::{Verdict, Walked};

const GATE: &str = "gates: [{id: coverage, predicate: \"https://in-toto.io/attestation/scai/v0.3\", \
    signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80, maxAge: 72h}]\n";

fn law(version: u64) -> Law {
    Law { version, more: GATE, robots: vec![("ci", 7)], ..Law::default() }
}

fn world() -> World {
    World::under(ObjectFormat::Sha1, law(1).signed())
}

/// A line that says how much of a commit's tree is covered, measured at a time.
fn coverage(commit: &CommitEvidence, percent: f64, at: i64) -> Arc<[u8]> {
    let tree = Commit::parse(&commit.raw, ObjectFormat::Sha1).unwrap().tree;
    let time = jiff::Timestamp::from_second(at).unwrap();
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"gitTree":"{tree}"}},"annotations":{{"timeCreated":"{time}"}}}}],"predicateType":"https://in-toto.io/attestation/scai/v0.3","predicate":{{"attributes":[{{"attribute":"LINE_COVERAGE","conditions":{{"percent":{percent}}}}}]}}}}"#
    );
    Arc::from(Robot::new(7).attest(&statement))
}

fn with(commit: &CommitEvidence, lines: &[Arc<[u8]>]) -> CommitEvidence {
    let beside = Beside { attestations: lines.to_vec(), ..Beside::default() };
    CommitEvidence { beside, ..commit.clone() }
}

/// A commit on another, and the same with a good line.
fn commit(on: &CommitEvidence, name: &str, time: i64) -> (CommitEvidence, CommitEvidence) {
    let bare = Draft { message: name.to_owned(), ..Draft::on(on, time) }.commit();
    let good = with(&bare, &[coverage(&bare, 90.0, NOW - HOUR)]);
    (bare, good)
}

fn walked(world: &World, bundle: &Bundle) -> (Walked, Option<ObjectId>) {
    match world.judge(bundle) {
        Verdict::Accepted { walked, deployable } => (walked, Some(deployable.commit)),
        Verdict::Pending { walked, deployable, .. } => (walked, deployable.map(|it| it.commit)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_commit_whose_gates_are_met_is_deployed() {
    let world = world();
    let (_, one) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let (two, _) = commit(&one, "two", BEGINNING + 2 * HOUR);
    let (three, _) = commit(&two, "three", BEGINNING + 3 * HOUR);
    let low = with(&three, &[coverage(&three, 79.9, NOW - HOUR)]);
    let bundle = world.bundle(&[&one, &two, &low]);
    assert_eq!(said(&world.judge(&bundle)), "pending evidence-below");
    let (walked, deployable) = walked(&world, &bundle);
    assert_eq!(deployable, Some(one.id));
    assert_eq!(walked.gates[0].measured.as_deref(), Some("LINE_COVERAGE percent 79.9"));
    let marks = walked.high_water;
    assert_eq!((marks.head, marks.cleared), (low.id, Some(one.id)));
    let waiting: Vec<_> = marks.waiting.iter().map(|it| it.commit).collect();
    assert_eq!((waiting, marks.in_question()), (vec![two.id, low.id], vec![two.id, low.id]));
}

#[test]
fn attack_23_evidence_that_comes_late_still_counts() {
    let mut world = world();
    let (one, good_one) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let (two, good_two) = commit(&one, "two", BEGINNING + 2 * HOUR);
    world.remember(&[&one, &two]);
    assert_eq!(world.marks.as_ref().unwrap().head, two.id, "the walk passed");
    let later = |waiting: &[&CommitEvidence]| Bundle {
        waiting: waiting.iter().map(|it| (*it).clone()).collect(),
        ..world.bundle_from(&two, &[])
    };
    assert_eq!(said(&world.judge(&later(&[&one, &two]))), "pending evidence-missing");
    assert_eq!(walked(&world, &later(&[&good_one, &two])).1, Some(one.id));
    assert_eq!(said(&world.judge(&later(&[&one, &good_two]))), "accepted");
    assert_eq!(said(&world.judge(&later(&[&good_two]))), "accepted");
    // Nothing but what the marks pin is taken for what was verified.
    let stranger = Draft::on(&world.anchor, BEGINNING + HOUR).by(9).commit();
    let stranger = with(&stranger, &[coverage(&stranger, 90.0, NOW - HOUR)]);
    let forged = CommitEvidence { id: one.id, ..stranger.clone() };
    assert_eq!(walked(&world, &later(&[&stranger, &forged, &two])).1, None);
}

#[test]
fn what_met_its_gates_is_not_asked_again_and_nothing_older_takes_its_place() {
    let mut world = world();
    let (one, _) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let (two, good_two) = commit(&one, "two", BEGINNING + 2 * HOUR);
    world.remember(&[&one, &good_two]);
    let marks = world.marks.clone().unwrap();
    assert_eq!((marks.cleared, marks.waiting.len()), (Some(two.id), 0));
    assert!(marks.in_question().is_empty(), "a host at rest looks for nothing");
    world.now += 30 * DAY;
    assert_eq!(said(&world.judge(&world.bundle_from(&two, &[]))), "accepted");
    // The older one has fresh evidence now; going back to it is no progress.
    let fresh = with(&one, &[coverage(&one, 99.0, world.now - HOUR)]);
    let (three, _) = commit(&two, "three", BEGINNING + 3 * HOUR);
    let bundle = Bundle { waiting: vec![fresh], ..world.bundle_from(&two, &[&three]) };
    assert_eq!(said(&world.judge(&bundle)), "pending evidence-missing");
    assert_eq!(walked(&world, &bundle).1, Some(two.id));
}

#[test]
fn what_met_its_gates_and_is_revoked_gives_way_to_nothing_older() {
    let mut world = world();
    let (_, one) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let (two, good_two) = commit(&one, "two", BEGINNING + 2 * HOUR);
    world.remember(&[&one, &good_two]);
    let yaml = law(2).yaml().replace("commits: []", &format!("commits: [\"{}\"]", two.id));
    let next = crate::sample::sign_policy(&yaml, &[1, 2]);
    let revoking = Draft::on(&two, BEGINNING + 3 * HOUR).with(next).commit();
    let bundle = Bundle { waiting: vec![one], ..world.bundle_from(&two, &[&revoking]) };
    world.marks.as_mut().unwrap().waiting.push(bowline_model::high_water::Waiting {
        commit: bundle.waiting[0].id,
        commit_sha256: bowline_model::digest::Sha256::of(&bundle.waiting[0].raw),
    });
    assert_eq!(walked(&world, &bundle).1, None);
}

#[test]
fn attack_22_an_old_green_measurement_opens_nothing() {
    let world = world();
    let (bare, _) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let old = with(&bare, &[coverage(&bare, 90.0, NOW - 73 * HOUR)]);
    let fresh = with(&bare, &[coverage(&bare, 90.0, NOW - 71 * HOUR)]);
    assert_eq!(world.says(&[&old]), "pending evidence-stale");
    assert_eq!(world.says(&[&fresh]), "accepted");
}

#[test]
fn attack_23_a_revoking_policy_binds_while_its_evidence_is_withheld() {
    let mut world = world();
    let (_, one) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let mut next = law(2);
    next.revoked = format!("[\"{}\"]", crate::sample::Signer::new(2).key().fingerprint());
    let revoking = Draft::on(&one, BEGINNING + 2 * HOUR).with(next.signed()).commit();
    world.remember(&[&one, &revoking]);
    let marks = world.marks.clone().unwrap();
    assert_eq!((marks.head, marks.policy_version), (revoking.id, 2), "in force though it waits");
    let by_bob = Draft::on(&revoking, BEGINNING + 3 * HOUR).by(2).commit();
    let by_bob = with(&by_bob, &[coverage(&by_bob, 90.0, NOW - HOUR)]);
    let bundle = world.bundle_from(&revoking, &[&by_bob]);
    assert_eq!(said(&world.judge(&bundle)), "refused key-revoked");
}

#[test]
fn of_many_that_wait_the_newest_are_remembered() {
    let mut world = world();
    let mut commits = Vec::new();
    let mut last = world.anchor.clone();
    for hour in 1..=80 {
        last = commit(&last, &hour.to_string(), BEGINNING + hour * HOUR).0;
        commits.push(last.clone());
    }
    world.remember(&commits.iter().collect::<Vec<_>>());
    let waiting = world.marks.unwrap().waiting;
    assert_eq!((waiting.len(), waiting[63].commit), (64, last.id));
}

#[test]
fn a_gate_of_one_environment_is_never_passed_over() {
    let mut limited = law(1);
    let more = GATE.replace("id: coverage", "id: coverage, environments: [production]");
    limited.more = Box::leak(more.into_boxed_str());
    let world = World::under(ObjectFormat::Sha1, limited.signed());
    let (_, good) = commit(&world.anchor, "one", BEGINNING + HOUR);
    assert_eq!(world.says(&[&good]), "accepted");
    let (bare, _) = commit(&world.anchor, "one", BEGINNING + HOUR);
    assert_eq!(
        world.says(&[&bare]),
        "pending evidence-missing",
        "whoever asks for nobody asks for all"
    );
}

#[test]
fn attack_23_a_revoked_robot_opens_no_gate_of_an_older_commit() {
    let mut world = world();
    let (bad, good) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let key = crate::spki::SpkiKey::from_pem(&Robot::new(7).pem()).unwrap().fingerprint();
    let mut revoking = law(2);
    (revoking.robots, revoking.revoked) = (vec![("ci", 8)], format!("[\"{key}\"]"));
    let next = Draft::on(&bad, BEGINNING + 2 * HOUR).with(revoking.signed()).commit();
    world.remember(&[&bad, &next]);
    let bundle = Bundle { waiting: vec![good.clone()], ..world.bundle_from(&next, &[]) };
    assert_eq!(walked(&world, &bundle).1, None);
    // Without the revocation it is as good as any that comes late.
    let mut plain = law(2);
    plain.robots = vec![("ci", 8)];
    let mut world = self::world();
    let next = Draft::on(&bad, BEGINNING + 2 * HOUR).with(plain.signed()).commit();
    world.remember(&[&bad, &next]);
    let bundle = Bundle { waiting: vec![good], ..world.bundle_from(&next, &[]) };
    assert_eq!(walked(&world, &bundle).1, Some(bad.id));
}

#[test]
fn attack_27_a_policy_that_ended_opens_no_gate() {
    let mut ending = law(1);
    ending.expires = "2026-11-20T00:00:00Z";
    let mut world = World::under(ObjectFormat::Sha1, ending.signed());
    let (bare, _) = commit(&world.anchor, "one", BEGINNING + HOUR);
    world.remember(&[&bare]);
    let judge = |world: &World| {
        let line = coverage(&bare, 90.0, world.now - HOUR);
        let waiting = vec![with(&bare, &[line])];
        said(&world.judge(&Bundle { waiting, ..world.bundle_from(&bare, &[]) }))
    };
    assert_eq!(judge(&world), "accepted");
    world.now += 30 * DAY;
    assert_eq!(judge(&world), "pending policy-expired");
}

#[test]
fn attack_25_the_same_word_written_in_many_ways_is_one_word() {
    let world = world();
    let (one, good) = commit(&world.anchor, "one", BEGINNING + HOUR);
    let tree = Commit::parse(&one.raw, ObjectFormat::Sha1).unwrap().tree;
    let policy = crate::preview::policy_of(&one).unwrap();
    let sieve = Sieve::of(&policy, bowline_model::byte_size::ByteSize::from_mib(1)).unwrap();
    let artifacts = &BTreeSet::new();
    let about = About { commit: one.id, tree, change: None, merged: &[], artifacts };
    let real = str::from_utf8(&good.beside.attestations[0]).unwrap().to_owned();
    let first = sieve.keeps(real.as_bytes(), &about).unwrap();
    for padding in ["1", "\\u0031", &"0".repeat(100_000)] {
        let written = real.replacen('{', &format!("{{\"!\":\"{padding}\","), 1);
        assert_eq!(sieve.keeps(written.as_bytes(), &about), Some(first.clone()));
        assert!(sieve.cost(written.as_bytes()) >= sieve.cost(real.as_bytes()));
    }
    let many = real.replace("[{", &format!("[{}{{", "{\"sig\":\"AAAA\"},".repeat(8)));
    assert_eq!(sieve.keeps(many.as_bytes(), &about), None, "nobody needs nine signatures");
}
