//! What statements are about, who may say so, and which of several counts.

use std::slice;

use bowline_model::policy::Kind;
use serde_json::{Value, json};

use super::bench::{BRANCH, Bench, COMMIT, REPO, TESTS, TREE};
use crate::attested::Attested;
use crate::verdict::Code;

const GATE: &str =
    "predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci, bob]";

fn passed() -> Value {
    json!({"result": "PASSED", "configuration": [], "passedTests": ["a"]})
}

fn failed() -> Value {
    json!({"result": "FAILED", "configuration": []})
}

/// A statement whose only subject is this.
fn about(bench: &Bench, name: Option<&str>, digest: &Value, annotations: &Value) -> Attested {
    let mut attested = bench.by_ci(TESTS, &passed());
    let subjects = &mut attested.statement.subjects;
    subjects.truncate(1);
    subjects[0].name = name.map(str::to_owned);
    subjects[0].digest = serde_json::from_value(digest.clone()).unwrap();
    subjects[0].annotations = annotations.as_object().cloned();
    attested
}

/// The statement with this time on its subjects.
fn dated(mut attested: Attested, time: &Value) -> Attested {
    for subject in &mut attested.statement.subjects {
        subject.annotations = json!({"timeCreated": time}).as_object().cloned();
    }
    attested
}

#[test]
fn a_subject_is_the_tree_or_the_commit_under_its_own_name() {
    let bench = Bench::new(GATE);
    let witness = |oid: &str| format!("https://witness.dev/attestations/git/v0.1/commithash:{oid}");
    for (name, digest, said) in [
        (None, json!({"gitTree": TREE}), "met"),
        (None, json!({"gitCommit": COMMIT}), "met"),
        (None, json!({"gitCommit": COMMIT, "gitTree": TREE, "dirHash": "x"}), "met"),
        (Some(witness(COMMIT)), json!({"sha1": COMMIT}), "met"),
        (Some(witness(TREE)), json!({"sha1": COMMIT}), "evidence-missing"),
        (None, json!({"sha1": COMMIT}), "evidence-missing"),
        (None, json!({"sha256": COMMIT}), "evidence-missing"),
        (None, json!({"sha256": TREE}), "evidence-missing"),
        (None, json!({"gitTree": COMMIT}), "evidence-missing"),
        (None, json!({"gitCommit": TREE}), "evidence-missing"),
        (None, json!({"gitBlob": TREE}), "evidence-missing"),
        (None, json!({"gitTree": TREE.to_uppercase()}), "evidence-missing"),
        (None, json!({"gitTree": &TREE[..39]}), "evidence-missing"),
        (None, json!({"gitTree": format!("{TREE}00")}), "evidence-missing"),
        (None, json!({"gitTree": format!("{TREE}{}", "0".repeat(24))}), "evidence-missing"),
        (None, json!({"gitTree": TREE, "gitCommit": TREE}), "evidence-missing"),
        (None, json!({}), "evidence-missing"),
    ] {
        let attested = about(&bench, name.as_deref(), &digest, &json!(null));
        assert_eq!(bench.said(&[attested]), said, "{name:?} {digest}");
    }
}

#[test]
fn ids_of_the_longer_format_match_at_their_own_length() {
    let mut bench = Bench::new(GATE);
    bench.tree = TREE.repeat(2)[..64].to_owned();
    bench.commit = COMMIT.repeat(2)[..64].to_owned();
    for (digest, said) in [
        (json!({"gitTree": bench.tree}), "met"),
        (json!({"gitTree": TREE}), "evidence-missing"),
        (json!({"sha256": bench.commit}), "evidence-missing"),
    ] {
        let attested = about(&bench, None, &digest, &json!(null));
        assert_eq!(bench.said(&[attested]), said, "{digest}");
    }
}

#[test]
fn the_right_subject_is_found_among_many() {
    let bench = Bench::new(GATE);
    let mut attested = about(&bench, None, &json!({"gitTree": TREE}), &json!(null));
    let other = about(&bench, None, &json!({"gitTree": COMMIT}), &json!(null));
    attested.statement.subjects.splice(0..0, other.statement.subjects);
    assert_eq!(bench.said(&[attested.clone()]), "met");
    attested.statement.subjects.clear();
    assert_eq!(bench.said(&[attested]), "evidence-missing");
}

#[test]
fn annotations_bind_a_statement_to_repository_and_branch() {
    let bench = Bench::new(GATE);
    for (annotations, said) in [
        (json!({"repoUri": REPO, "targetRef": BRANCH}), "met"),
        (json!({"repoUri": REPO}), "met"),
        (json!({}), "met"),
        (json!({"repoUri": "git+https://git.example/ops/flee"}), "evidence-missing"),
        (json!({"targetRef": "refs/heads/other"}), "evidence-missing"),
        (json!({"targetRef": "main"}), "evidence-missing"),
        (json!({"targetRef": null}), "evidence-missing"),
    ] {
        let attested = about(&bench, None, &json!({"gitTree": TREE}), &annotations);
        assert_eq!(bench.said(&[attested]), said, "{annotations}");
    }
}

#[test]
fn another_version_of_the_predicate_is_another_predicate() {
    let bench = Bench::new(GATE);
    let newer = bench.by_ci("https://in-toto.io/attestation/test-result/v0.2", &passed());
    let verdict = bench.judge(&[newer]);
    assert_eq!(verdict.detail, "no statement of this kind came with it");
}

#[test]
fn principals_are_counted_not_statements() {
    let bench = Bench::new(&format!("{GATE}, threshold: 2"));
    let (ci, bob) = (("ci", Kind::Robot), ("bob", Kind::Human));
    for (signers, said) in [
        (vec![vec![ci], vec![bob]], "met"),
        (vec![vec![ci, bob]], "met"),
        (vec![vec![ci], vec![ci]], "evidence-missing"),
        (vec![vec![ci, ci]], "evidence-missing"),
        (vec![vec![ci], vec![("carol", Kind::Human)]], "evidence-missing"),
        (vec![vec![ci], vec![]], "evidence-missing"),
        (vec![], "evidence-missing"),
    ] {
        let each = signers.iter().map(|it| bench.by(it, TESTS, &passed()));
        assert_eq!(bench.said(&each.collect::<Vec<_>>()), said, "{signers:?}");
    }
    let (good, bad) = (bench.by_ci(TESTS, &passed()), bench.by(&[bob], TESTS, &failed()));
    let verdict = bench.judge(&[good, bad]);
    assert_eq!(verdict.detail, "1 of 2 signers; the tests ended with FAILED");
    assert_eq!(verdict.signers, ["bob"]);
}

#[test]
fn of_what_one_signer_said_the_newest_counts() {
    let bench = Bench::new(GATE);
    let good = |time: &str| dated(bench.by_ci(TESTS, &passed()), &json!(time));
    let bad = |time: &str| dated(bench.by_ci(TESTS, &failed()), &json!(time));
    let (early, late) = ("2026-11-10T01:00:00Z", "2026-11-10T02:00:00Z");
    let future = "2026-11-11T00:10:01Z";
    let undated_bad = bench.by_ci(TESTS, &failed());
    let broken = bench.by_ci(TESTS, &json!({}));
    for (evidence, said) in [
        (vec![bad(early), good(late)], "met"),
        (vec![good(late), bad(early)], "met"),
        (vec![good(early), bad(late)], "evidence-failed"),
        (vec![bad(late), good(early)], "evidence-failed"),
        (vec![good(late), bad(late)], "evidence-failed"),
        (vec![bad(late), good(late)], "evidence-failed"),
        (vec![undated_bad.clone(), good(early)], "met"),
        (vec![undated_bad, bench.by_ci(TESTS, &passed())], "evidence-failed"),
        (vec![good(early), broken], "met"),
        (vec![good(early), bad(future)], "met"),
        (vec![good(future), bad(early)], "evidence-failed"),
        (vec![good(future)], "evidence-stale"),
    ] {
        assert_eq!(bench.said(&evidence), said, "{evidence:?}");
        let other = dated(bench.by(&[("bob", Kind::Human)], TESTS, &passed()), &json!(early));
        let both: Vec<_> = evidence.into_iter().chain([other]).collect();
        assert_eq!(bench.said(&both), "met", "another signer's good word opens the gate");
    }
}

#[test]
fn where_an_age_is_limited_a_statement_says_when() {
    let bench = Bench::new(&format!("{GATE}, maxAge: 72h"));
    let good = || bench.by_ci(TESTS, &passed());
    for (time, said) in [
        (json!("2026-11-08T00:00:00Z"), "met"),
        (json!("2026-11-08T02:00:00+02:00"), "met"),
        (json!("2026-11-07T23:59:59Z"), "evidence-stale"),
        (json!("2026-11-11T00:10:00Z"), "met"),
        (json!("2026-11-11T00:10:01Z"), "evidence-stale"),
        (json!("today"), "evidence-malformed"),
        (json!(1_793_491_200), "evidence-malformed"),
    ] {
        assert_eq!(bench.said(&[dated(good(), &time)]), said, "{time}");
    }
    let verdict = bench.judge(&[good()]);
    assert_eq!(verdict.code.map(Code::as_str), Some("evidence-stale"));
    assert_eq!(verdict.detail, "the statement does not say when, and may be 3d old at most");
    let mut uneven = dated(good(), &json!("2026-11-10T00:00:00Z"));
    uneven.statement.subjects[1].annotations =
        json!({"timeCreated": "2026-11-01T00:00:00Z"}).as_object().cloned();
    assert_eq!(bench.said(&[uneven]), "evidence-stale", "the oldest of two times counts");
}

#[test]
fn a_closed_gate_is_explained_by_what_came_nearest() {
    let bench = Bench::new(&format!("{GATE}, minPassed: 2"));
    let elsewhere = about(&bench, None, &json!({"gitTree": COMMIT}), &json!(null));
    let stranger = bench.by(&[("carol", Kind::Human)], TESTS, &passed());
    let unknown = bench.by(&[], TESTS, &passed());
    let broken = bench.by_ci(TESTS, &json!({}));
    let no = bench.by_ci(TESTS, &failed());
    let few = bench.by(&[("bob", Kind::Human)], TESTS, &passed());
    for (evidence, detail) in [
        (vec![], "no statement of this kind came with it"),
        (vec![&elsewhere], "the statements of this kind are about other trees and commits"),
        (vec![&elsewhere, &unknown], "nobody whom the policy knows signed it; ci, bob may"),
        (vec![&stranger, &elsewhere], "signed by carol, and only ci, bob may"),
        (vec![&stranger, &broken], "result is missing"),
        (vec![&no, &broken], "the tests ended with FAILED"),
        (vec![&no, &few, &stranger], "1 tests passed, fewer than 2"),
    ] {
        let evidence: Vec<_> = evidence.into_iter().cloned().collect();
        assert_eq!(bench.judge(&evidence).detail, detail);
    }
}

#[test]
fn a_verdict_names_what_it_rests_on() {
    let bench = Bench::new(&format!("{GATE}, minPassed: 1, maxAge: 72h"));
    let attested = dated(bench.by_ci(TESTS, &passed()), &json!("2026-11-10T00:00:00Z"));
    let verdict = serde_json::to_value(bench.judge(slice::from_ref(&attested))).unwrap();
    let expected = json!({
        "id": "it", "predicate": TESTS, "met": true, "code": null,
        "measured": "PASSED, 1 passed", "limit": "PASSED, 1 passed at least, 3d old at most",
        "signers": ["ci"], "at": "2026-11-10T00:00:00Z", "detail": "",
        "evidence": [attested.sha256.to_string()],
    });
    assert_eq!(verdict, expected);
}
