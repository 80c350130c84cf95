//! A commit that nobody let in: it holds the branch up, unless a threshold of the root adopts it.
//!
//! **Invariant:** beside each adoption that counts for nothing stands the one that counts.

use std::sync::Arc;

use bowline_model::bundle::{CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectFormat;
use jiff::Timestamp;

use crate::root_statement::Adoption;
use crate::sample::{
    BEGINNING, DAY, Draft, HOUR, Law, Signer, World, adoption, adopts, new_root, noted,
    person_attests, root_line, root_says, roots_file,
};
use crate::verdict::{Verdict, Walked};

/// A child of the anchor that nobody signed.
fn unsigned(world: &World) -> CommitEvidence {
    Draft { signer: None, ..Draft::on(&world.anchor, BEGINNING + HOUR) }.commit()
}

/// The verdict over an unsigned commit with these lines in its note.
fn says(world: &World, lines: &[Arc<[u8]>]) -> String {
    world.says(&[&noted(&unsigned(world), lines)])
}

fn walked(world: &World, commits: &[&CommitEvidence]) -> Walked {
    match world.judge(&world.bundle(commits)) {
        Verdict::Accepted { walked, .. } | Verdict::Pending { walked, .. } => walked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unsigned_commit_is_let_in_by_adoption_and_told() {
    let world = World::new();
    let bad = unsigned(&world);
    let line = adopts(&adoption(&world), &[&bad], &[1, 2]);
    assert_eq!(world.says(&[&bad]), "refused unsigned");
    let bad = noted(&bad, &[line]);
    assert_eq!(world.says(&[&bad]), "accepted");
    let walked = walked(&world, &[&bad]);
    let [adopted] = walked.adopted.as_slice() else { panic!("{walked:?}") };
    assert_eq!((adopted.commit, adopted.code.as_str()), (bad.id, "unsigned"));
    assert_eq!(adopted.signers, ["alice", "bob"]);
    assert_eq!(walked.came_by, walked.adopted);
    let warning =
        format!("{} (unsigned) came in by adoption: a web edit slipped through", bad.id.short());
    assert!(walked.warnings.contains(&warning), "{:?}", walked.warnings);
    assert!(walked.high_water.adopted.is_empty(), "it is deployed");
}

#[test]
fn what_is_wrong_with_a_signer_or_a_date_can_be_adopted() {
    let mut law = Law::default();
    law.principals.push(("dave", "human", 4, ", notAfter: 2026-11-01T00:00:00Z"));
    law.mergers = "[alice, dave, bob]";
    law.revoked = format!("[\"{}\"]", Signer::new(2).key().fingerprint());
    let world = World::under(ObjectFormat::Sha1, law.signed());
    let draft = Draft::on(&world.anchor, BEGINNING + HOUR);
    let bad = |from: &str, to: &str| {
        let raw = draft.raw();
        let changed = raw.replacen(from, to, 1);
        assert_ne!(raw, changed);
        draft.evidence(changed.into_bytes())
    };
    let mut future = draft.clone();
    future.time = world.now + 400 * DAY;
    let mut old = draft.clone();
    old.time = BEGINNING - 2 * DAY;
    for (bad, code) in [
        (bad("\nchange\n", "\nchanges\n"), "bad-signature"),
        (bad("BEGIN SSH SIGNATURE", "BEGIN SIGNED MESSAGE"), "unsupported-signature"),
        (draft.clone().by(9).commit(), "unknown-key"),
        (draft.clone().by(3).commit(), "not-a-merger"),
        (draft.clone().by(4).commit(), "key-expired"),
        (draft.clone().by(2).commit(), "key-revoked"),
        (future.commit(), "future-dated"),
        (old.commit(), "before-parent"),
    ] {
        assert_eq!(world.says(&[&bad]), format!("refused {code}"));
        let adopted = noted(&bad, &[adopts(&adoption(&world), &[&bad], &[1, 2])]);
        assert_eq!(world.says(&[&adopted]), "accepted", "{code}");
        let walked = walked(&world, &[&adopted]);
        assert_eq!(walked.adopted[0].code, code);
        assert!(walked.high_water.highest_time <= world.now, "no date of a stranger's is kept");
    }
}

#[test]
fn an_adoption_by_too_few_or_others_counts_for_nothing() {
    let world = World::new();
    let bad = unsigned(&world);
    let by = |seeds: &[u8]| says(&world, &[adopts(&adoption(&world), &[&bad], seeds)]);
    for seeds in [&[][..], &[1], &[1, 1], &[1, 3], &[3, 9]] {
        assert_eq!(by(seeds), "refused unsigned", "{seeds:?}");
    }
    assert_eq!(by(&[2, 9, 1]), "accepted");
    // One line each does not add up: nobody signed what another did.
    let one = |seed: u8| adopts(&adoption(&world), &[&bad], &[seed]);
    assert_eq!(says(&world, &[one(1), one(2)]), "refused unsigned");
    // The same people's approval of the same words is no adoption.
    let named = [crate::root_statement::Named::of(bad.id, &bad.raw)];
    let words = adoption(&world).statement(&named);
    let words = str::from_utf8(&words).unwrap();
    assert_eq!(says(&world, &[Arc::from(person_attests(&[1, 2], words))]), "refused unsigned");
}

#[test]
fn an_adoption_is_for_exactly_what_it_names() {
    let world = World::new();
    let bad = unsigned(&world);
    let good = adoption(&world);
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let now = world.now;
    let change = |change: &dyn Fn(&mut Adoption)| {
        let mut changed = good.clone();
        change(&mut changed);
        says(&world, &[adopts(&changed, &[&bad], &[1, 2])])
    };
    assert_eq!(change(&|_| ()), "accepted");
    for wrong in [
        change(&|it| it.repo_uri.push('x')),
        change(&|it| it.ref_name.push('x')),
        change(&|it| it.reason = " ".to_owned()),
        change(&|it| it.reason = "two\nlines".to_owned()),
        change(&|it| it.reason = "x".repeat(401)),
        change(&|it| it.expires = at(now)),
        change(&|it| it.expires = it.issued),
        change(&|it| it.expires = at(it.issued.as_second() + 90 * DAY + 1)),
        change(&|it| it.issued = at(now + 601)),
    ] {
        assert_eq!(wrong, "refused unsigned");
    }
    let other = Draft { signer: None, ..Draft::on(&world.anchor, BEGINNING + 2 * HOUR) }.commit();
    assert_eq!(says(&world, &[adopts(&good, &[&other], &[1, 2])]), "refused unsigned");
    // The same id, other bytes: as a collision would have it.
    let named = String::from_utf8(good.statement(&[crate::root_statement::Named {
        commit: bad.id,
        sha256: Sha256::of(b"other"),
    }]))
    .unwrap();
    assert_eq!(says(&world, &[root_says(named.as_bytes(), &[1, 2])]), "refused unsigned");
    let words =
        String::from_utf8(good.statement(&[crate::root_statement::Named::of(bad.id, &bad.raw)]))
            .unwrap();
    for (from, to, expected) in [
        ("bowline adopt/v1", "bowline adopt/v2", "refused unsigned"),
        ("bowline adopt/v1", "bowline checkpoint/v1", "refused unsigned"),
        ("\"reason\":", "\"more\":1,\"reason\":", "refused unsigned"),
        ("\"reason\":", "\"reason\":\"x\",\"reason\":", "refused unsigned"),
        ("bowline adopt/v1", "bowline adopt/v1", "accepted"),
    ] {
        let line = root_says(words.replace(from, to).as_bytes(), &[1, 2]);
        assert_eq!(says(&world, &[line]), expected, "{to}");
    }
}

#[test]
fn why_an_adoption_does_not_count_is_said() {
    let world = World::new();
    let bad = unsigned(&world);
    let mut over = adoption(&world);
    over.expires = Timestamp::from_second(world.now).unwrap();
    let bad = noted(&bad, &[adopts(&over, &[&bad], &[1, 2])]);
    let Verdict::Refused(refusal) = world.judge(&world.bundle(&[&bad])) else { panic!("refused") };
    assert!(refusal.detail.ends_with("; its adoption has expired"), "{refusal}");
}

#[test]
fn a_range_is_adopted_by_one_statement_on_its_newest_commit_and_what_follows_is_not() {
    let world = World::new();
    let one = unsigned(&world);
    let two = Draft { signer: None, ..Draft::on(&one, BEGINNING + 2 * HOUR) }.commit();
    let on = noted(&two, &[adopts(&adoption(&world), &[&one, &two], &[1, 2])]);
    assert_eq!(world.says(&[&one, &on]), "accepted");
    let good = Draft::on(&two, BEGINNING + 3 * HOUR).commit();
    assert_eq!(world.says(&[&one, &on, &good]), "accepted");
    let third = Draft { signer: None, ..Draft::on(&two, BEGINNING + 3 * HOUR) }.commit();
    assert_eq!(world.says(&[&one, &on, &third]), "refused unsigned");
    let only = noted(&two, &[adopts(&adoption(&world), &[&two], &[1, 2])]);
    assert_eq!(world.says(&[&one, &only]), "refused unsigned");
    let warnings = walked(&world, &[&one, &on]).warnings;
    let more = |it: &&String| it.contains("and 1 before it came in by adoption");
    assert_eq!(warnings.iter().filter(more).count(), 1, "{warnings:?}");
}

#[test]
fn what_concerns_more_than_the_signer_is_never_adopted() {
    let world = World::new();
    let draft = Draft { signer: None, ..Draft::on(&world.anchor, BEGINNING + HOUR) };
    let adopted = |bad: CommitEvidence| {
        let line = adopts(&adoption(&world), &[&bad], &[1, 2]);
        world.says(&[&noted(&bad, &[line])])
    };
    let by_mallory = Law { mergers: "[carol]", ..Law::version(2) };
    let law = |seeds: &[u8]| adopted(draft.clone().with(by_mallory.signed_by(seeds)).commit());
    assert_eq!(law(&[1]), "refused policy-below-threshold");
    assert_eq!(law(&[1, 2]), "accepted");
    let root = |seeds: &[u8]| {
        let file = roots_file(&[&root_line(&new_root(2, &[3, 4]), seeds)]);
        adopted(draft.clone().rooted(&file).commit())
    };
    assert_eq!(root(&[1, 3]), "refused unsigned", "no root of that branch says anything");
    assert_eq!(root(&[1, 2, 3]), "accepted");
    let gone = draft.clone().with([PathEvidence::Missing, PathEvidence::Missing]);
    assert_eq!(adopted(gone.commit()), "refused policy-missing");
    let malformed = draft.evidence(draft.raw().replace("author", "autor").into_bytes());
    assert_eq!(adopted(malformed), "refused malformed-commit");
    let orphan = Draft { parents: Vec::new(), ..draft.clone() };
    assert_eq!(adopted(orphan.commit()), "refused not-fast-forward");
}

#[test]
fn a_revoked_commit_is_not_adopted() {
    let world = World::new();
    let bad = unsigned(&world);
    let revoking = |version: u64| {
        let text = Law::version(version).yaml();
        let changed = text.replace("commits: []", &format!("commits: [\"{}\"]", bad.id));
        assert_ne!(text, changed);
        crate::sample::sign_policy(&changed, &[1, 2])
    };
    let line = adopts(&adoption(&world), &[&bad], &[1, 2]);
    let on = noted(&bad, &[line]);
    let later = Draft::on(&bad, BEGINNING + 2 * HOUR);
    assert_eq!(world.says(&[&on, &later.clone().commit()]), "accepted");
    let later = later.with(revoking(2)).commit();
    assert_eq!(world.says(&[&on, &later]), "refused revision-revoked");
    let before = Draft::on(&world.anchor, BEGINNING + HOUR).with(revoking(2)).commit();
    let bad = Draft { signer: None, ..Draft::on(&before, BEGINNING + 2 * HOUR) };
    let named = |it: &CommitEvidence| noted(it, &[adopts(&adoption(&world), &[it], &[1, 2])]);
    assert_eq!(world.says(&[&before, &named(&bad.commit())]), "accepted", "another one");
    // Its tree, under the parent's policy.
    let tree = crate::commit::Commit::parse(&on.raw, ObjectFormat::Sha1).unwrap().tree;
    let text = Law::version(2).yaml().replace("trees: []", &format!("trees: [\"{tree}\"]"));
    let law = crate::sample::sign_policy(&text, &[1, 2]);
    let before = Draft { message: "law".to_owned(), ..Draft::on(&world.anchor, BEGINNING + HOUR) };
    let before = before.with(law).commit();
    let bad = Draft { signer: None, ..Draft::on(&before, BEGINNING + 2 * HOUR) };
    let bad = Draft { message: "change".to_owned(), ..bad }.commit();
    assert_eq!(world.says(&[&before, &named(&bad)]), "refused unsigned");
}

#[test]
fn a_commit_by_a_key_that_was_revoked_since_can_be_adopted() {
    let world = World::new();
    let by_bob = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
    let mut law = Law::version(2);
    law.revoked = format!("[\"{}\"]", Signer::new(2).key().fingerprint());
    let next = Draft::on(&by_bob, BEGINNING + 2 * HOUR).with(law.signed()).commit();
    assert_eq!(world.says(&[&by_bob, &next]), "refused key-revoked");
    let by_bob = noted(&by_bob, &[adopts(&adoption(&world), &[&by_bob], &[1, 2])]);
    assert_eq!(world.says(&[&by_bob, &next]), "accepted");
    let adopted = &walked(&world, &[&by_bob, &next]).adopted[0];
    assert_eq!((adopted.code.as_str(), adopted.approvals_waived), ("key-revoked", None));
    // Where the policy asks for approvals, nobody gave any for this commit.
    let asking = "[alice, bob], approvals: {principals: 1, from: [carol]}";
    let law = Law { mergers: asking, ..law };
    let world =
        World::under(ObjectFormat::Sha1, Law { mergers: asking, ..Law::default() }.signed());
    let by_bob = Draft::on(&world.anchor, BEGINNING + HOUR).by(2).commit();
    let by_bob = noted(&by_bob, &[adopts(&adoption(&world), &[&by_bob], &[1, 2])]);
    let next = Draft::on(&by_bob, BEGINNING + 2 * HOUR).with(law.signed()).commit();
    assert_eq!(world.says(&[&by_bob, &next]), "pending approval-missing", "that of the next");
    let adopted = &walked(&world, &[&by_bob, &next]).adopted[0];
    assert_eq!((adopted.code.as_str(), adopted.approvals_waived), ("key-revoked", Some(1)));
}

#[test]
fn approvals_are_not_asked_of_what_is_adopted_and_gates_are() {
    let more = "gates: [{id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci]}]\n";
    let law = Law {
        mergers: "[alice, bob], approvals: {principals: 2, from: [alice, bob, carol]}",
        robots: vec![("ci", 7)],
        ..Law::default()
    };
    let world = World::under(ObjectFormat::Sha1, law.signed());
    let bad = unsigned(&world);
    let line = adopts(&adoption(&world), &[&bad], &[1, 2]);
    let on = noted(&bad, &[line]);
    assert_eq!(world.says(&[&on]), "accepted");
    let found = walked(&world, &[&on]);
    assert_eq!(found.adopted[0].approvals_waived, Some(2));
    let told = "came in by adoption, without the 2 approvals that a policy asks for: a web edit";
    assert!(found.warnings.iter().any(|it| it.contains(told)), "{:?}", found.warnings);
    let signed = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    assert_eq!(world.says(&[&signed]), "pending approval-missing");
    let gated = World::under(ObjectFormat::Sha1, Law { more, ..law }.signed());
    let bad = unsigned(&gated);
    let bad = noted(&bad, &[adopts(&adoption(&gated), &[&bad], &[1, 2])]);
    assert_eq!(gated.says(&[&bad]), "pending evidence-missing");
    let walked = walked(&gated, &[&bad]);
    assert_eq!((walked.adopted.len(), walked.came_by.len()), (1, 0));
    assert_eq!(walked.high_water.adopted, walked.adopted, "until something above it is deployed");
}

#[test]
fn attack_27_an_adoption_by_a_retired_root_counts_for_nothing_after_it() {
    let world = World::new();
    let file = roots_file(&[&root_line(&new_root(2, &[3, 4]), &[1, 2, 3, 4])]);
    let next = Draft::on(&world.anchor, BEGINNING + HOUR).rooted(&file).commit();
    let bad = Draft { signer: None, ..Draft::on(&next, BEGINNING + 2 * HOUR) }.commit();
    let says = |seeds: &[u8]| {
        let line = adopts(&adoption(&world), &[&bad], seeds);
        world.says(&[&next, &noted(&bad, &[line])])
    };
    assert_eq!(says(&[1, 2]), "refused unsigned");
    assert_eq!(says(&[3]), "accepted", "one of the two is enough there");
    // Below the rotation either root's word counts: the one in force then, and the newest.
    let bad = unsigned(&world);
    let next = Draft::on(&bad, BEGINNING + 2 * HOUR).rooted(&file).commit();
    for seeds in [&[1, 2][..], &[4]] {
        let line = adopts(&adoption(&world), &[&bad], seeds);
        assert_eq!(world.says(&[&noted(&bad, &[line]), &next]), "accepted", "{seeds:?}");
    }
}

#[test]
fn what_a_host_came_past_stays_when_the_adoption_ends() {
    let mut world = World::new();
    let bad = unsigned(&world);
    let bad = noted(&bad, &[adopts(&adoption(&world), &[&bad], &[1, 2])]);
    world.remember(&[&bad]);
    world.now += 40 * DAY;
    let Verdict::Accepted { walked, .. } = world.judge(&world.bundle_from(&bad, &[])) else {
        panic!("accepted");
    };
    assert_eq!((walked.high_water.came_by.len(), walked.came_by.len()), (1, 0), "told on");
    // A new trust file lets it walk from the anchor again.
    world.root_sha256 = Sha256::of(b"another trust file");
    let next = Draft::on(&bad, BEGINNING + 2 * HOUR).commit();
    assert_eq!(world.says(&[&bad, &next]), "accepted");
    let mut new = World::new();
    new.now = world.now;
    assert_eq!(new.says(&[&bad, &next]), "refused unsigned", "a new host did not");
}

#[test]
fn junk_beside_an_adoption_hides_it_not_and_makes_little_work() {
    let world = World::new();
    let bad = unsigned(&world);
    let good = adopts(&adoption(&world), &[&bad], &[1, 2]);
    let mut lines: Vec<Arc<[u8]>> = (0..400_u32)
        .map(|it| Arc::from(format!("{{\"payload\":\"{it}\"}}").into_bytes()))
        .collect();
    lines.push(good);
    assert_eq!(says(&world, &lines), "accepted");
}

#[test]
fn a_commit_that_nobody_will_approve_any_more_can_be_adopted() {
    let law = Law { mergers: "[alice], approvals: {principals: 1, from: [bob]}", ..Law::default() };
    let world = World::under(ObjectFormat::Sha1, law.signed());
    let alone = Draft::on(&world.anchor, BEGINNING + HOUR).commit();
    let by = |seeds: &[u8]| noted(&alone, &[adopts(&adoption(&world), &[&alone], seeds)]);
    assert_eq!(world.says(&[&alone]), "pending approval-missing");
    assert_eq!(world.says(&[&by(&[1])]), "pending approval-missing", "one root key of two");
    assert_eq!(world.says(&[&by(&[1, 2])]), "accepted");
    let walked = walked(&world, &[&by(&[1, 2])]);
    assert_eq!(walked.adopted[0].code, "approval-missing");
}
