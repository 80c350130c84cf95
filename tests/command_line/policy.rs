//! `bowline policy`: policies are written, checked, signed and shown.

use crate::sealed::{Said, Sealed};

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// The text in which fingerprints of these keys are their names.
fn named(sealed: &Sealed, text: &str, keys: &[&str]) -> String {
    let mut text = text.to_owned();
    for key in keys {
        let shown = sealed.run(".", "ssh-keygen", &["-lf", &format!("{key}.pub")]);
        text = text.replace(shown.split(' ').nth(1).unwrap(), &format!("<{key}>"));
    }
    text
}

fn check(sealed: &Sealed, more: &[&str]) -> Said {
    sealed.bowline(&[&["policy", "check", POLICY], more].concat())
}

/// Writes the next version of the policy, with changes.
fn amend(sealed: &Sealed, changes: &[(&str, &str)]) {
    let mut text = sealed.read(POLICY);
    for (from, to) in changes {
        assert!(text.contains(from), "{from}: {text}");
        text = text.replacen(from, to, 1);
    }
    sealed.write(POLICY, text);
}

fn key_line(sealed: &Sealed, name: &str) -> String {
    sealed.read(&format!("{name}.pub")).split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_policy_of_answers_is_one_that_hosts_take_and_overwrites_none() {
    let sealed = Sealed::found(&["alice", "bob"]);
    sealed.key("carol");
    let people =
        ["--person", "alice=alice.pub", "--person", "bob=bob.pub", "--person", "carol=carol.pub"];
    let rest = [
        "--approvals",
        "1",
        "--merger",
        "alice",
        "--merger",
        "bob",
        "--trust",
        "fleet.trust.yaml",
        "--days",
        "90",
    ];
    let new = |file: &str, rest: &[&str]| {
        sealed.bowline(&[&["policy", "new", file], &people[..], rest].concat())
    };
    let said = new("next/policy.yaml", &rest);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(
        said.stdout.ends_with("next     bowline policy sign next/policy.yaml --key FILE\n"),
        "{said:?}"
    );
    let text = sealed.read("next/policy.yaml");
    for part in [
        "mergers: [\"alice\", \"bob\"]",
        "approvals: {principals: 1, from: [\"alice\", \"bob\", \"carol\"], excludeAuthors: true}",
        "repoUri: \"git+file://",
        "# Whose signature on a commit moves the branch.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let said =
        sealed.bowline(&["policy", "check", "next/policy.yaml", "--trust", "fleet.trust.yaml"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(said.stdout.contains("verdict  good\n"), "{said:?}");
    // What was merged is one with a higher version.
    sealed.write(POLICY, text.replace("version: 1\n", "version: 2\n"));
    let keys = ["--key", "alice", "--key", "bob"];
    assert_eq!(sealed.bowline(&[&["policy", "sign", POLICY], &keys[..]].concat()).code, 0);
    sealed.merge("alice", "policy");
    let found =
        sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"]);
    assert_eq!(found.json()["verdict"], "accepted", "{found:?}");

    let before = sealed.snapshot();
    new("next/policy.yaml", &rest).is(
        2,
        "",
        "error: next/policy.yaml is there already\nhint: edit it, raise its version, and sign it anew\n",
    );
    for wrong in [
        &["--merger", "dave", "--uri", "git+file:///x"][..],
        &["--approvals", "4", "--uri", "git+file:///x"],
        &["--approver", "carol", "--approvals", "2", "--uri", "git+file:///x"],
        &["--uri", "x"],
        &[],
    ] {
        let said = new("other.yaml", wrong);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    }
    assert_eq!(sealed.snapshot(), before);
}

#[test]
fn what_a_change_grants_and_takes_is_told_line_by_line() {
    let sealed = Sealed::found(&["alice", "bob"]);
    sealed.key("carol");
    let carol = key_line(&sealed, "carol");
    let gate = "gates:\n  - {id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [bob], \
                minPassed: 100, maxAge: 24h}\n";
    amend(&sealed, &[("version: 1\n", "version: 2\n"), ("gates: []\n", gate)]);
    let keys = ["--key", "alice", "--key", "bob"];
    assert_eq!(sealed.bowline(&[&["policy", "sign", POLICY], &keys[..]].concat()).code, 0);
    sealed.merge("alice", "a gate");
    let person =
        format!("principals:\n  carol: {{kind: human, keys: [{{type: ssh, key: \"{carol}\"}}]}}\n");
    amend(
        &sealed,
        &[
            ("version: 2\n", "version: 3\n"),
            ("principals:\n", &person),
            ("minPassed: 100, maxAge: 24h", "minPassed: 90, maxAge: 12h"),
            (
                "mergers: [\"alice\", \"bob\"]",
                "mergers: [alice]\n  approvals: {principals: 1, from: [alice, carol]}",
            ),
        ],
    );
    let said = check(&sealed, &["--trust", "fleet.trust.yaml"]);
    let told = named(&sealed, &said.stdout, &["carol"]);
    let told: Vec<_> = told.lines().skip(1).collect();
    assert_eq!(
        told,
        [
            "against  .bowline/policy.yaml at HEAD",
            "signed   0 of 2 root keys: nobody; 2 more of alice, bob",
            "verdict  good",
            "! loosens   principal carol (human) is new",
            "! loosens   carol has a new key: ssh <carol>",
            "  tightens  bob may merge no more",
            "  tightens  merges are approved by alice, carol",
            "  tightens  approvals principals is 1, before 0",
            "  tightens  gate tests: maxAge is 12h, before 1d",
            "! loosens   gate tests: minPassed is 90, before 100",
        ]
    );
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    let anchor = sealed.git("fleet", &["rev-parse", "HEAD^"]);
    let json = check(&sealed, &["--json", "--against", anchor.trim()]).json();
    assert_eq!(
        (&json["verdict"], &json["version"], &json["against"]),
        (&"good".into(), &3.into(), &".bowline/policy.yaml at OID".into())
    );
    let effects: Vec<_> =
        json["changes"].as_array().unwrap().iter().map(|it| it["effect"].clone()).collect();
    assert!(effects.contains(&"tightens".into()) && effects.contains(&"loosens".into()), "{json}");
    sealed.write("old.yaml", sealed.read(POLICY));
    let same = check(&sealed, &["--json", "--against", "old.yaml"]).json();
    assert_eq!((&same["changes"], &same["against"]), (&serde_json::json!([]), &"old.yaml".into()));
}

#[test]
fn what_would_stop_hosts_or_lock_people_out_is_an_error() {
    let ends = |when: &str| format!("\", notAfter: {when}}}");
    for (what, from, to, expected) in [
        (
            "no rise",
            "gates: []\n",
            "gates: []\n# other\n",
            "error: it changed, and its version went from 1 to 1\n",
        ),
        (
            "expired",
            "expires: ",
            "expires: 2020-01-01T00:00:00Z # ",
            "error: it expired 2020-01-01T00:00:00Z\n",
        ),
        (
            "another branch",
            "refs/heads/main",
            "refs/heads/other",
            "error: it is for refs/heads/other, and the trust file names refs/heads/main\n",
        ),
        (
            "keys ended",
            "\"}",
            &ends("2020-01-01T00:00:00Z"),
            "error: nobody can merge: no merger has a key that counts and signs commits\n",
        ),
        ("locked out", "\"}", &ends("2020-01-01T00:00:00Z"), "error: nobody can merge it: "),
        (
            "nobody approves",
            "gates: []",
            "gates: []\nemergency: {oncall: [alice], threshold: 1, skips: [windows]}",
            "error: it changed, and its version went from 1 to 1\n",
        ),
    ] {
        let sealed = Sealed::found(&["alice"]);
        amend(&sealed, &[(from, to)]);
        let said = check(&sealed, &["--trust", "fleet.trust.yaml"]);
        assert!(said.code == 1 && said.stderr.contains(expected), "{what}: {said:?}");
        assert!(said.stdout.contains("verdict  bad\n"), "{what}: {said:?}");
    }
    let sealed = Sealed::found(&["alice", "bob"]);
    let until = "2090-01-20T00:00:00Z";
    let later =
        [("version: 1\n", "version: 2\n"), ("expires: ", "expires: 2099-01-01T00:00:00Z # ")];
    amend(&sealed, &later);
    amend(&sealed, &[("\"}", &ends(until)), ("mergers: [\"alice\", \"bob\"]", "mergers: [alice]")]);
    let said = check(&sealed, &["--at", "2090-01-10T00:00:00Z", "--against", POLICY]);
    let told = named(&sealed, &said.stderr, &["alice"]);
    assert_eq!(
        told,
        format!(
            "warning: a key of alice ends in less than 30 days: ssh <alice>, until {until}\nwarning: no rule asks for bob\n"
        )
    );
    assert_eq!(said.code, 0);
    assert_eq!(
        check(&sealed, &["--at", "2090-01-10T00:00:00Z", "--against", POLICY, "--strict"]).code,
        1
    );
    for (changes, expected) in [
        (
            &[(
                "mergers: [alice]",
                "mergers: [alice]\n  approvals: {principals: 2, from: [alice, bob], excludeAuthors: true}",
            )][..],
            "warning: a merge by alice can never be approved",
        ),
        (
            &[
                (
                    "gates: []",
                    "gates:\n  - {id: t, predicate: \"bowline change-approval/v1\", signers: [bob], ticketRequired: true}",
                ),
                ("revoked: {keys: []", "revoked: {keys: [\"BOB\"]"),
            ],
            "error: gate t cannot be met: it takes 1, and 0 can sign for it",
        ),
    ] {
        let sealed = Sealed::found(&["alice", "bob"]);
        let bob = sealed.run(".", "ssh-keygen", &["-lf", "bob.pub"]);
        amend(
            &sealed,
            &[
                ("version: 1\n", "version: 2\n"),
                ("mergers: [\"alice\", \"bob\"]", "mergers: [alice]"),
            ],
        );
        amend(&sealed, changes);
        sealed.write(POLICY, sealed.read(POLICY).replace("BOB", bob.split(' ').nth(1).unwrap()));
        let said = check(&sealed, &[]);
        assert!(said.stderr.contains(expected), "{said:?}");
    }
}

#[test]
fn a_policy_that_is_none_is_told_with_its_places() {
    let sealed = Sealed::found(&["alice"]);
    amend(&sealed, &[("mergers: [\"alice\"]", "mergers: [alice, alicia]")]);
    let said = check(&sealed, &["--json"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert!(
        said.stderr.contains(
            "policy.yaml:16:20: merge.mergers[1]: \"alicia\" is not among the principals"
        ),
        "{said:?}"
    );
    sealed.bowline(&["policy", "check", "none"]).is(2, "", "error: there is no policy none\n");
    let said = sealed.bowline(&["policy", "check", POLICY, "--against", "nothing"]);
    assert_eq!(said.code, 1, "a policy that cannot be read comes first: {said:?}");
}

#[test]
fn signatures_are_counted_merged_and_asked_for_a_higher_version() {
    let sealed = Sealed::found(&["alice", "bob"]);
    let sign = |more: &[&str]| {
        sealed.bowline(&[&["policy", "sign", POLICY, "--trust", "fleet.trust.yaml"], more].concat())
    };
    amend(&sealed, &[("labels: repository", "labels: local")]);
    let before = sealed.snapshot();
    sign(&["--key", "alice"]).is(
        1,
        "",
        "error: nothing is signed\n\
         caused by: the policy is not the one at HEAD, and has its version 1 or a lower one\n\
         hint: write version: 2 and sign that\n",
    );
    assert_eq!(sealed.snapshot(), before);
    amend(&sealed, &[("version: 1\n", "version: 2\n")]);
    sealed.write("bobs/policy.yaml", sealed.read(POLICY));
    let said = sign(&["--key", "alice"]);
    assert!(
        said.stdout.contains("root        1 of 2 root keys: alice; 1 more of bob\n"),
        "{said:?}"
    );
    // Bob signs elsewhere, and his signature is taken over.
    assert_eq!(sealed.bowline(&["policy", "sign", "bobs/policy.yaml", "--key", "bob"]).code, 0);
    let said = sign(&["--merge", "bobs/policy.dsse.json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("root        2 of 2 root keys: alice, bob\n"), "{said:?}");
    sealed.merge("alice", "labels");
    let found =
        sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"]);
    assert_eq!(found.json()["verdict"], "accepted", "{found:?}");
    // One of another text is not.
    amend(&sealed, &[("version: 2\n", "version: 3\n")]);
    let said = sign(&["--merge", "bobs/policy.dsse.json"]);
    assert!(
        said.code == 1 && said.stderr.contains("the envelope at hand signs another text"),
        "{said:?}"
    );
    // Who signed version 3 must not find other words under it.
    assert_eq!(sign(&["--key", "alice"]).code, 0);
    amend(&sealed, &[("gates: []\n", "gates: []\n# another text\n")]);
    let said = sign(&["--key", "bob"]);
    assert!(
        said.code == 1 && said.stderr.contains("in policy.dsse.json, and has its version 3"),
        "{said:?}"
    );
    assert_eq!(sign(&[]).code, 2, "neither a key nor another envelope");
}

#[test]
fn a_policy_is_shown_as_a_commit_has_it() {
    let sealed = Sealed::found(&["alice", "bob"]);
    let gate = "gates:\n  - {id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [bob], \
                minPassed: 100}\n";
    amend(
        &sealed,
        &[
            ("version: 1\n", "version: 2\n"),
            ("expires: ", "expires: 2099-01-01T00:00:00Z # "),
            (
                "mergers: [\"alice\", \"bob\"]",
                "mergers: [alice]\n  approvals: {principals: 1, from: [alice, bob]}",
            ),
            ("gates: []\n", gate),
            ("commits: []", "commits: [\"1111111111111111111111111111111111111111\"]"),
        ],
    );
    sealed.merge("alice", "next");
    let said = sealed.bowline(&["policy", "show", "--repo", "fleet"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(named(&sealed, &said.stdout, &["alice", "bob"]), "\
version  2
expires  2099-01-01T00:00:00Z
for      git+file://HERE/fleet refs/heads/main
merge    alice
approve  1 of alice, bob
gate tests: minPassed 100; predicate https://in-toto.io/attestation/test-result/v0.1; result PASSED; signers bob; threshold 1
key of alice (human): ssh <alice>
key of bob (human): ssh <bob>
revoked commit OID
");
    let anchor = sealed.git("fleet", &["rev-parse", "HEAD^"]);
    let arguments = ["policy", "show", anchor.trim(), "--repo", "fleet", "--json"];
    let json = sealed.bowline(&arguments).json();
    assert_eq!(
        (&json["policy"]["version"], &json["approvers"]),
        (&1.into(), &serde_json::json!(["alice", "bob"]))
    );
    assert!(json["fingerprints"]["alice"][0].as_str().unwrap().starts_with("SHA256:"), "{json}");
    sealed.git("fleet", &["rm", "-q", ".bowline/policy.yaml"]);
    sealed.merge("alice", "none");
    let said = sealed.bowline(&["policy", "show", "--repo", "fleet"]);
    said.is(
        2,
        "",
        "error: HEAD has no .bowline/policy.yaml\nhint: bowline policy new writes one\n",
    );
}
