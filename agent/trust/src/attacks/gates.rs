//! Attacks 18 to 22 and 24: statements that are about something else, by somebody else, bad or old.
//!
//! **Invariant:** each stands beside the honest statement, which opens the gate.

use std::slice;

use bowline_model::policy::Kind;
use serde_json::{Value, json};

use crate::gates::bench::{BRANCH, Bench, COMMIT, REPO, SCAI, SUMMARY, TESTS, TREE, VULNS};

const TEST_GATE: &str =
    "predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci]";
const COVERAGE_GATE: &str = "predicate: \"https://in-toto.io/attestation/scai/v0.3\", signers: [ci], \
    attribute: LINE_COVERAGE, field: percent, min: 80";
const SCAN_GATE: &str = "predicate: \"https://in-toto.io/attestation/vulns/v0.2\", signers: [scanner], \
    maxScore: 6.9, maxAge: 24h, maxDbAge: 48h";
const SUMMARY_GATE: &str = "predicate: \"https://slsa.dev/verification_summary/v1\", signers: [ci], \
    verifiers: [\"https://v.example\"], levels: [SLSA_SOURCE_LEVEL_3]";

fn passed() -> Value {
    json!({"result": "PASSED", "configuration": [], "passedTests": ["a"]})
}

fn scan(score: &str, finished: &str, updated: &str) -> Value {
    json!({
        "scanner": {"uri": "s", "db": {"lastUpdate": updated},
            "result": [{"id": "CVE-1", "severity": [{"method": "cvss_v3", "score": score}]}]},
        "metadata": {"scanStartedOn": finished, "scanFinishedOn": finished},
    })
}

#[test]
fn attack_18_a_statement_on_another_tree_or_under_a_wrong_name_opens_nothing() {
    let bench = Bench::new(TEST_GATE);
    assert_eq!(bench.says(TESTS, &passed()), "met");
    let other = "1111111111111111111111111111111111111111";
    for digest in [
        json!({"gitTree": other}),
        json!({"gitCommit": other}),
        json!({"gitTree": COMMIT}),
        json!({"gitCommit": TREE}),
        json!({"sha256": TREE}),
        json!({"sha256": COMMIT}),
        json!({"sha1": TREE}),
        json!({"gitTree": TREE.to_uppercase()}),
        json!({"gitTree": &TREE[..20]}),
        json!({"gitTree": format!("{TREE}{}", &TREE[..24])}),
    ] {
        let mut attested = bench.by_ci(TESTS, &passed());
        attested.statement.subjects.truncate(1);
        attested.statement.subjects[0].digest = serde_json::from_value(digest.clone()).unwrap();
        assert_eq!(bench.said(&[attested]), "evidence-missing", "{digest}");
    }
}

#[test]
fn attack_19_the_signer_of_one_gate_opens_no_other() {
    let (ci, scanner) = (("ci", Kind::Robot), ("scanner", Kind::Robot));
    let bench = Bench::new(TEST_GATE);
    assert_eq!(bench.said(&[bench.by(&[ci], TESTS, &passed())]), "met");
    assert_eq!(bench.said(&[bench.by(&[scanner], TESTS, &passed())]), "evidence-missing");
    let bench = Bench::new(SCAN_GATE);
    let clean = scan("5.0", "2026-11-10T12:00:00Z", "2026-11-10T00:00:00Z");
    assert_eq!(bench.said(&[bench.by(&[scanner], VULNS, &clean)]), "met");
    assert_eq!(bench.said(&[bench.by(&[ci], VULNS, &clean)]), "evidence-missing");
}

#[test]
fn attack_20_what_failed_is_missing_or_lies_below_the_limit_is_not_enough() {
    let bench = Bench::new(TEST_GATE);
    for (result, code) in [
        (json!("PASSED"), "met"),
        (json!("FAILED"), "evidence-failed"),
        (json!("WARNED"), "evidence-failed"),
        (json!("Passed"), "evidence-malformed"),
        (json!(null), "evidence-malformed"),
    ] {
        let mut predicate = passed();
        predicate["result"] = result;
        assert_eq!(bench.says(TESTS, &predicate), code, "{predicate}");
    }
    let without = json!({"result": "PASSED", "passedTests": ["a"]});
    assert_eq!(bench.says(TESTS, &without), "evidence-malformed");
    let bench = Bench::new(COVERAGE_GATE);
    for (percent, code) in [
        (json!(80), "met"),
        (json!(79.9), "evidence-below"),
        (json!("NaN"), "evidence-malformed"),
        (json!("80"), "evidence-malformed"),
        (json!(null), "evidence-malformed"),
    ] {
        let entry = json!({"attribute": "LINE_COVERAGE", "conditions": {"percent": percent}});
        assert_eq!(bench.says(SCAI, &json!({"attributes": [entry]})), code, "{percent}");
    }
}

#[test]
fn attack_21_a_finding_above_the_limit_or_of_unknown_severity_keeps_the_gate_closed() {
    let bench = Bench::new(SCAN_GATE);
    for (score, updated, code) in [
        ("6.9", "2026-11-10T00:00:00Z", "met"),
        ("7.0", "2026-11-10T00:00:00Z", "evidence-below"),
        ("unknown", "2026-11-10T00:00:00Z", "evidence-below"),
        ("", "2026-11-10T00:00:00Z", "evidence-below"),
        ("6.9", "2026-11-08T23:59:59Z", "evidence-stale"),
        ("6.9", "2026-11-12T00:00:00Z", "evidence-stale"),
    ] {
        let predicate = scan(score, "2026-11-10T12:00:00Z", updated);
        let attested = bench.by(&[("scanner", Kind::Robot)], VULNS, &predicate);
        assert_eq!(bench.said(&[attested]), code, "{score} {updated}");
    }
}

#[test]
fn attack_22_an_old_green_scan_is_not_enough_and_a_newer_red_one_stands_above_it() {
    let bench = Bench::new(SCAN_GATE);
    let scanned = |score: &str, finished: &str| {
        let predicate = scan(score, finished, "2026-11-10T00:00:00Z");
        bench.by(&[("scanner", Kind::Robot)], VULNS, &predicate)
    };
    let today = scanned("5.0", "2026-11-10T06:00:00Z");
    let before = scanned("5.0", "2026-11-09T06:00:00Z");
    let ahead = scanned("5.0", "2026-11-11T01:00:00Z");
    let red = scanned("9.8", "2026-11-10T07:00:00Z");
    assert_eq!(bench.said(slice::from_ref(&today)), "met");
    assert_eq!(bench.said(slice::from_ref(&before)), "evidence-stale");
    assert_eq!(bench.said(&[ahead]), "evidence-stale");
    assert_eq!(bench.said(&[before, red.clone()]), "evidence-below");
    assert_eq!(bench.said(&[today, red]), "evidence-below");
}

#[test]
fn attack_24_a_summary_of_another_verifier_resource_ref_or_level_opens_nothing() {
    let summary = |verifier: &str, resource: &str, level: &str, result: &str| {
        json!({"verifier": {"id": verifier}, "resourceUri": resource, "policy": {"uri": "p"},
            "timeVerified": "2026-11-10T12:00:00Z", "verificationResult": result,
            "verifiedLevels": [level]})
    };
    let (verifier, level) = ("https://v.example", "SLSA_SOURCE_LEVEL_3");
    let bench = Bench::new(SUMMARY_GATE);
    let said = |spelling: &str, branch: &str, predicate: &Value| {
        let mut attested = bench.by_ci(SUMMARY, predicate);
        for subject in &mut attested.statement.subjects {
            subject.annotations = json!({spelling: [branch]}).as_object().cloned();
        }
        bench.said(&[attested])
    };
    let honest = summary(verifier, REPO, level, "PASSED");
    for (spelling, branch, predicate, code) in [
        ("sourceRefs", BRANCH, honest.clone(), "met"),
        ("source_refs", BRANCH, honest.clone(), "met"),
        ("sourceRefs", "refs/heads/other", honest.clone(), "evidence-missing"),
        ("source_refs", "refs/heads/other", honest, "evidence-missing"),
        (
            "sourceRefs",
            BRANCH,
            summary("https://w.example", REPO, level, "PASSED"),
            "evidence-missing",
        ),
        (
            "sourceRefs",
            BRANCH,
            summary(verifier, "git+https://x", level, "PASSED"),
            "evidence-missing",
        ),
        (
            "sourceRefs",
            BRANCH,
            summary(verifier, REPO, "SLSA_SOURCE_LEVEL_2", "PASSED"),
            "evidence-below",
        ),
        ("sourceRefs", BRANCH, summary(verifier, REPO, level, "FAILED"), "evidence-failed"),
    ] {
        assert_eq!(said(spelling, branch, &predicate), code, "{predicate}");
    }
}
