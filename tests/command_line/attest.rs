//! `bowline attest`: evidence that public tools verify, and none where a gate would say no.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::sealed::{Said, Sealed};

const TESTS: &str = r#"<testsuites><testsuite name="s" tests="3" failures="0">
<testcase classname="s" name="one"/><testcase classname="s" name="two"/>
<testcase classname="s" name="later"><skipped/></testcase></testsuite></testsuites>"#;

/// 79.996 per cent: no rounding makes it 80.
const COBERTURA: &str = r#"<coverage lines-valid="100000" lines-covered="79996" line-rate="0.8"/>"#;

const LCOV: &str = "SF:a\nDA:1,1\nDA:2,1\nDA:3,1\nDA:4,1\nDA:5,0\nend_of_record\n";

/// A repository `fleet` with a policy whose gates count the keys `ed.pem` and `ec.pem`.
pub(crate) fn fleet(gates: &str) -> Sealed {
    let sealed = Sealed::found(&["alice"]);
    sealed.run(".", "openssl", &["genpkey", "-algorithm", "ed25519", "-out", "ed.pem"]);
    let curve = "ec_paramgen_curve:P-256";
    let p256 = ["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "ec.pem"];
    sealed.run(".", "openssl", &p256);
    let mut policy = sealed.read("fleet/.bowline/policy.yaml");
    let mut principals = String::from("principals:\n");
    for (name, key) in [("ci", "ed.pem"), ("scanner", "ec.pem")] {
        let pem = sealed.run(".", "openssl", &["pkey", "-in", key, "-pubout", "-out", "-"]);
        let pem = pem.replace('\n', "\\n");
        let keys = format!("[{{type: spki, key: \"{pem}\"}}]");
        principals += &format!("  {name}: {{kind: robot, keys: {keys}}}\n");
    }
    policy = policy.replace("version: 1\n", "version: 2\n").replace("principals:\n", &principals);
    assert!(policy.contains("\ngates: []\n"), "{policy}");
    let gates = format!("\ngates:\n{gates}");
    sealed.write("fleet/.bowline/policy.yaml", policy.replace("\ngates: []\n", &gates));
    let said = sealed.bowline_in("fleet", &["trust", "sign-policy", "--key", "../alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "gates");
    sealed.write("junit.xml", TESTS);
    sealed.write("cobertura.xml", COBERTURA);
    sealed.write("lcov.info", LCOV);
    sealed
}

pub(crate) const GATES: &str = "  - {id: tests, predicate: https://in-toto.io/attestation/test-result/v0.1, signers: [ci], minPassed: 2}\n  \
     - {id: coverage, predicate: https://in-toto.io/attestation/scai/v0.3, signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80}\n";

/// `bowline attest KIND --repo fleet --key ed.pem MORE…`
pub(crate) fn attest(sealed: &Sealed, kind: &str, more: &[&str]) -> Said {
    let arguments = ["attest", kind, "--repo", "fleet", "--key", "ed.pem"];
    sealed.bowline(&[&arguments, more].concat())
}

/// An envelope's payload type and payload.
fn opened(envelope: &Value) -> (String, Vec<u8>) {
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    (envelope["payloadType"].as_str().unwrap().to_owned(), payload)
}

pub(crate) fn statement(sealed: &Sealed, file: &str) -> Value {
    let envelope: Value = serde_json::from_str(&sealed.read(file)).unwrap();
    serde_json::from_slice(&opened(&envelope).1).unwrap()
}

/// Lets `openssl` verify an envelope's only signature, over the encoding that DSSE demands.
fn verify_by_openssl(sealed: &Sealed, envelope: &Value, key: &str) {
    let (kind, payload) = opened(envelope);
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    sealed.write("message", message);
    let [signature] = &envelope["signatures"].as_array().unwrap()[..] else { panic!("{envelope}") };
    sealed.write("signature", STANDARD.decode(signature["sig"].as_str().unwrap()).unwrap());
    sealed.run(".", "openssl", &["pkey", "-in", key, "-pubout", "-out", "public.pem"]);
    let given = ["-pubin", "-inkey", "public.pem", "-sigfile", "signature", "-in", "message"];
    let how: &[&str] = if key == "ed.pem" { &["-rawin"] } else { &["-rawin", "-digest", "sha256"] };
    let said = sealed.run(".", "openssl", &[&["pkeyutl", "-verify"], &given[..], how].concat());
    assert!(said.contains("Verified Successfully"), "{said}");
}

#[test]
fn tests_that_passed_are_signed_for_the_commit_and_its_tree() {
    let sealed = fleet(GATES);
    let said = attest(&sealed, "tests", &["--out", "t.json", "junit.xml"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let shown: Vec<_> = said.stdout.lines().filter(|it| !it.starts_with("key")).collect();
    assert_eq!(
        shown,
        [
            "gate      tests",
            "measured  2 passed, 0 failed, 1 skipped, 0 flaky",
            "limit     PASSED, at least 2 passed",
            "commit    OID",
            "tree      OID",
            "evidence  t.json",
        ]
    );
    let found = statement(&sealed, "t.json");
    assert_eq!(found["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(found["predicateType"], "https://in-toto.io/attestation/test-result/v0.1");
    let predicate = &found["predicate"];
    assert_eq!(predicate["result"], "PASSED");
    assert_eq!(predicate["passedTests"], serde_json::json!(["s::one", "s::two"]));
    assert_eq!(predicate["failedTests"], serde_json::json!([]));
    assert_eq!(predicate["configuration"][0]["name"], "junit.xml");
    let id = |name: &str| sealed.git("fleet", &["rev-parse", name]).trim().to_owned();
    let [tree, commit] = &found["subject"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!(tree["digest"], serde_json::json!({"gitTree": id("HEAD^{tree}")}));
    assert_eq!(tree["name"], "refs/heads/main");
    assert_eq!(commit["digest"], serde_json::json!({"gitCommit": id("HEAD")}));
    for subject in [tree, commit] {
        let beside = &subject["annotations"];
        assert_eq!(beside["targetRef"], "refs/heads/main");
        assert!(beside["repoUri"].as_str().unwrap().starts_with("git+file://"), "{beside}");
        assert!(beside["timeCreated"].as_str().unwrap().ends_with('Z'), "{beside}");
        assert_eq!((&beside["passed"], &beside["skipped"]), (&2.into(), &1.into()));
    }
}

#[test]
fn both_kinds_of_keys_sign_what_openssl_verifies() {
    let sealed = fleet(GATES);
    let public = |key: &str| {
        let der = ["pkey", "-in", key, "-pubout", "-outform", "DER", "-out", "spki"];
        sealed.run(".", "openssl", &der);
        let digest = sealed.run(".", "sh", &["-c", "openssl dgst -sha256 -binary spki | base64"]);
        digest.trim().to_owned()
    };
    for key in ["ed.pem", "ec.pem"] {
        let more = ["--min", "10", "--out", "c.json", "lcov.info"];
        let arguments = ["attest", "coverage", "--repo", "fleet", "--key", key];
        let said = sealed.bowline(&[&arguments, &more[..]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let envelope: Value = serde_json::from_str(&sealed.read("c.json")).unwrap();
        verify_by_openssl(&sealed, &envelope, key);
        let id = format!("SHA256:{}", public(key).trim_end_matches('='));
        assert_eq!(envelope["signatures"][0]["keyid"], id);
        let said = sealed.bowline(&[&arguments, &more[..], &["--format", "bundle"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let bundle: Value = serde_json::from_str(&sealed.read("c.json")).unwrap();
        assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        assert_eq!(bundle["verificationMaterial"]["publicKey"]["hint"], public(key));
        verify_by_openssl(&sealed, &bundle["dsseEnvelope"], key);
    }
}

#[test]
fn what_falls_short_of_its_gate_is_told_and_not_signed() {
    let sealed = fleet(GATES);
    let hint = "nothing is signed\n";
    let said = attest(&sealed, "coverage", &["--out", "c.json", "cobertura.xml"]);
    let why = "error: LINE_COVERAGE is 79.99 % (79996 of 100000), asked for is percent at least 80 \
               (gate \"coverage\"): ";
    said.is(1, "", &format!("{why}{hint}"));
    sealed.write("bad.xml", TESTS.replace("name=\"two\"/>", "name=\"two\"><error/></testcase>"));
    let said = attest(&sealed, "tests", &["--out", "c.json", "bad.xml"]);
    let why =
        "failed: s::two\nerror: 1 test failed; 1 tests passed, at least 2 must (gate \"tests\"): ";
    said.is(1, "", &format!("{why}{hint}"));
    let said = attest(&sealed, "tests", &["--min-passed", "3", "--out", "c.json", "junit.xml"]);
    said.is(1, "", &format!("error: 2 tests passed, at least 3 must: {hint}"));
    let said = attest(&sealed, "coverage", &["--json", "--out", "c.json", "cobertura.xml"]);
    assert_eq!(said.code, 1);
    assert_eq!((&said.json()["met"], &said.json()["sha256"]), (&false.into(), &Value::Null));
    assert!(!sealed.path("c.json").exists());
}

#[test]
fn coverage_that_meets_its_gate_says_the_share_and_the_counts() {
    let sealed = fleet(GATES);
    let said = attest(&sealed, "coverage", &["--json", "--out", "c.json", "lcov.info"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let report = said.json();
    assert_eq!((&report["met"], &report["gate"]), (&true.into(), &"coverage".into()));
    assert_eq!(report["measured"], "80.00 % (4 of 5)");
    let found = statement(&sealed, "c.json");
    assert_eq!(found["predicateType"], "https://in-toto.io/attestation/scai/v0.3");
    let conditions = serde_json::json!({"percent": 80.0, "covered": 4, "total": 5});
    let attribute = serde_json::json!({"attribute": "LINE_COVERAGE", "conditions": conditions});
    assert_eq!(found["predicate"], serde_json::json!({"attributes": [attribute]}));
    let said = attest(&sealed, "coverage", &["--out", "-", "lcov.info"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let payload = said.json()["payload"].as_str().unwrap().to_owned();
    assert!(STANDARD.decode(payload).is_ok(), "{said:?}");
}

#[test]
fn a_gate_is_chosen_by_the_key_and_doubt_is_a_mistake() {
    let twice =
        GATES.to_owned() + &GATES.replace("id: ", "id: more-").replace("[ci]", "[ci, scanner]");
    let sealed = fleet(&twice);
    let coverage = |more: &[&str]| attest(&sealed, "coverage", &[more, &["lcov.info"]].concat());
    let limits = "name a gate with --gate, or set limits yourself: --min PERCENT";
    let said = coverage(&["--out", "c"]);
    let why = "error: several gates fit: coverage, more-coverage\n";
    said.is(2, "", &format!("{why}hint: {limits}\n"));
    for (gate, code, part) in [
        ("coverage", 0, ""),
        ("more-coverage", 0, ""),
        ("tests", 2, "gate \"tests\" asks for another kind of evidence"),
        ("none", 2, "the policy has no gate \"none\""),
    ] {
        let said = coverage(&["--gate", gate, "--out", "c"]);
        assert!(said.code == code && said.stderr.contains(part), "{gate}: {said:?}");
    }
    let by = |more: &[&str]| {
        let arguments = ["attest", "coverage", "--repo", "fleet", "--out", "c", "--key", "ec.pem"];
        sealed.bowline(&[&arguments, more, &["lcov.info"]].concat())
    };
    assert!(by(&[]).stdout.starts_with("gate      more-coverage\n"));
    let said = by(&["--gate", "coverage"]);
    assert!(said.code == 2 && said.stderr.contains("no signer of gate \"coverage\""), "{said:?}");
    assert_eq!(by(&["--gate", "coverage", "--min", "1"]).code, 2);
}

#[test]
fn a_key_that_counts_no_more_has_no_gate() {
    let sealed = fleet(GATES);
    let policy = sealed.read("fleet/.bowline/policy.yaml");
    let said = attest(&sealed, "tests", &["--json", "--out", "t.json", "junit.xml"]);
    assert_eq!(said.code, 0, "{said:?}");
    let envelope: Value = serde_json::from_str(&sealed.read("t.json")).unwrap();
    let id = envelope["signatures"][0]["keyid"].as_str().unwrap();
    let revoked = policy.replace("revoked: {keys: []", &format!("revoked: {{keys: [\"{id}\"]"));
    let expired = policy.replace("{type: spki,", "{type: spki, notAfter: 2020-01-01T00:00:00Z,");
    for changed in [revoked, expired] {
        assert_ne!(changed, policy);
        sealed.write("policy.yaml", changed);
        let more = ["--policy", "policy.yaml", "--out", "c.json", "junit.xml"];
        let said = attest(&sealed, "tests", &more);
        let why = "the policy has no gate of this kind for the key";
        assert!(said.code == 2 && said.stderr.contains(why), "{said:?}");
    }
    assert_eq!(attest(&sealed, "tests", &["--json", "--out", "-", "junit.xml"]).code, 2);
    assert!(!sealed.path("c.json").exists());
}

#[test]
fn evidence_that_no_host_would_read_for_its_size_is_not_made() {
    let sealed = fleet(GATES);
    let report = |count: usize, long: &str| {
        let cases: String =
            (0..count).map(|it| format!("<testcase name='{long}{it}'/>\n")).collect();
        sealed.write("many.xml", format!("<testsuite>{cases}</testsuite>"));
        attest(&sealed, "tests", &["--out", "t.json", "many.xml"])
    };
    let said = report(20_001, "t");
    assert!(said.code == 1 && said.stderr.contains("names at most 20000"), "{said:?}");
    let said = report(8_000, &"t".repeat(100));
    assert!(said.code == 1 && said.stderr.contains("hosts read 1 MiB"), "{said:?}");
    assert!(said.stderr.contains("hint: attest parts apart"), "{said:?}");
    assert!(!sealed.path("t.json").exists());
    assert_eq!(report(8_000, "t").code, 0);
}

#[test]
fn reports_and_keys_that_cannot_be_used_are_named() {
    let sealed = fleet(GATES);
    sealed.write("cut.xml", "<testsuites>\n<testsuite>\n");
    sealed.write("same.xml", TESTS);
    let encrypt = ["pkey", "-in", "ed.pem", "-aes256", "-passout", "pass:x", "-out", "locked.pem"];
    sealed.run(".", "openssl", &encrypt);
    for (report, part) in [
        (&["cut.xml"][..], "the report cut.xml cannot be used\ncaused by: line 3: the text ends"),
        (&["none.xml"], "there is no report none.xml"),
        (&["junit.xml", "same.xml"], "junit.xml and same.xml are the same report"),
        (&["lcov.info"], "the report lcov.info cannot be used"),
    ] {
        let said = attest(&sealed, "tests", &[&["--out", "c"], report].concat());
        assert!(said.code == 2 && said.stderr.contains(part), "{report:?}: {said:?}");
    }
    for (key, part) in [
        ("locked.pem", "protected by a passphrase"),
        ("alice", "\"OPENSSH PRIVATE KEY\""),
        ("none.pem", "there is no key file none.pem"),
    ] {
        let arguments = ["attest", "tests", "--repo", "fleet", "--out", "c", "--key", key];
        let said = sealed.bowline(&[&arguments, &["junit.xml"][..]].concat());
        assert!(said.code == 2 && said.stderr.contains(part), "{key}: {said:?}");
    }
    assert!(!sealed.path("c").exists());
}

#[test]
fn findings_of_linters_are_held_against_a_most() {
    let sealed = fleet(GATES);
    let log = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"level":"error"},{"level":"note"}]}]}"#;
    sealed.write("x.sarif", log);
    let lint = |more: &[&str]| {
        attest(&sealed, "lint", &[&["--out", "l.json"], more, &["x.sarif"]].concat())
    };
    let said = lint(&["--max", "0"]);
    assert!(
        said.code == 1
            && said.stderr.contains("LINT_FINDINGS is 1, asked for is errorsAndWarnings at most 0"),
        "{said:?}"
    );
    assert_eq!(lint(&[]).code, 2);
    assert_eq!(lint(&["--max", "1", "--mildest", "notes"]).code, 1);
    assert_eq!(lint(&["--max", "1"]).code, 0);
    let found = statement(&sealed, "l.json");
    let attribute = &found["predicate"]["attributes"][0];
    assert_eq!(attribute["attribute"], "LINT_FINDINGS");
    let counts = serde_json::json!({"errors": 1, "errorsAndWarnings": 1, "count": 2, "warnings": 0, "notes": 1, "suppressed": 0});
    assert_eq!(attribute["conditions"], counts);
    let gate = "  - {id: lint, predicate: https://in-toto.io/attestation/scai/v0.3, signers: [ci], attribute: LINT_FINDINGS, field: errors, max: 0}\n";
    let policy =
        sealed.read("fleet/.bowline/policy.yaml").replace(GATES, &format!("{GATES}{gate}"));
    sealed.write("policy.yaml", policy);
    let said = lint(&["--policy", "policy.yaml"]);
    let why = "error: LINT_FINDINGS is 1, asked for is errors at most 0 (gate \"lint\"): ";
    said.is(1, "", &format!("{why}nothing is signed\n"));
}
