//! `bowline attest provenance` and `summary`: who built what, and what somebody else made sure of.

use serde_json::json;

use crate::attest::{attest, fleet, statement};
use crate::sealed::Sealed;

const GATES: &str = "  - {id: built, predicate: https://slsa.dev/provenance/v1, signers: [ci], builders: [\"https://ci.example/1\"]}\n  \
     - {id: summed, predicate: https://slsa.dev/verification_summary/v1, signers: [ci], verifiers: [\"https://v.example\"], levels: [SLSA_SOURCE_LEVEL_2]}\n";

/// An id of the repository `fleet`, as git says it.
fn id(sealed: &Sealed, name: &str) -> String {
    sealed.git("fleet", &["rev-parse", name]).trim().to_owned()
}

#[test]
fn provenance_is_about_what_lies_there_and_the_commit_it_was_built_from() {
    let sealed = fleet(GATES);
    // Larger than what is read at once.
    sealed.write("app.tar", vec![b'x'; (4 << 20) + 1]);
    sealed.write("app.sig", "x");
    let built = |builder: &str, more: &[&str]| {
        let arguments =
            ["--builder", builder, "--build-type", "https://ci.example/make", "--out", "p"];
        attest(&sealed, "provenance", &[&arguments, more].concat())
    };
    let more = ["--parameter", "target=release", "--invocation", "7", "app.tar", "app.sig"];
    let said = built("https://ci.example/1", &more);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let found = statement(&sealed, "p");
    assert_eq!(found["predicateType"], "https://slsa.dev/provenance/v1");
    let digest = |file: &str| {
        let said = sealed.run(".", "sha256sum", &[file]);
        json!({"sha256": said.split_whitespace().next().unwrap()})
    };
    let subjects = found["subject"].as_array().unwrap();
    let named: Vec<_> = subjects.iter().map(|it| (&it["name"], &it["digest"])).collect();
    let (tar, sig) = (digest("app.tar"), digest("app.sig"));
    assert_eq!(named, [(&json!("app.tar"), &tar), (&json!("app.sig"), &sig)]);
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"], json!({"target": "release"}));
    let source = &definition["resolvedDependencies"][0];
    assert_eq!(source["digest"], json!({"gitCommit": id(&sealed, "HEAD")}));
    assert!(source["uri"].as_str().unwrap().starts_with("git+file://"), "{source}");
    let run = &found["predicate"]["runDetails"];
    assert_eq!(run["builder"], json!({"id": "https://ci.example/1"}));
    assert!(run["metadata"]["finishedOn"].is_string(), "{run}");
    for (builder, more, code, part) in [
        (
            "https://other",
            &more[..],
            1,
            "https://other is not among those of the gate (gate \"built\")",
        ),
        ("https://other", &["--any-gate", "app.sig"], 0, ""),
        ("https://ci.example/1", &["app.sig", "app.sig"], 2, "are the same artifact"),
        ("https://ci.example/1", &["none"], 2, "there is no artifact none"),
        ("https://ci.example/1", &["--parameter", "x", "app.sig"], 2, "write NAME=VALUE"),
    ] {
        let said = built(builder, more);
        assert!(said.code == code && said.stderr.contains(part), "{builder} {more:?}: {said:?}");
    }
}

#[test]
fn a_summary_names_repository_branch_and_policy() {
    let sealed = fleet(GATES);
    sealed.write("evidence", "{}\n");
    let summed = |verifier: &str, level: &str| {
        let arguments = ["--verifier", verifier, "--level", level, "--out", "s", "evidence"];
        attest(&sealed, "summary", &arguments)
    };
    let said = summed("https://v.example", "SLSA_SOURCE_LEVEL_2");
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let found = statement(&sealed, "s");
    assert_eq!(found["predicateType"], "https://slsa.dev/verification_summary/v1");
    let predicate = &found["predicate"];
    assert_eq!(predicate["verifier"], json!({"id": "https://v.example"}));
    assert_eq!(predicate["verificationResult"], "PASSED");
    assert_eq!(predicate["verifiedLevels"], json!(["SLSA_SOURCE_LEVEL_2"]));
    assert!(predicate["timeVerified"].is_string(), "{predicate}");
    let policy = sealed.run("fleet", "sha256sum", &[".bowline/policy.yaml"]);
    let digest = json!({"sha256": policy.split_whitespace().next().unwrap()});
    assert_eq!(predicate["policy"]["digest"], digest);
    assert_eq!(predicate["inputAttestations"][0]["uri"], "evidence");
    for (subject, digest) in found["subject"].as_array().unwrap().iter().zip([
        json!({"gitTree": id(&sealed, "HEAD^{tree}")}),
        json!({"gitCommit": id(&sealed, "HEAD")}),
    ]) {
        assert_eq!(subject["digest"], digest);
        assert_eq!(subject["annotations"]["sourceRefs"], json!(["refs/heads/main"]));
        assert_eq!(subject["annotations"]["repoUri"], predicate["resourceUri"]);
    }
    let said = summed("https://v.example", "SLSA_SOURCE_LEVEL_1");
    assert!(said.code == 1 && said.stderr.contains("SLSA_SOURCE_LEVEL_2 is not among"), "{said:?}");
    let said = summed("https://w.example", "SLSA_SOURCE_LEVEL_2");
    assert!(said.code == 1 && said.stderr.contains("https://w.example is not among"), "{said:?}");
}
