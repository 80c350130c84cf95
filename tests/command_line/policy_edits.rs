//! `bowline policy rotate`: a key is changed where it stands, and nothing else.

use crate::sealed::{Said, Sealed};

const POLICY: &str = "policy.yaml";

/// A policy outside of any repository, with Alice's entry laid out so; `ALICE` is her key.
fn laid_out(entry: &str) -> Sealed {
    let sealed = Sealed::new();
    for key in ["alice", "bob", "next"] {
        sealed.key(key);
    }
    let text = format!(
        "# Ours.\nversion: 7 # rises\nexpires: 2099-01-01T00:00:00Z\nrepoUri: git+file:///fleet\nref: refs/heads/main\n\
         principals:\n{entry}  bob: {{kind: human, keys: [{{type: ssh, key: \"BOB\"}}]}} # the other one\n\
         merge: {{mergers: [alice, bob]}}\nrevoked: {{keys: [], commits: [], trees: []}}\n"
    );
    let text = text.replace("ALICE", &line(&sealed, "alice")).replace("BOB", &line(&sealed, "bob"));
    sealed.write(POLICY, text);
    sealed
}

fn line(sealed: &Sealed, name: &str) -> String {
    sealed.read(&format!("{name}.pub")).split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn fingerprint(sealed: &Sealed, name: &str) -> String {
    let shown = sealed.run(".", "ssh-keygen", &["-lf", &format!("{name}.pub")]);
    shown.split(' ').nth(1).unwrap().to_owned()
}

fn rotate(sealed: &Sealed, name: &str, more: &[&str]) -> Said {
    sealed.bowline(
        &[&["policy", "rotate", name, "--policy", POLICY, "--key-file", "next.pub"], more].concat(),
    )
}

/// What a policy says now, line by line, with keys by their names.
fn shown(sealed: &Sealed) -> Vec<String> {
    let mut text = sealed.read(POLICY);
    for name in ["alice", "bob", "next"] {
        text = text.replace(&line(sealed, name), &name.to_uppercase());
    }
    let principals = text.lines().skip_while(|it| !it.starts_with("principals")).skip(1);
    principals.take_while(|it| !it.starts_with("merge")).map(str::to_owned).collect()
}

const END: &str = "2090-01-01T00:00:00Z";

#[test]
fn a_key_is_added_and_another_ends_whatever_the_layout() {
    let bob = "  bob: {kind: human, keys: [{type: ssh, key: \"BOB\"}]} # the other one";
    for (entry, expected) in [
        (
            "  alice: {kind: human, keys: [{type: ssh, key: \"ALICE\"}]} # she\n",
            &[
                "  alice: {kind: human, keys: [{type: ssh, key: \"ALICE\", notAfter: END}, {type: ssh, key: \"NEXT\"}]} # she",
            ][..],
        ),
        (
            "  alice:\n    kind: human\n    keys:\n      - {type: ssh, key: \"ALICE\"} # laptop\n\n",
            &[
                "  alice:",
                "    kind: human",
                "    keys:",
                "      - {type: ssh, key: \"ALICE\", notAfter: END} # laptop",
                "      - {type: ssh, key: \"NEXT\"}",
                "",
            ],
        ),
        (
            "  alice:\n    keys:\n    - type: ssh # laptop\n      key: ALICE\n    kind: human\n",
            &[
                "  alice:",
                "    keys:",
                "    - type: ssh # laptop",
                "      notAfter: END",
                "      key: ALICE",
                "    - {type: ssh, key: \"NEXT\"}",
                "    kind: human",
            ],
        ),
        (
            "  alice: {kind: human, keys: [{type: ssh, notAfter: 2095-01-01T00:00:00Z, key: \"ALICE\"}]}\n",
            &[
                "  alice: {kind: human, keys: [{type: ssh, notAfter: END, key: \"ALICE\"}, {type: ssh, key: \"NEXT\"}]}",
            ],
        ),
    ] {
        let sealed = laid_out(entry);
        let said = rotate(
            &sealed,
            "alice",
            &["--retire", &fingerprint(&sealed, "alice"), "--not-after", END],
        );
        let earlier = entry.contains("2095");
        assert_eq!(said.code, 0, "{entry}: {said:?}");
        assert!(said.stdout.contains("policy.yaml: version 8\n"), "{said:?}");
        assert!(
            earlier || said.stdout.contains("a key of alice counts at other times"),
            "{said:?}"
        );
        let mut expected: Vec<_> = expected.iter().map(|it| it.replace("END", END)).collect();
        expected.push(bob.to_owned());
        assert_eq!(shown(&sealed), expected, "{entry}");
        assert!(sealed.read(POLICY).starts_with("# Ours.\nversion: 8 # rises\nexpires: "));
    }
}

#[test]
fn a_bare_key_of_a_robot_is_changed_as_well() {
    let sealed = laid_out("  alice: {kind: human, keys: [{type: ssh, key: \"ALICE\"}]}\n");
    for name in ["ci", "new"] {
        let file = format!("{name}.pem");
        sealed.run(".", "openssl", &["genpkey", "-algorithm", "ed25519", "-out", &file]);
        sealed.run(
            ".",
            "openssl",
            &["pkey", "-in", &file, "-pubout", "-out", &format!("{name}.pub.pem")],
        );
    }
    let block =
        sealed.read("ci.pub.pem").lines().map(|it| format!("          {it}\n")).collect::<String>();
    let robot = format!(
        "principals:\n  ci:\n    kind: robot\n    keys:\n      - type: spki\n        key: |\n{block}"
    );
    sealed.write(POLICY, sealed.read(POLICY).replace("principals:\n", &robot));
    let said = sealed.bowline(&[
        "policy",
        "rotate",
        "ci",
        "--policy",
        POLICY,
        "--key-file",
        "new.pub.pem",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        sealed.read(POLICY).contains(&format!("{block}      - {{type: spki, key: \"-----BEGIN")),
        "{}",
        sealed.read(POLICY)
    );
    let checked = sealed.bowline(&["policy", "check", POLICY, "--json"]).json();
    assert_eq!(checked["version"], 8, "{checked}");
}

#[test]
fn nobody_is_locked_out_and_what_cannot_be_done_changes_nothing() {
    let sealed = laid_out("  alice: {kind: human, keys: [{type: ssh, key: \"ALICE\"}]}\n");
    let own = fingerprint(&sealed, "alice");
    let past = "2020-01-01T00:00:00Z";
    sealed.write(POLICY, sealed.read(POLICY).replace("mergers: [alice, bob]", "mergers: [alice]"));
    let before = sealed.snapshot();
    rotate(&sealed, "alice", &["--retire", &own, "--not-after", past]).is(
        1,
        "",
        "error: nothing is written: it would lock people out\n\
         caused by: whoever merges the change signs with a key that counts before and after: let the old one end later\n",
    );
    for (name, more, expected) in [
        ("zoe", &[][..], "\"zoe\" is not among the principals"),
        ("alice", &["--retire", "SHA256:none", "--not-after", END], "has no key SHA256:none"),
        ("alice", &["--retire", &own], "--not-after"),
    ] {
        let said = rotate(&sealed, name, more);
        assert!(said.code == 2 && said.stderr.contains(expected), "{said:?}");
    }
    sealed.write("next.pub", sealed.read("bob.pub"));
    let said = rotate(&sealed, "alice", &[]);
    assert!(said.code == 2 && said.stderr.contains("one key stands twice"), "{said:?}");
    sealed.write("next.pub", "nonsense\n");
    assert_eq!(rotate(&sealed, "alice", &[]).code, 2);
    let policy = |all: Vec<(std::path::PathBuf, Vec<u8>)>| {
        all.into_iter().find(|(path, _)| path.ends_with(POLICY)).unwrap().1
    };
    assert_eq!(policy(sealed.snapshot()), policy(before));
}

#[test]
fn a_layout_that_is_not_known_is_left_to_a_person() {
    let sealed = laid_out("  alice: {kind: human, keys: [{type: ssh,\n    key: \"ALICE\"}]}\n");
    let said = rotate(&sealed, "alice", &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr
            .contains("hint: write version: 8 and among the keys of alice: {type: ssh, key: "),
        "{said:?}"
    );
}

#[test]
fn programs_hear_what_was_written_and_signed() {
    let sealed = Sealed::new();
    for key in ["alice", "next"] {
        sealed.key(key);
    }
    let new = [
        "policy",
        "new",
        POLICY,
        "--person",
        "alice=alice.pub",
        "--uri",
        "git+file:///fleet",
        "--json",
    ];
    let found = sealed.bowline(&new).json();
    assert_eq!((&found["policy"], &found["version"]), (&POLICY.into(), &1.into()), "{found}");
    assert!(found["expires"].is_string(), "{found}");
    let found = rotate(&sealed, "alice", &["--json"]).json();
    let change = format!("alice has a new key: ssh {}", fingerprint(&sealed, "next"));
    let changes = serde_json::json!([{"effect": "loosens", "what": change}]);
    assert_eq!((&found["version"], &found["changes"]), (&2.into(), &changes), "{found}");
    let found = sealed.bowline(&["policy", "sign", POLICY, "--key", "alice", "--json"]).json();
    let shown = (&found["version"], &found["signatures"], &found["root"], &found["envelope"]);
    let none = serde_json::Value::Null;
    assert_eq!(shown, (&2.into(), &1.into(), &none, &"policy.dsse.json".into()), "{found}");
}
