//! Emergencies, and going back to what was healthy: two ways past gates, and what does not lead past them.
//!
//! **Invariant:** beside every word that skips nothing stands the one that it imitates, and that one does.

use std::slice;
use std::sync::Arc;

use bowline_model::bundle::{Beside, CommitEvidence};
use bowline_model::object_id::ObjectFormat;
use jiff::{SignedDuration, Timestamp};

use crate::approval::Approved;
use crate::commit::object_id;
use crate::emergency::Emergency;
use crate::sample::{BEGINNING, Draft, HOUR, Law, Robot, World, change, person_attests, said};
use crate::verdict::Verdict;

const ASKED: &str = "gates: [{id: change, predicate: bowline change-approval/v1, signers: [ci], threshold: 1}, \
    {id: staging, hosts: {environment: staging, healthy: \"60%\", for: 1h}}]\n\
    emergency: {oncall: [alice, bob, ci], threshold: 2, skips: [staging, change, windows]}\n";

fn law() -> Law {
    Law { more: ASKED, robots: vec![("ci", 7)], ..Law::default() }
}

fn world() -> World {
    World::under(ObjectFormat::Sha1, law().signed())
}

fn word(world: &World) -> Emergency {
    let now = Timestamp::from_second(world.now).unwrap();
    Emergency {
        repo_uri: world.root.repo.uri.to_string(),
        target_ref: world.root.repo.ref_name.to_string(),
        issued: now - SignedDuration::from_hours(1),
        expires: now + SignedDuration::from_hours(1),
        reason: "the shop is down".to_owned(),
    }
}

fn text(word: &Emergency, name: &str) -> String {
    let tree = object_id(ObjectFormat::Sha1, "tree", name.as_bytes());
    let approved = Approved { change: change(name), tree, head: tree };
    String::from_utf8(word.statement(&approved)).unwrap()
}

fn by(seeds: &[u8], word: &Emergency) -> Arc<[u8]> {
    Arc::from(person_attests(seeds, &text(word, "one")))
}

fn merge(on: &CommitEvidence, time: i64, lines: &[Arc<[u8]>]) -> CommitEvidence {
    let beside =
        Beside { attestations: lines.to_vec(), change: Some(change("one")), ..Beside::default() };
    Draft::on(on, time).beside(beside).commit()
}

fn says(world: &World, lines: &[Arc<[u8]>]) -> String {
    world.says(&[&merge(&world.anchor, BEGINNING + HOUR, lines)])
}

const WAITS: &str = "pending evidence-missing";

#[test]
fn a_threshold_of_people_on_call_skips_the_gates_that_the_policy_lets_be_skipped() {
    let world = world();
    let good = word(&world);
    let merged = merge(&world.anchor, BEGINNING + HOUR, &[by(&[1, 2], &good)]);
    let verdict = world.judge(&world.bundle(&[&merged]));
    let Verdict::Accepted { walked, .. } = verdict else { panic!("{verdict:?}") };
    let skipped = walked.opened[0].skipped.clone().unwrap();
    assert_eq!(
        (skipped.by.join(" "), skipped.reason.as_str()),
        ("alice bob".to_owned(), "the shop is down")
    );
    assert!(
        walked.opened.iter().all(|it| !it.met && it.skipped.is_some()),
        "it says what was skipped"
    );
    assert!(walked.warnings.iter().any(|it| it.contains("review it")), "{:?}", walked.warnings);
    assert_eq!(says(&world, &[by(&[1], &good), by(&[2], &good)]), "accepted", "each for himself");
    let robot = Arc::from(Robot::new(7).attest(&text(&good, "one")));
    for (what, lines) in [
        ("nobody", vec![]),
        ("one person", vec![by(&[1], &good)]),
        (
            "one person twice",
            vec![
                by(&[1], &good),
                by(&[1, 1], &Emergency { reason: "x".to_owned(), ..good.clone() }),
            ],
        ),
        ("a person and a robot", vec![by(&[1], &good), robot]),
        ("somebody not on call", vec![by(&[1, 3], &good)]),
        ("a stranger", vec![by(&[1, 9], &good)]),
    ] {
        assert_eq!(says(&world, &lines), WAITS, "{what}");
    }
}

#[test]
fn what_is_skipped_is_skipped_for_one_change_here_for_a_while_and_for_a_reason() {
    let world = world();
    let good = word(&world);
    let week = SignedDuration::from_hours(7 * 24);
    let hour = SignedDuration::from_hours(1);
    let now = good.issued + hour;
    for (what, word, expected) in [
        ("the good one", good.clone(), "accepted"),
        (
            "another repository",
            Emergency { repo_uri: "git+https://x".to_owned(), ..good.clone() },
            WAITS,
        ),
        (
            "another branch",
            Emergency { target_ref: "refs/heads/x".to_owned(), ..good.clone() },
            WAITS,
        ),
        ("ended", Emergency { expires: now, ..good.clone() }, WAITS),
        ("a week", Emergency { expires: good.issued + week, ..good.clone() }, "accepted"),
        ("longer", Emergency { expires: good.issued + week + hour, ..good.clone() }, WAITS),
        (
            "the future",
            Emergency { issued: now + SignedDuration::from_secs(601), ..good.clone() },
            WAITS,
        ),
        ("no reason", Emergency { reason: " ".to_owned(), ..good.clone() }, WAITS),
        ("a long reason", Emergency { reason: "x".repeat(201), ..good.clone() }, WAITS),
        ("two lines", Emergency { reason: "a\nb".to_owned(), ..good.clone() }, WAITS),
    ] {
        assert_eq!(says(&world, &[by(&[1, 2], &word)]), expected, "{what}");
    }
    let other = Arc::from(person_attests(&[1, 2], &text(&good, "two")));
    assert_eq!(says(&world, &[other]), WAITS, "another change");
    // What no host would compare is not signed.
    let base = text(&good, "one").replace("\"expires\"", "\"base\":\"x\",\"expires\"");
    assert_ne!(base, text(&good, "one"));
    assert_eq!(says(&world, &[Arc::from(person_attests(&[1, 2], &base))]), WAITS, "a base");
    let approval = text(&good, "one").replace("emergency/v1", "approval/v1");
    assert_eq!(
        says(&world, &[Arc::from(person_attests(&[1, 2], &approval))]),
        WAITS,
        "an approval"
    );
}

#[test]
fn gates_that_the_policy_does_not_name_are_not_skipped_and_neither_are_approvals() {
    let world = world();
    let line = by(&[1, 2], &word(&world));
    for (what, more, mergers) in [
        (
            "a gate",
            ASKED.replace("skips: [staging, change, windows]", "skips: [staging, windows]"),
            "[alice, bob]",
        ),
        ("no emergency", ASKED.lines().next().unwrap().to_owned() + "\n", "[alice, bob]"),
        ("approvals", ASKED.to_owned(), "[alice, bob], approvals: {principals: 1, from: [carol]}"),
    ] {
        let law = Law { more: Box::leak(more.into_boxed_str()), mergers, ..law() };
        let world = World::under(ObjectFormat::Sha1, law.signed());
        let expected = if what == "approvals" { "pending approval-missing" } else { WAITS };
        assert_eq!(says(&world, slice::from_ref(&line)), expected, "{what}");
    }
}

#[test]
fn a_word_of_people_on_call_is_used_once() {
    let mut world = world();
    let line = by(&[1, 2], &word(&world));
    let first = merge(&world.anchor, BEGINNING + HOUR, slice::from_ref(&line));
    world.remember(&[&first]);
    assert_eq!(world.marks.as_ref().unwrap().spent.len(), 1);
    let rest = world.bundle_from(&first, &[]);
    let Verdict::Accepted { walked, .. } = world.judge(&rest) else { panic!("stays let through") };
    let by = &walked.high_water.opened[0]["skipped"]["by"];
    assert_eq!((by[1].as_str(), walked.opened.len()), (Some("bob"), 0), "known, not judged again");
    // The same change once more: what was said of the first time does not count.
    let again = merge(&first, BEGINNING + 2 * HOUR, &[line]);
    assert_eq!(said(&world.judge(&world.bundle_from(&first, &[&again]))), WAITS);
}

fn healthy(world: &mut World, commit: &CommitEvidence) {
    let tree = crate::commit::Commit::parse(&commit.raw, ObjectFormat::Sha1).unwrap().tree;
    world.marks.as_mut().unwrap().note_healthy(tree);
}

#[test]
fn a_person_may_go_back_to_what_stood_here_in_good_health() {
    let approved = "[alice, dave], approvals: {principals: 1, from: [bob]}";
    let mut law = Law { mergers: approved, ..law() };
    law.principals.push(("dave", "forge", 4, ""));
    let mut world = World::under(ObjectFormat::Sha1, law.signed());
    let named = |on: &CommitEvidence, name: &str, hours: i64, seed: u8| {
        Draft { message: name.to_owned(), ..Draft::on(on, BEGINNING + hours * HOUR) }
            .by(seed)
            .commit()
    };
    world.remember(&[]);
    let (good, other) = (named(&world.anchor, "good", 1, 1), named(&world.anchor, "other", 1, 1));
    let back =
        |world: &World, commit: &CommitEvidence| said(&world.judge(&world.bundle(&[commit])));
    assert_eq!(back(&world, &good), "pending approval-missing", "it never stood here");
    healthy(&mut world, &good);
    assert_eq!(back(&world, &good), "accepted");
    assert_eq!(back(&world, &other), "pending approval-missing");
    assert_eq!(
        back(&world, &named(&world.anchor, "good", 1, 4)),
        "pending approval-missing",
        "a forge"
    );
    assert_eq!(
        back(&world, &named(&world.anchor, "good", 1, 2)),
        "refused not-a-merger",
        "no merger"
    );
    // What the policy revokes is never gone back to.
    let tree = crate::commit::Commit::parse(&good.raw, ObjectFormat::Sha1).unwrap().tree;
    let revoking =
        Law { version: 2, ..law }.yaml().replace("trees: []", &format!("trees: [\"{tree}\"]"));
    let line = crate::sample::sign_policy(&revoking, &[1, 2]);
    let revoking = Draft { message: "good".to_owned(), ..Draft::on(&good, BEGINNING + 2 * HOUR) };
    let verdict = world.judge(&world.bundle(&[&good, &revoking.with(line).commit()]));
    assert_eq!(said(&verdict), "pending approval-missing");
}

/// A robot's and a person's word that the change may go out, on the tree that every draft here has.
fn met(world: &World) -> Arc<[u8]> {
    let tree = object_id(ObjectFormat::Sha1, "tree", b"change");
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"gitTree": tree.to_string()}}],
        "predicateType": "bowline change-approval/v1",
        "predicate": {"repoUri": world.root.repo.uri, "targetRef": world.root.repo.ref_name},
    });
    Arc::from(person_attests(&[1], &statement.to_string()))
}

#[test]
fn what_came_by_an_emergency_is_not_known_to_be_healthy_until_its_gates_are_met() {
    let more = "gates: [{id: change, predicate: bowline change-approval/v1, signers: [alice]}]\n\
        emergency: {oncall: [alice, bob], threshold: 2, skips: [change]}\n";
    let mut world = World::under(ObjectFormat::Sha1, Law { more, ..law() }.signed());
    let hurried = merge(&world.anchor, BEGINNING + HOUR, &[by(&[1, 2], &word(&world))]);
    world.remember(&[&hurried]);
    healthy(&mut world, &hurried);
    assert_eq!(world.marks.as_ref().unwrap().healthy, [], "it stands, and its gates were skipped");
    // Away from it and back: the same tree is asked for its gates.
    let away = Draft { message: "away".to_owned(), ..Draft::on(&hurried, BEGINNING + 2 * HOUR) };
    let away = away.commit();
    let back = Draft::on(&away, BEGINNING + 3 * HOUR);
    let judge = |world: &World, back: &CommitEvidence| {
        said(&world.judge(&world.bundle_from(&hurried, &[&away, back])))
    };
    assert_eq!(judge(&world, &back.clone().commit()), WAITS);
    let beside = Beside { attestations: vec![met(&world)], ..Beside::default() };
    let judged = back.beside(beside).commit();
    assert_eq!(judge(&world, &judged), "accepted");
    let Verdict::Accepted { walked, .. } =
        world.judge(&world.bundle_from(&hurried, &[&away, &judged]))
    else {
        panic!("accepted");
    };
    world.marks = Some(walked.high_water);
    healthy(&mut world, &judged);
    assert_eq!(world.marks.as_ref().unwrap().healthy.len(), 1, "every gate was met since");
}

#[test]
fn the_oldest_of_many_healthy_trees_is_forgotten_first() {
    let mut world = world();
    world.remember(&[]);
    let marks = world.marks.as_mut().unwrap();
    let tree = |number: i64| object_id(ObjectFormat::Sha1, "tree", &number.to_le_bytes());
    for number in (0..70).chain([10, 10]) {
        marks.note_healthy(tree(number));
    }
    assert_eq!(
        (marks.healthy.len(), marks.healthy.first(), marks.healthy.last()),
        (64, Some(&tree(6)), Some(&tree(10)))
    );
}
