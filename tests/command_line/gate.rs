//! Gates as `bowline verify` and `bowline gate` show them, with statements that git's own notes carry.

use bowline_api::record::Kind;
use bowline_host::record;
use bowline_model::envelope::EnvelopeSignature;
use bowline_trust::{attested, dsse};
use serde_json::{Value, json};

use crate::sealed::{Said, Sealed};

const POLICY: &str = "fleet/.bowline/policy.yaml";

const COVERAGE: &str = "https://in-toto.io/attestation/scai/v0.3";

/// A repository whose policy asks for coverage, measured by the robot `ci`.
fn found() -> Sealed {
    let sealed = Sealed::found(&["alice"]);
    sealed.key("ci");
    let key = sealed.read("ci.pub");
    let key = key.rsplit_once(' ').unwrap().0;
    let robot =
        format!("principals:\n  ci: {{kind: robot, keys: [{{type: ssh, key: \"{key}\"}}]}}\n");
    let gate = format!(
        "gates:\n  - {{id: coverage, predicate: \"{COVERAGE}\", signers: [ci], \
         attribute: LINE_COVERAGE, field: percent, min: 80}}\n"
    );
    let policy = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    let policy = policy.replace("principals:\n", &robot).replace("gates: []\n", &gate);
    sealed.write(POLICY, policy);
    let said = sealed.bowline_in("fleet", &["trust", "sign-policy", "--key", "../alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "gates");
    sealed
}

/// The id of a revision's commit or tree.
fn id(sealed: &Sealed, name: &str) -> String {
    sealed.git("fleet", &["rev-parse", name]).trim().to_owned()
}

/// Notes that `signer` measured this coverage, on the object that `digest` and `name` say.
fn attest(sealed: &Sealed, signer: &str, (digest, name): (&str, &str), percent: &Value) {
    let object = id(sealed, name);
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {digest: object}, "annotations": {"timeCreated": "2020-01-01T00:00:00Z"}}],
        "predicateType": COVERAGE,
        "predicate": {"attributes": [{"attribute": "LINE_COVERAGE", "conditions": {"percent": percent}}]},
    });
    let mut envelope = attested::unsigned(statement.to_string().as_bytes());
    sealed.write("pae", envelope.pae());
    drop(std::fs::remove_file(sealed.path("pae.sig")));
    let namespace = bowline_trust::APPROVAL_NAMESPACE;
    sealed.run(".", "ssh-keygen", &["-q", "-Y", "sign", "-f", signer, "-n", namespace, "pae"]);
    let sig = sealed.read("pae.sig").into_bytes();
    envelope.signatures.push(EnvelopeSignature { key_id: None, sig });
    sealed.write("line", dsse::write(&envelope));
    sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", "../line", &object]);
}

fn verify(sealed: &Sealed, more: &[&str]) -> Said {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"];
    sealed.bowline(&[&arguments, more].concat())
}

#[test]
fn a_merge_waits_for_its_coverage_and_is_told_the_number() {
    let sealed = found();
    let limit = "LINE_COVERAGE percent 80 at least";
    let stdout = format!(
        "verdict     pending\ncode        evidence-missing\n\
         detail      gate \"coverage\": no statement of this kind came with it\n\
         revision    main@sha1:OID\ndeployable  main@sha1:OID\n\n\
         gate      says              measured  limit                              signed by  at\n\
         coverage  evidence-missing  -         {limit}  -          -\n\
         coverage: no statement of this kind came with it\n"
    );
    let hint = "hint: let CI attest the merged tree with the gate's key: bowline attest KIND --key FILE --push REMOTE REPORT\n";
    verify(&sealed, &[]).is(1, &stdout, hint);

    attest(&sealed, "ci", ("gitTree", "HEAD^{tree}"), &json!(79.9));
    let stdout = format!(
        "verdict     pending\ncode        evidence-below\n\
         detail      gate \"coverage\": 79.9 is below 80\n\
         revision    main@sha1:OID\ndeployable  main@sha1:OID\n\n\
         gate      says            measured                    limit                              signed by  at\n\
         coverage  evidence-below  LINE_COVERAGE percent 79.9  {limit}  ci         2020-01-01T00:00:00Z\n\
         coverage: 79.9 is below 80\n"
    );
    let hint = "hint: mend what is below the limit and merge it, or change the limit by a root-signed policy\n";
    verify(&sealed, &[]).is(1, &stdout, hint);

    // A merge on top has its own tree, and what is said of that one counts.
    sealed.write("fleet/more", "covered");
    sealed.merge("alice", "more");
    attest(&sealed, "alice", ("gitTree", "HEAD^{tree}"), &json!(99));
    assert_eq!(verify(&sealed, &["--json"]).json()["code"], "evidence-missing", "not her gate");
    attest(&sealed, "ci", ("gitCommit", "HEAD"), &json!(87.4));
    let stdout = format!(
        "verdict     accepted\nrevision    main@sha1:OID\ndeployable  main@sha1:OID\n\n\
         gate      says  measured                    limit                              signed by  at\n\
         coverage  met   LINE_COVERAGE percent 87.4  {limit}  ci         2020-01-01T00:00:00Z\n"
    );
    verify(&sealed, &[]).is(0, &stdout, "");
    let expected = json!([{
        "id": "coverage", "predicate": COVERAGE, "met": true, "code": null,
        "measured": "LINE_COVERAGE percent 87.4", "limit": limit, "signers": ["ci"],
        "at": "2020-01-01T00:00:00Z", "detail": "", "evidence": ["SHA256"],
    }]);
    assert_eq!(verify(&sealed, &["--json"]).json()["gates"], expected);
}

/// A host that the repository names, and a file for it that holds this.
fn asks_for(sealed: &Sealed, content: &str) {
    let key = sealed.run(".", "ssh-keygen", &["-lf", "fleet.host.key.pub"]);
    let key = key.split(' ').nth(1).unwrap();
    let host = format!(
        "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: web-1}}\n\
         spec: {{keyFingerprint: \"{key}\", environment: production}}\n"
    );
    sealed.write("fleet/hosts/web-1.yaml", host);
    let file = format!(
        "apiVersion: bowline/v1\nkind: File\nmetadata: {{name: covered}}\n\
         spec: {{path: /covered, content: \"{content}\"}}\n"
    );
    sealed.write("fleet/apps/covered.yaml", file);
    sealed.merge("alice", content);
}

#[test]
fn a_host_deploys_what_met_its_gates_however_late_and_records_what_they_said() {
    let sealed = found();
    std::fs::create_dir(sealed.path("root")).unwrap();
    assert_eq!(sealed.once(&[]).code, 1, "its gates are not met");
    asks_for(&sealed, "older");
    let older = id(&sealed, "HEAD");
    asks_for(&sealed, "newer");
    let cycle = || serde_json::from_str::<Value>(&sealed.once_raw(&["--json"])).unwrap();
    let waits = cycle();
    assert_eq!(
        (&waits["outcome"], &waits["code"]),
        (&json!("pending"), &json!("evidence-missing"))
    );
    assert!(!sealed.path("root/covered").exists());

    // What is said of the older one comes after both were verified, and lets it in.
    attest(&sealed, "ci", ("gitCommit", &older), &json!(87.4));
    attest(&sealed, "ci", ("gitTree", "HEAD^{tree}"), &json!(79.9));
    let waits = cycle();
    assert_eq!((&waits["outcome"], &waits["code"]), (&json!("pending"), &json!("evidence-below")));
    assert_eq!(waits["gates"][0]["measured"], "LINE_COVERAGE percent 79.9", "{waits}");
    assert_eq!(sealed.read("root/covered"), "older");
    let records = record::newest(&sealed.path("fleet.state/records"), 10).unwrap();
    let deployed = records.iter().find(|it| it.kind == Kind::Deployment).unwrap();
    assert_eq!(deployed.revision, Some(format!("main@sha1:{older}")));
    assert_eq!(deployed.gates[0]["measured"], "LINE_COVERAGE percent 87.4", "{deployed:?}");
    assert_eq!(json!(deployed.evidence), deployed.gates[0]["evidence"]);
    let refused = records.iter().find(|it| it.kind == Kind::Alarm).unwrap();
    assert_eq!((&refused.gates[0]["met"], refused.evidence.len()), (&json!(false), 0));
}

#[test]
fn what_gates_said_is_recorded_by_the_process_that_deploys_and_not_only_by_the_one_that_judged() {
    let sealed = found();
    std::fs::create_dir_all(sealed.path("root/covered/in-the-way")).unwrap();
    assert_eq!(sealed.once(&[]).code, 1, "its gates are not met");
    asks_for(&sealed, "text");
    attest(&sealed, "ci", ("gitTree", "HEAD^{tree}"), &json!(87.4));
    let cycle = || serde_json::from_str::<Value>(&sealed.once_raw(&["--json"])).unwrap();
    let stopped = cycle();
    assert_ne!(stopped["outcome"], "committed", "a folder is in the way: {stopped}");
    std::fs::remove_dir_all(sealed.path("root/covered")).unwrap();
    // Nothing is left to judge: its gates were met, and the marks say so.
    let done = cycle();
    assert_eq!(done["outcome"], "committed", "{done}");
    assert_eq!(done["gates"][0]["measured"], "LINE_COVERAGE percent 87.4", "{done}");
    let records = record::newest(&sealed.path("fleet.state/records"), 10).unwrap();
    let deployed = records.iter().find(|it| it.kind == Kind::Deployment).unwrap();
    assert_eq!(deployed.gates[0]["measured"], "LINE_COVERAGE percent 87.4", "{deployed:?}");
    assert_eq!(json!(deployed.evidence), deployed.gates[0]["evidence"]);
}

#[test]
fn what_the_gates_say_of_a_proposal_is_what_they_say_of_its_merge() {
    let sealed = found();
    sealed.git("fleet", &["switch", "-qc", "proposal"]);
    sealed.write("fleet/more", "covered");
    sealed.merge("alice", "more");
    let said = |rev: &str| {
        let said = sealed.bowline_in("fleet", &["gate", "--rev", rev, "--json"]);
        (said.code, said.json()["code"].as_str().unwrap().to_owned())
    };
    attest(&sealed, "ci", ("gitCommit", "proposal"), &json!(87.4));
    assert_eq!(said("proposal"), (1, "evidence-missing".to_owned()), "the merge is another commit");
    attest(&sealed, "ci", ("gitTree", "proposal^{tree}"), &json!(87.4));
    let stdout = "verdict   accepted\nrevision  OID\ntree      OID\n\n\
         gate      says  measured                    limit                              signed by  at\n\
         coverage  met   LINE_COVERAGE percent 87.4  LINE_COVERAGE percent 80 at least  ci         2020-01-01T00:00:00Z\n";
    let note = "note: this is not the newest commit of refs/heads/main; its merge will have the same \
                tree at best, so only what is said of the tree counts\n";
    sealed.bowline_in("fleet", &["gate", "--rev", "proposal"]).is(0, stdout, note);

    let comment = "Gates of OID: **accepted**\n\n\
         | gate | says | measured | limit | signed by | at |\n|---|---|---|---|---|---|\n\
         | coverage | met | LINE\\_COVERAGE percent 87.4 | LINE\\_COVERAGE percent 80 at least | ci | 2020-01-01T00&#58;00&#58;00Z |\n";
    sealed.bowline_in("fleet", &["gate", "--rev", "proposal", "--markdown"]).is(0, comment, "");
    let comment = "Gates of OID: **pending** `evidence-missing`\n\n\
         | gate | says | measured | limit | signed by | at |\n|---|---|---|---|---|---|\n\
         | coverage | evidence-missing | - | LINE\\_COVERAGE percent 80 at least | - | - |\n\n\
         - coverage: no statement of this kind came with it\n";
    sealed.bowline_in("fleet", &["gate", "--rev", "main", "--markdown"]).is(1, comment, "");

    let signing = format!("user.signingkey={}", sealed.path("alice").display());
    sealed.git("fleet", &["switch", "-q", "main"]);
    sealed.git("fleet", &["-c", &signing, "merge", "-q", "-S", "--no-ff", "--no-edit", "proposal"]);
    assert_eq!(said("HEAD"), (0, String::new()));
    assert_eq!(verify(&sealed, &["--json"]).json()["verdict"], "accepted");
}

#[test]
fn a_policy_that_ended_or_that_root_keys_did_not_sign_is_told_as_a_host_would() {
    let sealed = found();
    attest(&sealed, "ci", ("gitTree", "main^{tree}"), &json!(87.4));
    let policy = sealed.read(POLICY);
    let expires = policy.lines().find_map(|it| it.strip_prefix("expires: ")).unwrap().to_owned();
    let gate = |more: &[&str]| sealed.bowline(&[&["gate", "--repo", "fleet"], more].concat());
    let told = |said: &Said| {
        let found = said.json();
        let word = |field: &str| found[field].as_str().unwrap().to_owned();
        (said.code, word("verdict"), word("code"))
    };
    let is = |found: (i32, String, String), code: i32, verdict: &str, why: &str| {
        assert_eq!(found, (code, verdict.to_owned(), why.to_owned()));
    };
    is(told(&gate(&["--json"])), 0, "accepted", "");
    is(told(&gate(&["--json", "--at", &expires])), 1, "refused", "policy-expired");
    is(told(&verify(&sealed, &["--json", "--at", &expires])), 1, "refused", "policy-expired");
    let comment = gate(&["--markdown", "--at", &expires]).stdout;
    assert!(
        comment.contains("**refused** `policy-expired`\n\nthe policy in it expired "),
        "{comment}"
    );
    let by_root = ["--json", "--trust", "fleet.trust.yaml"];
    is(told(&gate(&by_root)), 0, "accepted", "");
    sealed.write(POLICY, policy.replace("min: 80", "min: 8"));
    sealed.merge("alice", "nobody of the root signed that");
    attest(&sealed, "ci", ("gitTree", "main^{tree}"), &json!(87.4));
    is(told(&gate(&["--json"])), 0, "accepted", "");
    is(told(&gate(&by_root)), 1, "refused", "policy-below-threshold");
    is(told(&verify(&sealed, &["--json"])), 1, "refused", "policy-below-threshold");
}

#[test]
fn a_commit_that_is_not_there_or_has_no_policy_is_said_to_be_so() {
    let sealed = found();
    let stderr = "error: \"nothing\" is neither a branch, a tag nor the id of a commit in fleet\n\
                  hint: name a branch, a tag, or the id of a commit\n";
    sealed.bowline(&["gate", "--repo", "fleet", "--rev", "nothing"]).is(2, "", stderr);
    sealed.git("fleet", &["rm", "-rq", ".bowline"]);
    sealed.merge("alice", "lawless");
    let stdout = "verdict   refused\ncode      policy-missing\n\
                  detail    there is no .bowline/policy.yaml in its tree\nrevision  OID\n";
    sealed.bowline_in("fleet", &["gate"]).is(1, stdout, "");
    let comment = "Gates of OID: **refused** `policy-missing`\n\n\
                   there is no .bowline/policy.yaml in its tree\n";
    sealed.bowline_in("fleet", &["gate", "--markdown"]).is(1, comment, "");
}
