//! `bowline approve --emergency`: people on call let a change past gates, visibly.

use serde_json::Value;

use crate::sealed::{Said, Sealed};

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// A repository with a gate that nothing meets, and two of three people on call who may have it skipped.
fn asking() -> Sealed {
    let sealed = Sealed::found(&["alice", "bob", "carol"]);
    let gate = "gates: [{id: change, predicate: bowline change-approval/v1, signers: [alice], threshold: 1}]\n\
                emergency: {oncall: [alice, bob], threshold: 2, skips: [change]}\n";
    let policy = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    sealed.write(POLICY, policy.replace("gates: []\n", gate));
    let arguments = ["trust", "sign-policy", POLICY, "--key", "alice", "--key", "bob"];
    assert_eq!(sealed.bowline(&arguments).code, 0);
    sealed.merge("alice", "gates");
    sealed.write("fleet/manifests/motd.txt", "repaired\n");
    sealed.merge("alice", "repair the shop");
    sealed
}

fn hurry(sealed: &Sealed, key: &str, more: &[&str]) -> Said {
    let arguments = ["approve", "main", "--repo", "fleet", "--key", key];
    sealed.bowline(&[&arguments, &["--emergency", "the shop is down"][..], more].concat())
}

fn verify(sealed: &Sealed) -> Value {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    sealed.bowline(&arguments).json()
}

#[test]
fn two_people_on_call_let_a_change_past_a_gate_and_everybody_sees_it() {
    let sealed = asking();
    let said = hurry(&sealed, "alice", &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.starts_with("hurries  OID (merged)\n"), "{said:?}");
    assert_eq!(verify(&sealed)["code"], "evidence-missing", "one of two");
    assert_eq!(hurry(&sealed, "bob", &[]).code, 0);
    let found = verify(&sealed);
    assert_eq!(found["verdict"], "accepted", "{found}");
    let gate = &found["gates"][0];
    assert_eq!((&gate["met"], &gate["code"]), (&false.into(), &"evidence-missing".into()));
    assert_eq!(gate["skipped"]["by"], serde_json::json!(["alice", "bob"]));
    assert_eq!(gate["skipped"]["reason"], "the shop is down");
    let said = sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"]);
    assert!(
        said.stdout
            .contains("\nchange: skipped in an emergency by alice, bob (the shop is down): "),
        "{said:?}"
    );
    assert!(
        said.stderr.contains(
            "gates were skipped in an emergency by alice, bob (the shop is down): review it"
        ),
        "{said:?}"
    );
}

#[test]
fn a_word_that_would_skip_nothing_is_not_made() {
    let sealed = asking();
    for (what, said, code, words) in [
        ("carol", hurry(&sealed, "carol", &[]), 1, "\"carol\" is no person of emergency.oncall"),
        (
            "too long",
            hurry(&sealed, "alice", &["--for", "8d"]),
            2,
            "--for 8d is not between 1s and 7d",
        ),
        (
            "no reason",
            sealed.bowline(&[
                "approve",
                "main",
                "--repo",
                "fleet",
                "--key",
                "alice",
                "--emergency",
                "",
            ]),
            2,
            "a reason is one line of 1 to 200 characters",
        ),
    ] {
        assert_eq!(said.code, code, "{what}: {said:?}");
        assert!(said.stderr.contains(words), "{what}: {said:?}");
    }
    assert_eq!(verify(&sealed)["code"], "evidence-missing");
}
