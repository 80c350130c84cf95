//! What a host writes down of why it deployed.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::attest::{GATES, attest, fleet};
use crate::sealed::Sealed;

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// A repository whose policy asks for an approval and for two gates, and a host that runs its newest commit but
/// the one that is ready now.
pub(crate) fn governed() -> Sealed {
    let sealed = fleet(GATES);
    let policy = sealed.read(POLICY);
    let line = policy.lines().find(|it| it.trim_start().starts_with("mergers:")).unwrap();
    let asked = format!("{line}\n  approvals: {{principals: 1, from: [alice]}}");
    sealed.write(POLICY, policy.replace(line, &asked).replace("version: 2\n", "version: 3\n"));
    let said = sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "approvals");
    fs::create_dir(sealed.path("root")).unwrap();
    next(&sealed, "one");
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    sealed
}

/// Merges something new, with all that the policy asks for.
pub(crate) fn next(sealed: &Sealed, word: &str) {
    let file = format!(
        "apiVersion: bowline/v1\nkind: File\nmetadata: {{name: word}}\nspec: {{path: /word, content: \"{word}\\n\"}}\n"
    );
    sealed.write("fleet/apps/word.yaml", file);
    sealed.merge("alice", word);
    let said = sealed.bowline(&["approve", "main", "--repo", "fleet", "--key", "alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    for (kind, report) in [("tests", "junit.xml"), ("coverage", "lcov.info")] {
        assert_eq!(attest(sealed, kind, &["--note", report]).code, 0);
    }
}

pub(crate) fn cycle(sealed: &Sealed) -> Value {
    let said = sealed.once_raw(&["--json"]);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Where the agent keeps its state.
pub(crate) fn state(sealed: &Sealed) -> String {
    let settings = sealed.read("fleet.agent.toml");
    let line = settings.lines().find_map(|it| it.strip_prefix("dir = \""));
    line.map_or("root/var/lib/bowline".to_owned(), |it| it.trim_end_matches('"').to_owned())
}

/// The host's records, oldest first.
fn records(sealed: &Sealed) -> Vec<Value> {
    let log = sealed.read(&format!("{}/records/00000001.ndjson", state(sealed)));
    let open = |line: &str| {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
        serde_json::from_slice(&payload).unwrap()
    };
    log.lines().map(open).collect()
}

#[test]
fn a_record_names_what_the_deployment_rests_on() {
    let sealed = governed();
    let record = records(&sealed).pop().unwrap();
    let git = |name: &str| sealed.git("fleet", &["rev-parse", name]).trim().to_owned();
    assert_eq!(record["commit"]["id"], git("main"));
    assert_eq!(record["commit"]["tree"], git("main^{tree}"));
    let digest = sealed.run(".", "sh", &["-c", "git -C fleet cat-file commit main | sha256sum"]);
    assert_eq!(record["commit"]["sha256"], digest.split(' ').next().unwrap());
    assert_eq!(record["policy"]["version"], 3);
    let digest = sealed.run(".", "sha256sum", &[POLICY]);
    assert_eq!(record["policy"]["sha256"], digest.split(' ').next().unwrap());
    assert_eq!(record["repo"]["ref"], "refs/heads/main");
    assert!(record["hostKey"].as_str().unwrap().starts_with("ssh-ed25519 AAAA"), "{record}");
    assert_eq!(record["approvals"][0]["principal"], "alice");
    let ids: Vec<_> = record["gates"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["tests", "coverage"]);
    for gate in record["gates"].as_array().unwrap() {
        assert_eq!(gate["met"], true);
        assert_eq!(gate["signers"], json!(["ci"]));
        assert!(gate["measured"].is_string() && gate["at"].is_string(), "{gate}");
    }
    // Two gates and one approval, each by the digest of what was signed.
    let evidence = record["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 3, "{record}");
    assert!(evidence.contains(&record["approvals"][0]["sha256"]));
}

#[test]
fn what_counted_is_known_to_a_process_that_did_not_judge_it() {
    let sealed = governed();
    next(&sealed, "two");
    // Verified, and not deployed.
    let pause = format!("{}/pause.json", state(&sealed));
    sealed.write(&pause, r#"{"holder":"alice","reason":"lunch","since":0,"until":null}"#);
    assert_eq!(cycle(&sealed)["outcome"], "held");
    // Nothing of the notes is there any more.
    sealed.git("fleet", &["update-ref", "-d", "refs/notes/attestations"]);
    sealed.run(".", "rm", &[&pause]);
    let second = cycle(&sealed);
    assert_eq!(second["outcome"], "committed", "{second}");
    let record = records(&sealed).pop().unwrap();
    assert_eq!(record["outcome"], "committed");
    assert_eq!(record["evidence"].as_array().unwrap().len(), 3, "{record}");
    assert_eq!(record["gates"].as_array().unwrap().len(), 2, "{record}");
    assert_eq!(record["approvals"].as_array().unwrap().len(), 1, "{record}");
}
