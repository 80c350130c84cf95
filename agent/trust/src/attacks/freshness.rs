//! Attack 32: a branch that is frozen, so that a host never learns of what came after.
//!
//! **Invariant:** beside every word that proves nothing stands the one that it imitates, and that one does.

use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, CommitEvidence};
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::trust_root::{HostFreshness, OnStale};
use jiff::Timestamp;

use crate::approval::Approved;
use crate::commit::object_id;
use crate::emergency::Emergency;
use crate::freshness::Head;
use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, Robot, World, change, person_attests, said};
use crate::verdict::Verdict;

const ASKED: &str = "freshness: {signer: clock, maxAge: 6h}\n";

fn law(more: &'static str) -> Law {
    Law { more, robots: vec![("clock", 7), ("ci", 8)], ..Law::default() }
}

fn world() -> World {
    World::under(ObjectFormat::Sha1, law(ASKED).signed())
}

fn head(world: &World, at: i64) -> Head {
    Head {
        repo_uri: world.root.repo.uri.to_string(),
        target_ref: world.root.repo.ref_name.to_string(),
        issued: Timestamp::from_second(at).unwrap(),
    }
}

fn signed_by(seed: u8, head: &Head, commit: ObjectId) -> Arc<[u8]> {
    let statement = String::from_utf8(head.statement(commit)).unwrap();
    Arc::from(Robot::new(seed).attest(&statement))
}

/// A commit with a word that it was the head at a time.
fn fresh(world: &World, commit: &CommitEvidence, at: i64) -> CommitEvidence {
    with(commit, signed_by(7, &head(world, at), commit.id))
}

fn with(commit: &CommitEvidence, line: Arc<[u8]>) -> CommitEvidence {
    let beside = Beside { head: Some(line), ..commit.beside.clone() };
    CommitEvidence { beside, ..commit.clone() }
}

fn one(world: &World) -> CommitEvidence {
    Draft::on(&world.anchor, BEGINNING + HOUR).commit()
}

/// The verdict, and whether anything may be deployed.
fn told(world: &World, commits: &[&CommitEvidence]) -> (String, bool) {
    let verdict = world.judge(&world.bundle(commits));
    let deployable = match &verdict {
        Verdict::Accepted { .. } => true,
        Verdict::Stale { deployable, .. } | Verdict::Pending { deployable, .. } => {
            deployable.is_some()
        }
        Verdict::Refused(_) | Verdict::Tampered(_) => false,
    };
    (said(&verdict), deployable)
}

const HELD: (&str, bool) = ("stale stale", false);

fn is(found: &(String, bool), expected: (&str, bool), what: &str) {
    assert_eq!((found.0.as_str(), found.1), expected, "{what}");
}

#[test]
fn attack_32_a_branch_that_nobody_vouches_for_is_stale() {
    let world = world();
    let one = one(&world);
    is(&told(&world, &[&one]), HELD, "no word at all");
    is(&told(&world, &[&fresh(&world, &one, world.now - HOUR)]), ("accepted", true), "a word");
    is(
        &told(&world, &[&fresh(&world, &one, world.now - 6 * HOUR)]),
        ("accepted", true),
        "the limit",
    );
    is(&told(&world, &[&fresh(&world, &one, world.now - 6 * HOUR - 1)]), HELD, "older");
    // What followed a commit of which it was said is at least as new.
    let below = fresh(&world, &one, world.now - HOUR);
    let two = Draft::on(&below, BEGINNING + 2 * HOUR).commit();
    is(&told(&world, &[&below, &two]), ("accepted", true), "the commit below");
}

#[test]
fn attack_32_only_the_policys_signer_vouches_for_this_commit_here_and_now() {
    let world = world();
    let one = one(&world);
    let good = head(&world, world.now - HOUR);
    let elsewhere = |uri: &str, branch: &str| Head {
        repo_uri: uri.to_owned(),
        target_ref: branch.to_owned(),
        ..good.clone()
    };
    let (uri, branch) = (good.repo_uri.as_str(), good.target_ref.as_str());
    let text = String::from_utf8(good.statement(one.id)).unwrap();
    let more = text.replacen("\"issued\"", "\"withdrawn\":true,\"issued\"", 1);
    assert_ne!(more, text);
    let plain = |text: &str| Arc::from(Robot::new(7).attest(text));
    for (what, line, expected) in [
        ("the good one", signed_by(7, &good, one.id), ("accepted", true)),
        ("another robot", signed_by(8, &good, one.id), HELD),
        ("nobody", signed_by(9, &good, one.id), HELD),
        ("a person", Arc::from(person_attests(&[1, 2], &text)), HELD),
        ("another commit", signed_by(7, &good, world.anchor.id), HELD),
        ("another repository", signed_by(7, &elsewhere("git+https://x", branch), one.id), HELD),
        ("another branch", signed_by(7, &elsewhere(uri, "refs/heads/x"), one.id), HELD),
        ("the future", signed_by(7, &head(&world, world.now + 601), one.id), HELD),
        ("a fast clock", signed_by(7, &head(&world, world.now + 599), one.id), ("accepted", true)),
        ("another statement", plain(&text.replace("head/v1", "head/v2")), HELD),
        ("an unknown field", plain(&more), HELD),
        ("the same text", plain(&text), ("accepted", true)),
    ] {
        is(&told(&world, &[&with(&one, line)]), expected, what);
    }
}

#[test]
fn attack_32_a_word_is_known_on_and_grows_old() {
    let mut world = world();
    let one = one(&world);
    world.remember(&[&fresh(&world, &one, world.now - HOUR)]);
    let marks = world.marks.clone().unwrap();
    assert_eq!(marks.fresh, Some(world.now - HOUR));
    let rest = world.bundle_from(&one, &[]);
    assert_eq!(said(&world.judge(&rest)), "accepted");
    world.now += 5 * HOUR;
    assert_eq!(said(&world.judge(&rest)), "accepted", "six hours old");
    world.now += 1;
    assert_eq!(said(&world.judge(&rest)), "stale stale");
    // An older word takes nothing back, and a newer one frees the host.
    let older = fresh(&world, &one, BEGINNING + 2 * HOUR);
    let verdict = world.judge(&world.bundle_from(&older, &[]));
    let Verdict::Stale { walked, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(walked.high_water.fresh, marks.fresh);
    let newer = fresh(&world, &one, world.now - HOUR);
    assert_eq!(said(&world.judge(&world.bundle_from(&newer, &[]))), "accepted");
}

#[test]
fn attack_32_a_word_under_a_former_trust_file_proves_nothing_under_another() {
    let mut world = world();
    let one = one(&world);
    world.remember(&[&fresh(&world, &one, world.now - HOUR)]);
    assert_eq!(said(&world.judge(&world.bundle_from(&one, &[]))), "accepted", "a word is known");
    world.root_sha256 = bowline_model::digest::Sha256::of(b"another trust file");
    is(&told(&world, &[&one]), HELD, "it may be of another repository");
    let again = fresh(&world, &one, world.now - HOUR);
    is(&told(&world, &[&again]), ("accepted", true), "a word on it");
}

#[test]
fn attack_32_an_alarm_is_enough_only_where_the_trust_file_says_so_and_a_word_is_known() {
    let mut world = world();
    let freshness = |max_age: &str, on_stale| {
        Some(HostFreshness { max_age: max_age.parse().unwrap(), on_stale })
    };
    world.root.freshness = freshness("24h", OnStale::Alarm);
    let one = one(&world);
    is(&told(&world, &[&one]), HELD, "whoever knows nothing holds");
    world.remember(&[&fresh(&world, &one, world.now - HOUR)]);
    world.now += DAY;
    let two = Draft::on(&one, BEGINNING + 2 * HOUR).commit();
    let bundle = world.bundle_from(&one, &[&two]);
    let verdict = world.judge(&bundle);
    let Verdict::Stale { deployable, walked, .. } = &verdict else { panic!("{verdict:?}") };
    assert_eq!(deployable.map(|it| it.commit), Some(two.id), "an alarm, and on it goes");
    assert_eq!(walked.high_water.head, two.id);
    world.root.freshness = freshness("24h", OnStale::Hold);
    assert!(matches!(world.judge(&bundle), Verdict::Stale { deployable: None, .. }));
    // The shorter of both limits counts.
    world.now -= DAY;
    world.root.freshness = freshness("30m", OnStale::Hold);
    assert_eq!(said(&world.judge(&bundle)), "stale stale");
}

#[test]
fn attack_32_a_policy_that_begins_to_ask_is_obeyed_at_once_and_a_revoked_signer_is_none() {
    let world = World::under(ObjectFormat::Sha1, law("").signed());
    let asking = Law { version: 2, ..law(ASKED) };
    let asking = Draft::on(&world.anchor, BEGINNING + HOUR).with(asking.signed()).commit();
    is(&told(&world, &[&asking]), HELD, "from its own commit on");
    is(&told(&world, &[&fresh(&world, &asking, world.now)]), ("accepted", true), "a word on it");
    let print = crate::spki::SpkiKey::from_pem(&Robot::new(7).pem()).unwrap().fingerprint();
    let revoking = Law { version: 3, revoked: format!("[\"{print}\"]"), ..law(ASKED) };
    let revoking = Draft::on(&asking, BEGINNING + 2 * HOUR).with(revoking.signed()).commit();
    is(&told(&world, &[&asking, &fresh(&world, &revoking, world.now)]), HELD, "revoked");
}

#[test]
fn attack_29_a_clock_behind_a_signed_word_on_the_head_is_refused() {
    let mut world = world();
    let one = one(&world);
    world.remember(&[&fresh(&world, &one, world.now)]);
    world.now -= 601;
    assert_eq!(said(&world.judge(&world.bundle_from(&one, &[]))), "refused clock-behind");
    world.now += 1;
    assert_eq!(said(&world.judge(&world.bundle_from(&one, &[]))), "accepted");
}

#[test]
fn a_person_may_vouch_with_an_ssh_key_where_the_policy_names_one() {
    let world =
        World::under(ObjectFormat::Sha1, law("freshness: {signer: carol, maxAge: 6h}\n").signed());
    let one = one(&world);
    let text = String::from_utf8(head(&world, world.now).statement(one.id)).unwrap();
    let line = |seed: u8| Arc::from(person_attests(&[seed], &text));
    is(&told(&world, &[&with(&one, line(3))]), ("accepted", true), "carol");
    is(&told(&world, &[&with(&one, line(2))]), HELD, "bob");
}

#[test]
fn attack_32_a_policy_that_nobody_approved_asks_for_no_less() {
    let mergers = "[alice], approvals: {principals: 1, from: [bob]}";
    let world = World::under(ObjectFormat::Sha1, Law { mergers, ..law(ASKED) }.signed());
    is(&told(&world, &[]), HELD, "what is approved");
    let without = Law { mergers, version: 2, ..law("") };
    let draft = Draft::on(&world.anchor, BEGINNING + HOUR).with(without.signed()).commit();
    is(&told(&world, &[&draft]), HELD, "a draft that asks for nothing");
}

#[test]
fn attack_32_a_trust_file_that_holds_is_not_talked_out_of_it() {
    let mut world = World::under(ObjectFormat::Sha1, law("").signed());
    let one = one(&world);
    let freshness = |on_stale| Some(HostFreshness { max_age: "6h".parse().unwrap(), on_stale });
    world.root.freshness = freshness(OnStale::Alarm);
    is(&told(&world, &[&one]), ("accepted", true), "an alarm is a warning");
    world.root.freshness = freshness(OnStale::Hold);
    is(&told(&world, &[&one]), HELD, "the policy names nobody");
}

#[test]
fn attack_32_whoever_waits_for_approval_hears_that_the_branch_is_stale() {
    let mergers = "[alice], approvals: {principals: 1, from: [bob]}";
    let mut world = World::under(ObjectFormat::Sha1, Law { mergers, ..law(ASKED) }.signed());
    let anchor = fresh(&world, &world.anchor, world.now - HOUR);
    world.anchor = anchor;
    world.remember(&[]);
    world.now += DAY;
    world.root.freshness =
        Some(HostFreshness { max_age: "6h".parse().unwrap(), on_stale: OnStale::Alarm });
    let waiting = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let verdict = world.judge(&world.bundle(&[&waiting]));
    let Verdict::Pending { walked, .. } = verdict else { panic!("{verdict:?}") };
    assert!(walked.warnings.iter().any(|it| it.starts_with("stale: ")), "{:?}", walked.warnings);
}

#[test]
fn attack_32_gates_are_not_met_while_the_host_is_held() {
    let gate = "freshness: {signer: clock, maxAge: 6h}\n\
        gates: [{id: change, predicate: bowline change-approval/v1, signers: [alice], threshold: 1}]\n\
        emergency: {oncall: [alice], threshold: 1, skips: [change]}\n";
    let mut world = World::under(ObjectFormat::Sha1, law(gate).signed());
    let change = change("one");
    let tree = object_id(ObjectFormat::Sha1, "tree", b"one");
    let hurry = Emergency {
        repo_uri: world.root.repo.uri.to_string(),
        target_ref: world.root.repo.ref_name.to_string(),
        issued: Timestamp::from_second(world.now - HOUR).unwrap(),
        expires: Timestamp::from_second(world.now + HOUR).unwrap(),
        reason: "down".to_owned(),
    };
    let approved = Approved { change, tree, head: world.anchor.id };
    let line: Arc<[u8]> =
        Arc::from(person_attests(&[1], str::from_utf8(&hurry.statement(&approved)).unwrap()));
    let beside = Beside { attestations: vec![line], change: Some(change), ..Beside::default() };
    let one = Draft::on(&world.anchor, BEGINNING + HOUR).beside(beside).commit();
    world.remember(&[&one]);
    let marks = world.marks.clone().unwrap();
    assert_eq!((marks.cleared, marks.spent.len()), (None, 0), "nothing was let through");
    // Free again after the word has ended, it is asked for its gate.
    world.now += 2 * HOUR;
    let free = fresh(&world, &one, world.now);
    let late = Bundle { waiting: vec![free.clone()], ..world.bundle_from(&free, &[]) };
    assert_eq!(said(&world.judge(&late)), "pending evidence-missing");
    world.now -= 2 * HOUR;
    let free = fresh(&world, &one, world.now);
    let late = Bundle { waiting: vec![free.clone()], ..world.bundle_from(&free, &[]) };
    assert_eq!(said(&world.judge(&late)), "accepted", "in time");
}
