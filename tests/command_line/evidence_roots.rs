//! What a host shows of root keys: others that took their place, and commits that they adopted.

use std::fs;

use serde_json::json;

use crate::evidence::{cycle, every_byte_counts, follow, steps, unpacked};
use crate::sealed::Sealed;

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// A host that came past a replaced root, a policy by the new one, and two adopted commits.
fn succeeded() -> Sealed {
    let sealed = Sealed::found(&["alice", "bob"]);
    fs::create_dir(sealed.path("root")).unwrap();
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    for name in ["carol", "dave", "eve"] {
        sealed.key(name);
    }
    let rotate = |version: u32, names: [&str; 2], keys: [&str; 3]| {
        let line = |name: &str| {
            let key = sealed.read(&format!("{name}.pub"));
            format!("  - {{id: {name}, key: \"{}\"}}\n", key.trim_end())
        };
        let text = format!("version: {version}\nthreshold: 2\nkeys:\n{}", names.map(line).concat());
        sealed.write("root.yaml", text);
        let mut arguments =
            vec!["trust", "rotate", "fleet/.bowline/root.jsonl", "--root", "root.yaml"];
        keys.iter().for_each(|key| arguments.extend(["--key", key]));
        let said = sealed.bowline(&arguments);
        assert_eq!(said.code, 0, "{said:?}");
        sealed.merge("alice", "root");
    };
    rotate(2, ["bob", "carol"], ["alice", "bob", "carol"]);
    rotate(3, ["carol", "dave"], ["bob", "carol", "dave"]);
    let next = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    sealed.write(POLICY, next);
    let said = sealed.bowline(&["policy", "sign", POLICY, "--key", "carol", "--key", "dave"]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "a policy by the newest root");
    sealed.git(
        "fleet",
        &["-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "unsigned"],
    );
    sealed.merge("eve", "by a key of nobody's");
    let keys = ["--key", "carol", "--key", "dave", "--reason", "looked at"];
    let adopt = ["trust", "adopt", "main~2..main", "--repo", "fleet"];
    let said = sealed.bowline(&[&adopt[..], &keys].concat());
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "signed");
    let cycle = cycle(&sealed);
    let shown = (&cycle["outcome"], &cycle["rootVersion"]);
    assert_eq!(shown, (&json!("committed"), &json!(3)), "{cycle}");
    sealed
}

#[test]
fn replaced_roots_and_adopted_commits_are_verified_with_public_tools_as_well() {
    let sealed = succeeded();
    // Notes may be rewritten; the host has kept the words.
    sealed.git("fleet", &["update-ref", "-d", "refs/notes/attestations"]);
    let report = unpacked(&sealed, "e");
    assert_eq!((&report["commits"], &report["envelopes"]), (&json!(7), &json!(2)), "{report}");
    let said = follow(&sealed, "e", &steps(&sealed, "e")).unwrap();
    for (words, least) in [
        ("Good \"bowline-root\" signature for dave", 1),
        ("Good \"bowline-policy\" signature for dave", 1),
        ("Good \"git\" signature for alice", 4),
    ] {
        assert!(said.matches(words).count() >= least, "{words}: {said}");
    }
    every_byte_counts(&sealed, "e");
}

#[test]
fn what_root_keys_did_not_sign_does_not_pass() {
    let sealed = succeeded();
    unpacked(&sealed, "e");
    let steps = steps(&sealed, "e");
    follow(&sealed, "e", &steps).unwrap();
    let adopted = sealed.run("e", "ls", &["adoptions"]);
    let adopted = adopted.lines().next().unwrap();
    for (what, change) in [
        ("one signature less of a new root", "rm roots/0000000002/2.sig".to_owned()),
        (
            "a lower threshold",
            "echo 1 > roots/0000000001/threshold; rm roots/0000000001/3.sig".to_owned(),
        ),
        ("one signature less of a policy", "rm $(ls policies/*/2.sig | tail -n 1)".to_owned()),
        ("one signature less of an adoption", format!("rm adoptions/{adopted}/2.sig")),
        ("no adoption", format!("rm -r adoptions/{adopted}")),
        (
            "words about another commit",
            "set -- adoptions/*; mv $1 x; cp -r $2 $1; sed -i s/a/b/ $1/payload.json".to_owned(),
        ),
        ("no newer root", "rm -r roots".to_owned()),
        ("no file of roots", "rm root.jsonl".to_owned()),
    ] {
        sealed.run(".", "sh", &["-c", "rm -rf f && cp -a e f"]);
        sealed.run("f", "sh", &["-c", &change]);
        assert!(follow(&sealed, "f", &steps[1..]).is_err(), "{what} is believed");
    }
}
