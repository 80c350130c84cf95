//! What `bowline attest` makes is what a host's gates ask for: both halves, by way of git's notes.

use crate::attest::{attest, fleet};
use crate::sealed::Sealed;

const GATES: &str = "  - {id: tests, predicate: https://in-toto.io/attestation/test-result/v0.1, signers: [ci], minPassed: 2, maxAge: 1h}\n  \
     - {id: coverage, predicate: https://in-toto.io/attestation/scai/v0.3, signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80, maxAge: 1h}\n  \
     - {id: lint, predicate: https://in-toto.io/attestation/scai/v0.3, signers: [ci], attribute: LINT_FINDINGS, field: count, max: 1}\n  \
     - {id: vulns, predicate: https://in-toto.io/attestation/vulns/v0.2, signers: [ci], maxScore: 6.9, maxAge: 24h, maxDbAge: 24h}\n  \
     - {id: source, predicate: https://slsa.dev/verification_summary/v1, signers: [ci], verifiers: [\"https://v.example\"], levels: [SLSA_SOURCE_LEVEL_2], maxAge: 1h}\n";

/// The code of the whole, and the code of each gate; `met` for one that is met.
fn verdict(sealed: &Sealed) -> (String, Vec<String>) {
    let said =
        sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"]);
    let report = said.json();
    let gates = report["gates"].as_array().unwrap().iter();
    let code = |it: &serde_json::Value| it["code"].as_str().unwrap_or("met").to_owned();
    (code(&report), gates.map(code).collect())
}

#[test]
fn a_host_accepts_what_every_kind_of_evidence_says() {
    let sealed = fleet(GATES);
    sealed.write("fleet/more", "x");
    sealed.merge("alice", "more");
    let now = sealed.run(".", "date", &["-u", "+%FT%TZ"]);
    let now = now.trim();
    sealed.write("x.sarif", r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"level":"note"}]}]}"#);
    sealed.write("osv.json", r#"{"results":[]}"#);
    let missing = || "evidence-missing".to_owned();
    assert_eq!(verdict(&sealed), (missing(), vec![missing(); 5]));
    for (kind, more) in [
        ("tests", &["junit.xml"][..]),
        ("coverage", &["lcov.info"]),
        ("lint", &["x.sarif", "--format", "bundle"]),
        ("vulns", &["osv.json", "--db-updated", now, "--scanned", now]),
        ("summary", &["--verifier", "https://v.example", "--level", "SLSA_SOURCE_LEVEL_2"]),
    ] {
        let said = attest(&sealed, kind, &[&["--note"], more].concat());
        assert_eq!(said.code, 0, "{kind}: {said:?}");
    }
    assert_eq!(verdict(&sealed), (String::new(), vec!["met".to_owned(); 5]));
    // The same tree in another commit: what was said of the tree still counts.
    sealed.merge("alice", "empty");
    assert_eq!(verdict(&sealed).1, vec!["met".to_owned(); 5]);
    sealed.write("fleet/more", "y");
    sealed.merge("alice", "another tree");
    assert_eq!(verdict(&sealed), (missing(), vec![missing(); 5]));
}
