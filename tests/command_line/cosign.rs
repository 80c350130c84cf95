//! cosign, a program of others: it verifies what `bowline attest` writes, and hosts count what it signs.

use std::process::Command;

use serde_json::json;

use crate::attest::{attest, fleet};
use crate::sealed::Sealed;

const KIND: &str = "https://in-toto.io/attestation/scai/v0.3";

/// Asked of `ci`, whose key is `ed.pem`, and of `scanner`, whose key is `ec.pem`.
const GATES: &str = "  - {id: coverage, predicate: https://in-toto.io/attestation/scai/v0.3, signers: [ci, scanner], \
                     attribute: LINE_COVERAGE, field: percent, min: 80}\n";

/// What it knows of Sigstore's own services: nothing. It would ask them otherwise.
const ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
pub(crate) const SIGNING: &str =
    r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#;

/// Where cosign 3 is. In CI it must be; elsewhere its absence is told.
pub(crate) fn cosign() -> Option<String> {
    let program = std::env::var("BOWLINE_COSIGN").unwrap_or("cosign".to_owned());
    let said = Command::new(&program).args(["attest-blob", "--help"]).output();
    // Version 2 cannot sign a whole statement.
    let here = said.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("--statement"));
    assert!(here || std::env::var_os("BOWLINE_CI").is_none(), "cosign 3 is missing");
    if !here {
        println!("left out: needs cosign 3 (Debian sid has it), named by BOWLINE_COSIGN");
    }
    here.then_some(program)
}

#[test]
fn cosign_verifies_the_bundles_that_attest_writes() {
    let Some(cosign) = cosign() else { return };
    let sealed = fleet(GATES);
    sealed.write("root.json", ROOT);
    for (key, other) in [("ed.pem", "ec.pem"), ("ec.pem", "ed.pem")] {
        let arguments = ["attest", "coverage", "--repo", "fleet", "--key", key, "--out", "b.json"];
        let more = ["--format", "bundle", "lcov.info"];
        let said = sealed.bowline(&[&arguments[..], &more].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let verify = |key: &str, ends: &str| {
            sealed.run(".", "openssl", &["pkey", "-in", key, "-pubout", "-out", "public.pem"]);
            let script = format!(
                "{cosign} verify-blob-attestation --key public.pem --bundle b.json --insecure-ignore-tlog \
                 --trusted-root root.json --check-claims=false --type {KIND} lcov.info 2>&1; test $? {ends} 0"
            );
            sealed.run(".", "sh", &["-c", &script])
        };
        let said = verify(key, "-eq");
        assert!(said.contains("Verified OK"), "{key}: {said}");
        let said = verify(other, "-ne");
        assert!(said.contains("failed to verify signature"), "{other}: {said}");
    }
}

/// Lets cosign sign a statement by `scanner` on an object, and notes it there.
fn sign(sealed: &Sealed, cosign: &str, (digest, name): (&str, &str)) {
    let object = sealed.git("fleet", &["rev-parse", name]).trim().to_owned();
    let conditions = json!({"percent": 90.5});
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {digest: object}}],
        "predicateType": KIND,
        "predicate": {"attributes": [{"attribute": "LINE_COVERAGE", "conditions": conditions}]},
    });
    sealed.write("statement.json", statement.to_string());
    sealed.write("signing.json", SIGNING);
    let script = format!(
        "export COSIGN_PASSWORD=; rm -f k.key k.pub; \
         {cosign} import-key-pair --key ec.pem --output-key-prefix k -y && \
         {cosign} attest-blob --key k.key --statement statement.json --signing-config signing.json \
         --bundle b.json -y"
    );
    sealed.run(".", "sh", &["-c", &script]);
    sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", "../b.json", &object]);
}

#[test]
fn a_host_counts_what_cosign_signed_beside_what_attest_did() {
    let Some(cosign) = cosign() else { return };
    for subject in [("gitTree", "HEAD^{tree}"), ("gitCommit", "HEAD")] {
        let sealed = fleet(&GATES.replace("min: 80", "min: 80, threshold: 2"));
        sealed.write("fleet/more", "x");
        sealed.merge("alice", "more");
        let code = || {
            let verify = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
            sealed.bowline(&verify).json()["code"].as_str().unwrap().to_owned()
        };
        assert_eq!(code(), "evidence-missing");
        sign(&sealed, &cosign, subject);
        assert_eq!(code(), "evidence-missing", "one of two");
        assert_eq!(attest(&sealed, "coverage", &["--note", "lcov.info"]).code, 0);
        assert_eq!(code(), "", "{subject:?}");
    }
}
