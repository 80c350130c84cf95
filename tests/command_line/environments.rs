//! Gates of single environments, and provenance of what manifests name, as `bowline verify` and `bowline gate` judge them.

use serde_json::{Value, json};

use crate::attest::{attest, fleet};
use crate::sealed::{Said, Sealed};

const GATES: &str = "  - {id: tests, predicate: https://in-toto.io/attestation/test-result/v0.1, signers: [ci], environments: [production]}\n  \
     - {id: built, predicate: https://slsa.dev/provenance/v1, signers: [ci, scanner], builders: [\"https://ci.example/1\"], environments: [staging, production]}\n";

/// An artifact of a file that lies beside the repository.
fn asks_for(sealed: &Sealed, name: &str) -> String {
    let said = sealed.run(".", "sha256sum", &[name]);
    let sha256 = said.split(' ').next().unwrap();
    format!(
        "apiVersion: bowline/v1\nkind: Artifact\nmetadata: {{name: {name}}}\n\
         spec: {{url: \"https://releases.example/{name}.tar.gz\", sha256: \"{sha256}\", \
         releasesDir: /opt/{name}/releases, link: /opt/{name}/current}}\n"
    )
}

/// A repository with two artifacts, for hosts of three environments.
fn found() -> Sealed {
    let sealed = fleet(GATES);
    for name in ["shop", "till"] {
        sealed.write(name, format!("what {name} is made of"));
        sealed.write(&format!("fleet/apps/{name}.yaml"), asks_for(&sealed, name));
    }
    sealed.merge("alice", "artifacts");
    sealed
}

fn verify(sealed: &Sealed, more: &[&str]) -> Said {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"];
    sealed.bowline(&[&arguments, more].concat())
}

/// What each gate says, by name.
fn said(report: &Value) -> String {
    let gates = report["gates"].as_array().unwrap().iter().map(|it| {
        let code = it["code"].as_str().unwrap_or("met");
        format!("{} {code}", it["id"].as_str().unwrap())
    });
    gates.collect::<Vec<_>>().join(", ")
}

/// The verdicts of `verify` and of `gate`, which agree.
#[track_caller]
fn judged(sealed: &Sealed, environment: Option<&str>) -> String {
    let more = environment.map(|it| vec!["--environment", it]).unwrap_or_default();
    let report = verify(sealed, &[&more[..], &["--json"]].concat()).json();
    let gate = sealed.bowline_in("fleet", &[&["gate", "--json"][..], &more].concat()).json();
    assert_eq!(said(&report), said(&gate));
    assert_eq!(report["verdict"], gate["verdict"]);
    format!("{}: {}", report["verdict"].as_str().unwrap(), said(&report))
}

fn built(sealed: &Sealed, builder: &str, more: &[&str]) -> Said {
    let arguments = ["--builder", builder, "--build-type", "https://ci.example/make", "--note"];
    attest(sealed, "provenance", &[&arguments, more].concat())
}

#[test]
fn each_environment_has_its_own_gates_and_every_artifact_its_builder() {
    let sealed = found();
    let missing = "tests evidence-missing, built evidence-missing";
    assert_eq!(judged(&sealed, None), format!("pending: {missing}"));
    assert_eq!(judged(&sealed, Some("production")), format!("pending: {missing}"));
    assert_eq!(judged(&sealed, Some("staging")), "pending: built evidence-missing");
    assert_eq!(judged(&sealed, Some("lab")), "accepted: ");
    // One of two is not enough, and neither is another's word on the second.
    assert_eq!(built(&sealed, "https://ci.example/1", &["shop"]).code, 0);
    assert_eq!(judged(&sealed, Some("staging")), "pending: built evidence-missing");
    let other = built(&sealed, "https://ci.example/2", &["--any-gate", "till"]);
    assert_eq!(other.code, 0, "{other:?}");
    assert_eq!(judged(&sealed, Some("staging")), "pending: built evidence-missing");
    assert_eq!(built(&sealed, "https://ci.example/1", &["till"]).code, 0);
    assert_eq!(judged(&sealed, Some("staging")), "accepted: built met");
    assert_eq!(judged(&sealed, Some("production")), "pending: tests evidence-missing, built met");
    assert_eq!(attest(&sealed, "tests", &["--note", "junit.xml"]).code, 0);
    assert_eq!(judged(&sealed, Some("production")), "accepted: tests met, built met");
    assert_eq!(judged(&sealed, None), "accepted: tests met, built met");
    // Another release of one of them is another artifact.
    sealed.write("till", "what till is made of now");
    sealed.write("fleet/apps/till.yaml", asks_for(&sealed, "till"));
    sealed.merge("alice", "a new release");
    assert_eq!(judged(&sealed, Some("staging")), "pending: built evidence-missing");
    assert_eq!(built(&sealed, "https://ci.example/1", &["shop", "till"]).code, 0);
    let report = verify(&sealed, &["--environment", "staging", "--json"]).json();
    assert_eq!(said(&report), "built met");
    assert_eq!(report["gates"][0]["measured"], "2 artifacts, each built by one of them");
}

#[test]
fn manifests_that_are_wrong_have_no_artifacts_and_an_unknown_environment_is_told() {
    let sealed = found();
    sealed.write("fleet/apps/broken.yaml", "kind: [\n");
    sealed.merge("alice", "broken");
    let said = verify(&sealed, &["--environment", "staging"]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("code        manifests-unreadable\n"), "{said:?}");
    assert!(said.stdout.contains("\nbuilt: apps/broken.yaml:"), "{said:?}");
    assert!(said.stderr.contains("bowline validate"), "{said:?}");
    let folder = verify(&sealed, &["--folder", "elsewhere", "--environment", "staging", "--json"]);
    let detail = &folder.json()["gates"][0]["detail"];
    assert_eq!(*detail, json!("there is no folder \"elsewhere\""));
    let warning = "no gate is for hosts of the environment \"stage\": only those for all hosts were asked for";
    let said = verify(&sealed, &["--environment", "stage", "--json"]);
    assert_eq!((said.code, &said.json()["warnings"][0]), (0, &json!(warning)));
    let said = sealed.bowline_in("fleet", &["gate", "--environment", "stage"]);
    assert!(
        said.code == 0 && said.stderr.starts_with(&format!("warning: {warning}\n")),
        "{said:?}"
    );
}

#[test]
fn cosigns_own_word_on_an_artifact_counts_as_attests_does() {
    let Some(cosign) = crate::cosign::cosign() else { return };
    let sealed = found();
    assert_eq!(built(&sealed, "https://ci.example/1", &["shop"]).code, 0);
    let predicate = json!({
        "buildDefinition": {"buildType": "https://ci.example/make", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://ci.example/1"}},
    });
    sealed.write("predicate.json", predicate.to_string());
    sealed.write("signing.json", crate::cosign::SIGNING);
    // It makes the statement itself, of the file: its subject is the file's digest.
    let script = format!(
        "export COSIGN_PASSWORD=; {cosign} import-key-pair --key ec.pem --output-key-prefix k -y && \
         {cosign} attest-blob --key k.key --predicate predicate.json --type slsaprovenance1 \
         --signing-config signing.json --bundle b.json -y till"
    );
    sealed.run(".", "sh", &["-c", &script]);
    assert_eq!(judged(&sealed, Some("staging")), "pending: built evidence-missing");
    let tree = sealed.git("fleet", &["rev-parse", "HEAD^{tree}"]);
    sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", "../b.json", tree.trim()]);
    assert_eq!(judged(&sealed, Some("staging")), "accepted: built met");
    let report = verify(&sealed, &["--environment", "staging", "--json"]).json();
    assert_eq!(report["gates"][0]["signers"], json!(["ci", "scanner"]));
}
