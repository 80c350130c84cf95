//! Going back to a tree that stood here in good health: a merger's signature is enough for it, and no more than
//! that is spared.
//!
//! **Invariant:** beside every way back that is barred stands the one that is open.

use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::object_id::ObjectFormat;

use crate::commit::Commit;
use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, World, adopts, noted, said, sign_policy};

const GATE: &str = "gates: [{id: coverage, predicate: \"https://in-toto.io/attestation/scai/v0.3\", \
    signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80, maxAge: 72h}]\n";

fn law(version: u64) -> Law {
    Law { version, more: GATE, robots: vec![("ci", 7)], ..Law::default() }
}

/// A host on which what the anchor holds stood in good health.
fn world(law: &Law) -> World {
    let mut world = World::under(ObjectFormat::Sha1, law.signed());
    world.remember(&[]);
    let tree = Commit::parse(&world.anchor.raw, ObjectFormat::Sha1).unwrap().tree;
    world.marks.as_mut().unwrap().note_healthy(tree);
    world
}

/// A commit with the anchor's tree.
fn back(world: &World) -> Draft {
    Draft { message: "begin".to_owned(), ..Draft::on(&world.anchor, BEGINNING + HOUR) }
}

fn says(world: &World, commits: &[&CommitEvidence]) -> String {
    said(&world.judge(&world.bundle(commits)))
}

#[test]
fn a_merge_of_a_tree_that_stood_here_in_good_health_needs_no_evidence() {
    let mut world = world(&law(1));
    assert_eq!(says(&world, &[&back(&world).commit()]), "accepted");
    let elsewhere = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    assert_eq!(says(&world, &[&elsewhere]), "pending evidence-missing");
    assert_eq!(says(&world, &[&back(&world).by(9).commit()]), "refused unknown-key");
    let here = back(&world).commit();
    world.marks.as_mut().unwrap().healthy.clear();
    assert_eq!(says(&world, &[&here]), "pending evidence-missing");
}

#[test]
fn what_came_by_adoption_shows_its_evidence_though_its_tree_is_known() {
    let world = world(&law(1));
    let bad = Draft { signer: None, ..back(&world) }.commit();
    let line = adopts(&crate::sample::adoption(&world), &[&bad], &[1, 2]);
    assert_eq!(says(&world, &[&bad]), "refused unsigned");
    assert_eq!(says(&world, &[&noted(&bad, &[line])]), "pending evidence-missing");
}

#[test]
fn a_revoked_tree_is_not_gone_back_to() {
    let world = world(&law(1));
    let commit = back(&world).commit();
    let tree = Commit::parse(&commit.raw, ObjectFormat::Sha1).unwrap().tree;
    let revoking = law(2).yaml().replace("trees: []", &format!("trees: [\"{tree}\"]"));
    let draft = Draft::on(&world.anchor, BEGINNING + HOUR).with(sign_policy(&revoking, &[1, 2]));
    let revoking = draft.commit();
    let mut again = back(&world);
    (again.parents, again.law) = (vec![revoking.id], draft.law.clone());
    let bundle = world.bundle(&[&revoking, &again.commit()]);
    assert_eq!(said(&world.judge(&bundle)), "refused revision-revoked");
}

#[test]
fn a_policy_that_ended_lets_nobody_back() {
    let mut ending = law(1);
    ending.expires = "2026-11-20T00:00:00Z";
    let mut world = world(&ending);
    let commit = back(&world).commit();
    let mut marks = world.marks.clone().unwrap();
    let healthy = std::mem::take(&mut marks.healthy);
    // It was walked while the policy was in force, and waited.
    world.marks = Some(marks);
    world.remember(&[&commit]);
    world.marks.as_mut().unwrap().healthy = healthy;
    let waiting = vec![commit.clone()];
    let bundle = Bundle { waiting, ..world.bundle_from(&commit, &[]) };
    assert_eq!(said(&world.judge(&bundle)), "accepted");
    world.now += 30 * DAY;
    assert_eq!(said(&world.judge(&bundle)), "pending policy-expired");
}
