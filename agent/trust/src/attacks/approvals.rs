//! Attacks 14 to 16: merges that nobody approved, or not in a way that counts.
//!
//! **Invariant:** beside every approval that fails stands the one that it imitates, and that one counts.

use std::sync::Arc;

use bowline_model::bundle::{Beside, CommitEvidence};
use bowline_model::object_id::ObjectFormat;

use crate::sample::{Approver, BEGINNING, DAY, Draft, HOUR, Law, Signer, World, change, said};
use crate::verdict::Verdict;

/// Dave merges for others: a forge.
const FORGE: &str = "[alice, bob, dave]";

/// A world whose policy asks for approvals as written, and where a forge may merge.
fn world(approvals: &'static str) -> World {
    World::under(ObjectFormat::Sha1, law(approvals).signed())
}

fn law(approvals: &'static str) -> Law {
    let mergers = match approvals {
        "" => FORGE.to_owned(),
        some => format!("{FORGE}, approvals: {some}"),
    };
    let mut law = Law { mergers: Box::leak(mergers.into_boxed_str()), ..Law::default() };
    law.principals.push(("dave", "forge", 4, ""));
    law
}

/// A merge of the change "one" on the anchor, by the key of this seed, with these lines beside it.
fn merge(world: &World, seed: u8, lines: &[Arc<[u8]>]) -> CommitEvidence {
    let beside =
        Beside { attestations: lines.to_vec(), change: Some(change("one")), ..Beside::default() };
    Draft::on(&world.anchor, BEGINNING + HOUR).by(seed).beside(beside).commit()
}

fn says(world: &World, seed: u8, lines: &[Arc<[u8]>]) -> String {
    world.says(&[&merge(world, seed, lines)])
}

const PENDING: &str = "pending approval-missing";

#[test]
fn attack_14_a_merge_by_a_forge_waits_for_somebodys_approval() {
    let world = world("");
    assert_eq!(says(&world, 1, &[]), "accepted", "a person's own signature");
    assert_eq!(says(&world, 4, &[]), PENDING);
    let approver = Approver::of(&world, "one");
    assert_eq!(says(&world, 4, &[approver.sign(&[3])]), "accepted");
    let merged = merge(&world, 4, &[]);
    let Verdict::Pending { walked, deployable, detail, .. } =
        world.judge(&world.bundle(&[&merged]))
    else {
        panic!("pending");
    };
    assert_eq!(walked.high_water.head, world.anchor.id, "the marks stay below");
    assert_eq!(deployable.map(|it| it.commit), Some(world.anchor.id));
    assert_eq!(detail, "merged by \"dave\" (forge), 0 of 1 approvals count");
}

#[test]
fn attack_15_people_are_counted_and_nobody_twice() {
    let world = world("{principals: 2, from: [alice, bob, carol]}");
    let one = Approver::of(&world, "one");
    let mut again = one.clone();
    again.approval.issued = again.approval.expires;
    for (lines, expected) in [
        (vec![one.sign(&[1]), one.sign(&[2])], "accepted"),
        (vec![one.sign(&[1, 2])], "accepted"),
        (vec![one.sign(&[1])], PENDING),
        (vec![one.sign(&[1, 1]), again.sign(&[1])], PENDING),
        (vec![one.sign(&[1, 4])], PENDING),
        (vec![one.sign(&[1, 9])], PENDING),
    ] {
        assert_eq!(says(&world, 4, &lines), expected);
        assert_eq!(says(&world, 1, &lines), expected, "a merge does not stand for an approval");
    }
}

#[test]
fn attack_15_two_keys_of_one_person_are_one_person() {
    let mut law = law("{principals: 2, from: [alice, bob]}");
    law.principals[0].3 = "}, {type: ssh, key: \"KEY\"";
    let yaml = law.yaml().replace("KEY", &Signer::new(7).line());
    let world = World::under(ObjectFormat::Sha1, crate::sample::sign_policy(&yaml, &[1, 2]));
    let one = Approver::of(&world, "one");
    assert_eq!(says(&world, 4, &[one.sign(&[1, 7])]), PENDING);
    assert_eq!(says(&world, 4, &[one.sign(&[7, 2])]), "accepted");
}

#[test]
fn attack_15_robots_and_strangers_to_the_list_approve_nothing() {
    let mut law = law("{principals: 1, from: [bob, eve]}");
    law.principals.push(("eve", "robot", 5, ""));
    let world = World::under(ObjectFormat::Sha1, law.signed());
    let one = Approver::of(&world, "one");
    assert_eq!(says(&world, 4, &[one.sign(&[5])]), PENDING, "a robot");
    assert_eq!(says(&world, 4, &[one.sign(&[1])]), PENDING, "not on the list");
    assert_eq!(says(&world, 4, &[one.sign(&[2])]), "accepted");
}

#[test]
fn attack_15_whoever_merges_does_not_approve_where_the_policy_says_so() {
    let world = world("{principals: 1, from: [alice, bob], excludeMergers: true}");
    let one = Approver::of(&world, "one");
    assert_eq!(says(&world, 1, &[one.sign(&[1])]), PENDING);
    assert_eq!(says(&world, 1, &[one.sign(&[2])]), "accepted");
}

/// A merge by this key, of commits that others signed.
fn merge_of(world: &World, seed: u8, authors: &[Option<u8>], lines: &[Arc<[u8]>]) -> String {
    let side = authors.iter().map(|author| {
        let commit = Draft::on(&world.anchor, BEGINNING);
        Arc::from(Draft { signer: *author, ..commit }.raw().into_bytes())
    });
    let beside = Beside {
        attestations: lines.to_vec(),
        change: Some(change("one")),
        side: side.collect(),
        ..Beside::default()
    };
    let mut draft = Draft::on(&world.anchor, BEGINNING + HOUR).by(seed).beside(beside);
    draft.parents.push(change("head").blob);
    world.says(&[&draft.commit()])
}

#[test]
fn attack_15_an_author_does_not_approve_her_own_change() {
    let world = world("{principals: 1, from: [alice, bob, carol], excludeAuthors: true}");
    let one = Approver::of(&world, "one");
    let by = |seeds: &[u8]| vec![one.sign(seeds)];
    assert_eq!(merge_of(&world, 4, &[Some(3)], &by(&[2])), "accepted");
    assert_eq!(merge_of(&world, 4, &[Some(2)], &by(&[2])), PENDING);
    assert_eq!(merge_of(&world, 4, &[Some(3), Some(2)], &by(&[2])), PENDING);
    // Whoever wrote it may be the one who approved it: it takes one person more.
    assert_eq!(merge_of(&world, 4, &[None], &by(&[2])), PENDING);
    assert_eq!(merge_of(&world, 4, &[None], &by(&[2, 3])), "accepted");
    assert_eq!(merge_of(&world, 1, &[None], &by(&[2])), "accepted", "the merger is a second one");
    assert_eq!(merge_of(&world, 1, &[None], &by(&[1])), PENDING);
    assert_eq!(merge_of(&world, 4, &[Some(9)], &by(&[2])), PENDING, "an unknown key");
    // Squashed by a forge, nobody knows the author; on the spot, it is whoever signs.
    assert_eq!(says(&world, 4, &by(&[2])), PENDING);
    assert_eq!(says(&world, 2, &by(&[2])), PENDING);
    assert_eq!(says(&world, 1, &by(&[2])), "accepted");
}

#[test]
fn attack_16_an_approval_of_anything_else_does_not_count() {
    let world = world("{principals: 1, from: [bob]}");
    let good = Approver::of(&world, "one");
    assert_eq!(says(&world, 4, &[good.sign(&[2])]), "accepted");
    let at = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap();
    let turned = |turn: &dyn Fn(&mut Approver)| {
        let mut approver = good.clone();
        turn(&mut approver);
        approver.sign(&[2])
    };
    let bad = [
        ("of another change", turned(&|it| it.approved.change = change("two"))),
        ("for another repository", turned(&|it| it.approval.repo_uri.push('x'))),
        ("for another branch", turned(&|it| it.approval.target_ref.push('x'))),
        ("expired", turned(&|it| it.approval.expires = at(BEGINNING + HOUR))),
        ("longer than 90 days", turned(&|it| it.approval.expires = at(BEGINNING + 91 * DAY))),
        (
            "in the future",
            turned(&|it| {
                it.approval.issued = at(world.now + HOUR);
                it.approval.expires = at(world.now + DAY);
            }),
        ),
    ];
    for (why, line) in bad {
        let verdict = world.judge(&world.bundle(&[&merge(&world, 4, &[line])]));
        assert_eq!(said(&verdict), PENDING, "{why}");
        let Verdict::Pending { detail, walked, .. } = verdict else { panic!("pending") };
        assert!(detail.contains(why), "{why}: {detail}");
        assert!(!walked.approvals[0].counts && walked.approvals[0].principal == "bob");
    }
    // Neither base nor tree have a part in it where the change is what counts.
    let elsewhere = turned(&|it| {
        it.approval.base = change("base").blob;
        it.approved.tree = change("tree").blob;
    });
    assert_eq!(says(&world, 4, &[elsewhere]), "accepted");
}

#[test]
fn attack_16_where_the_tree_counts_the_base_counts_too() {
    let world = world("{principals: 1, from: [bob], on: tree}");
    let commit = merge(&world, 4, &[]);
    let tree = crate::commit::Commit::parse(&commit.raw, ObjectFormat::Sha1).unwrap().tree;
    let good = Approver::of(&world, "other change").on_tree(tree);
    assert_eq!(says(&world, 4, &[good.sign(&[2])]), "accepted");
    let mut moved = good.clone();
    moved.approval.base = change("base").blob;
    assert_eq!(says(&world, 4, &[moved.sign(&[2])]), PENDING);
    assert_eq!(says(&world, 4, &[Approver::of(&world, "one").sign(&[2])]), PENDING);
}

#[test]
fn attack_16_an_approval_is_used_once() {
    let mut world = world("{principals: 1, from: [bob]}");
    let line = Approver::of(&world, "one").sign(&[2]);
    let first = merge(&world, 4, std::slice::from_ref(&line));
    let again = |after: &CommitEvidence, line: Arc<[u8]>| {
        let beside =
            Beside { attestations: vec![line], change: Some(change("one")), ..Beside::default() };
        Draft::on(after, BEGINNING + 2 * HOUR).by(4).beside(beside).commit()
    };
    let second = again(&first, Arc::clone(&line));
    let mut anew = Approver::of(&world, "one");
    anew.approval.issued = jiff::Timestamp::from_second(BEGINNING + HOUR).unwrap();
    let approved_anew = again(&first, anew.sign(&[2]));
    assert_eq!(world.says(&[&first, &second]), PENDING);
    assert_eq!(world.says(&[&first, &approved_anew]), "accepted");
    // Both approvals hang on the change, so the first merge sees the second one too.
    let sees_both = merge(&world, 4, &[anew.sign(&[2]), Arc::clone(&line)]);
    assert_eq!(world.says(&[&sees_both, &approved_anew]), "accepted");
    // What was approved twice before the merge is used up by it as well.
    let mut spare = Approver::of(&world, "one");
    spare.approval.issued = jiff::Timestamp::from_second(BEGINNING + HOUR - 1).unwrap();
    let banked = merge(&world, 4, &[Arc::clone(&line), spare.sign(&[2])]);
    assert_eq!(world.says(&[&banked, &again(&first, spare.sign(&[2]))]), PENDING);
    world.remember(&[&first]);
    let judge = |commit: &CommitEvidence| said(&world.judge(&world.bundle_from(&first, &[commit])));
    assert_eq!(judge(&second), PENDING, "remembered from the walk before");
    assert_eq!(judge(&approved_anew), "accepted");
    // The same commit walked once more, as under a new trust file, uses nothing twice.
    world.marks.as_mut().unwrap().trust_sha256 = bowline_model::digest::Sha256::of(b"another");
    assert_eq!(world.says(&[&first]), "accepted");
}

#[test]
fn an_approval_dated_back_past_its_end_is_not_revived() {
    let world = world("{principals: 1, from: [bob]}");
    let mut short = Approver::of(&world, "one");
    short.approval.expires = jiff::Timestamp::from_second(BEGINNING + 2 * HOUR).unwrap();
    let line = short.sign(&[2]);
    assert_eq!(says(&world, 4, std::slice::from_ref(&line)), "accepted");
    let mut late = Draft::on(&world.anchor, BEGINNING + 3 * HOUR).by(1);
    late.beside = Beside {
        attestations: vec![Approver::of(&world, "between").sign(&[2])],
        change: Some(change("between")),
        ..Beside::default()
    };
    let late = late.commit();
    let beside =
        Beside { attestations: vec![line], change: Some(change("one")), ..Beside::default() };
    let back = Draft::on(&late, BEGINNING + HOUR).by(4).beside(beside).commit();
    assert_eq!(world.says(&[&late, &back]), PENDING);
}

#[test]
fn a_key_that_was_revoked_since_approves_nothing() {
    let world = world("{principals: 1, from: [bob]}");
    let line = Approver::of(&world, "one").sign(&[2]);
    let first = merge(&world, 4, &[line]);
    let mut next = law("");
    (next.version, next.revoked) = (2, format!("[\"{}\"]", Signer::new(2).key().fingerprint()));
    let mut change_of_law = Draft::on(&first, BEGINNING + 2 * HOUR).with(next.signed());
    change_of_law.beside = Beside {
        attestations: vec![Approver::of(&world, "law").sign(&[2])],
        change: Some(change("law")),
        ..Beside::default()
    };
    assert_eq!(world.says(&[&first]), "accepted");
    assert_eq!(world.says(&[&first, &change_of_law.commit()]), PENDING);
}

/// A merge of a change of this name by a forge, with these lines beside it.
fn merged(on: &CommitEvidence, name: &str, time: i64, lines: &[Arc<[u8]>]) -> CommitEvidence {
    let beside =
        Beside { attestations: lines.to_vec(), change: Some(change(name)), ..Beside::default() };
    Draft { message: name.to_owned(), ..Draft::on(on, time) }.by(4).beside(beside).commit()
}

#[test]
fn attack_29_an_approval_that_is_withheld_moves_no_host_back() {
    let mut world = world("{principals: 1, from: [bob]}");
    let line = |name: &str| Approver::of(&world, name).sign(&[2]);
    let one = merged(&world.anchor, "one", BEGINNING + HOUR, &[line("one")]);
    let two = merged(&one, "two", BEGINNING + 2 * HOUR, &[line("two")]);
    let three = merged(&two, "three", BEGINNING + 3 * HOUR, &[line("three")]);
    let bare_two = merged(&one, "two", BEGINNING + 2 * HOUR, &[]);
    let bare_four = merged(&three, "four", BEGINNING + 4 * HOUR, &[]);
    assert_eq!(bare_two.id, two.id);
    world.remember(&[&one, &two, &three]);
    // As after the trust file was changed: the walk begins at the anchor once more.
    world.marks.as_mut().unwrap().trust_sha256 = bowline_model::digest::Sha256::of(b"former");
    assert_eq!(world.says(&[&one, &bare_two, &three]), "accepted");
    let verdict = world.judge(&world.bundle(&[&one, &bare_two, &three, &bare_four]));
    assert_eq!(said(&verdict), PENDING, "what is new is counted");
    let Verdict::Pending { walked, deployable, commit, .. } = verdict else { panic!("pending") };
    assert_eq!((walked.high_water.head, commit), (three.id, bare_four.id));
    assert_eq!(deployable.map(|it| it.commit), Some(three.id));
}

#[test]
fn attack_15_a_second_parent_from_the_branch_itself_hides_no_author() {
    let world = world("{principals: 1, from: [alice, bob, carol], excludeAuthors: true}");
    let one = Approver::of(&world, "one");
    for (seed, approver, expected) in
        [(1, 1, PENDING), (4, 1, PENDING), (1, 2, "accepted"), (4, 2, PENDING)]
    {
        let beside = Beside {
            attestations: vec![one.sign(&[approver])],
            change: Some(change("one")),
            ..Beside::default()
        };
        let mut draft = Draft::on(&world.anchor, BEGINNING + HOUR).by(seed).beside(beside);
        assert_eq!(
            world.says(&[&draft.clone().commit()]),
            expected,
            "one parent: {seed} {approver}"
        );
        draft.parents.push(world.anchor.id);
        assert_eq!(world.says(&[&draft.commit()]), expected, "two parents: {seed} {approver}");
    }
    // What others wrote may be merged with more than that in it.
    assert_eq!(merge_of(&world, 1, &[Some(2)], &[one.sign(&[1])]), PENDING);
    assert_eq!(merge_of(&world, 1, &[Some(2)], &[one.sign(&[3])]), "accepted");
}

#[test]
fn attack_16_dating_back_brings_no_used_approval_back() {
    let mut world = world("{principals: 1, from: [bob]}");
    let mut short = Approver::of(&world, "one");
    short.approval.expires = jiff::Timestamp::from_second(BEGINNING + 2 * HOUR).unwrap();
    let used = short.sign(&[2]);
    let line = |name: &str| Approver::of(&world, name).sign(&[2]);
    let one = merged(&world.anchor, "one", BEGINNING + HOUR, std::slice::from_ref(&used));
    let revert = merged(&one, "revert", BEGINNING + 3 * HOUR, &[line("revert")]);
    let back = merged(&revert, "small", BEGINNING + HOUR, &[line("small")]);
    let again = merged(&back, "one", BEGINNING + HOUR + 60, &[used]);
    assert_eq!(world.says(&[&one, &revert, &back]), "accepted");
    assert_eq!(world.says(&[&one, &revert, &back, &again]), PENDING);
    world.remember(&[&one, &revert]);
    let walk = |world: &World, from: &CommitEvidence, to: &CommitEvidence| {
        world.judge(&world.bundle_from(from, &[to]))
    };
    let Verdict::Accepted { walked, .. } = walk(&world, &revert, &back) else { panic!("accepted") };
    world.marks = Some(walked.high_water);
    assert_eq!(said(&walk(&world, &back, &again)), PENDING, "in one walk or in several");
}
