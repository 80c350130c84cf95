//! `bowline trust rotate`: the root of a repository is handed on.

use crate::sealed::Sealed;

const POLICY: &str = "fleet/.bowline/policy.yaml";
const ROOTS: &str = "fleet/.bowline/root.jsonl";

/// A verdict's code and the version of the root in force.
fn verify(sealed: &Sealed) -> (String, serde_json::Value) {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    let found = sealed.bowline(&arguments).json();
    (found["code"].as_str().unwrap().to_owned(), found["rootVersion"].clone())
}

/// Writes a root of these keys, all of whom it takes.
fn write_root(sealed: &Sealed, version: u32, names: &[&str]) {
    let line = |name: &&str| {
        let key = sealed.read(&format!("{name}.pub"));
        format!("  - {{id: {name}, key: \"{}\"}}\n", key.trim_end())
    };
    let keys: Vec<_> = names.iter().map(line).collect();
    let text = format!("version: {version}\nthreshold: {}\nkeys:\n{}", names.len(), keys.concat());
    sealed.write("root.yaml", text);
}

fn rotate(sealed: &Sealed, keys: &[&str]) -> crate::sealed::Said {
    let mut arguments = vec!["trust", "rotate", ROOTS, "--root", "root.yaml"];
    keys.iter().for_each(|key| arguments.extend(["--key", key]));
    sealed.bowline(&arguments)
}

#[test]
fn a_new_root_counts_once_enough_of_both_have_signed_it() {
    let sealed = Sealed::found(&["alice", "bob"]);
    sealed.key("carol");
    sealed.key("dave");
    assert_eq!(verify(&sealed), (String::new(), 1.into()));
    write_root(&sealed, 2, &["carol", "dave"]);
    let said = rotate(&sealed, &["carol", "dave"]);
    let table = "root         version 2, 2 of 2 keys\nsigned by    carol, dave\n\
                 former root  not known here: --trust names the trust file with its keys\n\
                 new root     2 of 2 keys of root 2: carol, dave\nfile         fleet/.bowline/root.jsonl\n";
    said.is(0, table, "note: hosts take it once enough keys of both have signed it\n");
    sealed.merge("alice", "root 2");
    assert_eq!(verify(&sealed).0, "root-below-threshold");
    sealed.git("fleet", &["reset", "-q", "--soft", "HEAD^"]);
    // Each adds a signature where they are.
    assert_eq!(rotate(&sealed, &["alice"]).code, 0);
    let said = rotate(&sealed, &["bob"]);
    assert!(said.stdout.contains("signed by    carol, dave, SHA256:"), "{said:?}");
    sealed.merge("alice", "root 2");
    assert_eq!(verify(&sealed), (String::new(), 2.into()));
    // From here on the new keys sign policies.
    let next = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    sealed.write(POLICY, next);
    let sign = |keys: [&str; 2]| {
        let both = ["trust", "sign-policy", POLICY, "--key", keys[0], "--key", keys[1]];
        assert_eq!(sealed.bowline(&both).code, 0);
    };
    sign(["alice", "bob"]);
    sealed.merge("alice", "policy");
    assert_eq!(verify(&sealed).0, "policy-below-threshold");
    sealed.git("fleet", &["reset", "-q", "--soft", "HEAD^"]);
    sign(["carol", "dave"]);
    sealed.merge("alice", "policy");
    assert_eq!(verify(&sealed), (String::new(), 2.into()));
    // And again, to one key.
    sealed.key("erin");
    write_root(&sealed, 3, &["erin"]);
    assert_eq!(rotate(&sealed, &["carol", "dave", "erin"]).code, 0);
    assert_eq!(sealed.read(ROOTS).lines().count(), 2);
    sealed.merge("alice", "root 3");
    assert_eq!(verify(&sealed), (String::new(), 3.into()));
    // Back to the file as it was.
    sealed.git("fleet", &["checkout", "-q", "HEAD^", "--", ".bowline/root.jsonl"]);
    sealed.merge("alice", "back");
    assert_eq!(verify(&sealed).0, "root-version");
}

#[test]
fn what_is_no_next_root_is_not_signed() {
    let sealed = Sealed::found(&["alice"]);
    sealed.key("bob");
    let before = |sealed: &Sealed| sealed.path(ROOTS).exists();
    write_root(&sealed, 1, &["bob"]);
    let stderr = "error: root.yaml: a new root has version 2 or more\n\
                  hint: write one more than that of the root in force\n";
    rotate(&sealed, &["alice"]).is(2, "", stderr);
    write_root(&sealed, 2, &["bob", "bob"]);
    assert_eq!(rotate(&sealed, &["alice"]).code, 2);
    assert!(!before(&sealed));
    write_root(&sealed, 2, &["bob"]);
    assert_eq!(rotate(&sealed, &["alice", "bob"]).code, 0);
    let whole = sealed.read(ROOTS);
    for version in [2, 4] {
        write_root(&sealed, version, &["alice"]);
        let said = rotate(&sealed, &["alice"]);
        assert!(said.code == 1 && said.stderr.contains("root"), "{said:?}");
        assert_eq!(sealed.read(ROOTS), whole);
    }
}

/// Lines of a table that begin so.
fn rows(said: &crate::sealed::Said, names: [&str; 2]) -> Vec<String> {
    let lines = said.stdout.lines().filter(|it| names.iter().any(|name| it.starts_with(name)));
    lines.map(|it| it.split("  ").last().unwrap().trim().to_owned()).collect()
}

#[test]
fn whoever_rotates_hears_who_is_missing_of_both_roots() {
    let sealed = Sealed::found(&["alice", "bob"]);
    sealed.key("carol");
    let rotate = |version: u32, names: &[&str], more: &[&str]| {
        write_root(&sealed, version, names);
        let arguments =
            ["trust", "rotate", ROOTS, "--root", "root.yaml", "--trust", "fleet.trust.yaml"];
        sealed.bowline(&[&arguments, more].concat())
    };
    let names = ["former root", "new root"];
    let said = rotate(2, &["alice", "carol"], &["--key", "alice"]);
    let expected =
        ["1 of 2 root keys: alice; 1 more of bob", "1 of 2 keys of root 2: alice; 1 more of carol"];
    assert_eq!(rows(&said, names), expected);
    assert_eq!(said.stderr, "note: hosts take it once enough keys of both have signed it\n");
    let said = rotate(2, &["alice", "carol"], &["--key", "bob", "--key", "carol"]);
    assert_eq!(
        rows(&said, names),
        ["2 of 2 root keys: alice, bob", "2 of 2 keys of root 2: alice, carol"]
    );
    assert_eq!(said.stderr, "note: enough of both have signed; hosts take it once it is merged\n");
    sealed.merge("alice", "root 2");
    // The one before is in the file now.
    let said = rotate(3, &["bob"], &["--key", "bob", "--json"]);
    let expected = serde_json::json!({
        "file": ROOTS, "version": 3, "threshold": 1, "keys": 1, "signedBy": ["bob"],
        "former": {"version": 2, "threshold": 2, "signed": [], "missing": ["alice", "carol"]},
        "new": {"version": 3, "threshold": 1, "signed": ["bob"], "missing": []},
    });
    assert_eq!((said.json(), said.stderr.as_str()), (expected, ""));
}

#[test]
fn after_a_rotation_the_keys_that_are_missing_are_those_of_the_newest_root() {
    let sealed = Sealed::found(&["alice", "bob"]);
    sealed.key("carol");
    sealed.key("dave");
    write_root(&sealed, 2, &["carol", "dave"]);
    assert_eq!(rotate(&sealed, &["alice", "carol", "dave"]).code, 0);
    let next = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    sealed.write(POLICY, next);
    let sign = |keys: &[&str]| {
        let arguments = ["policy", "sign", POLICY, "--trust", "fleet.trust.yaml"];
        let keys: Vec<_> = keys.iter().flat_map(|it| ["--key", it]).collect();
        sealed.bowline(&[&arguments[..], &keys].concat())
    };
    let names = ["root", "signed"];
    // One signature is missing yet: the policy beside it is the new root's to sign all the same.
    let said = sign(&["alice", "carol"]);
    assert!(
        said.stdout.contains("root        1 of 2 keys of root 2: carol; 1 more of dave\n"),
        "{said:?}"
    );
    let lacking = "warning: hosts do not take the newest root yet: .bowline/root.jsonl: line 1: 1 of 2 needed root keys \
                   signed root 2, of the one before it: alice\n";
    let stranger =
        "warning: HERE/alice is no key of the root in force: what it signs counts for nothing\n";
    assert_eq!(said.stderr, format!("{lacking}{stranger}"));
    assert_eq!(rotate(&sealed, &["bob"]).code, 0);
    let check = ["policy", "check", POLICY, "--trust", "fleet.trust.yaml"];
    let said = sealed.bowline(&check);
    assert_eq!(
        rows(&said, ["signed", "signed"]),
        ["1 of 2 keys of root 2: carol; 1 more of dave"],
        "{said:?}"
    );
    assert!(!said.stderr.contains("newest root"), "{said:?}");
    let said = sign(&["dave"]);
    assert_eq!(
        (rows(&said, names), said.stderr.as_str()),
        (vec!["2 of 2 keys of root 2: carol, dave".to_owned()], "")
    );
    sealed.merge("alice", "root 2 and a policy");
    assert_eq!(verify(&sealed), (String::new(), 2.into()));
    let found = sealed.bowline(&[&check[..], &["--json"]].concat()).json();
    assert_eq!(found["root"]["version"], 2);
    // What the root says of commits is asked of the newest as well.
    for (verb, more) in [("checkpoint", &[][..]), ("adopt", &["--reason", "x"])] {
        let arguments = ["trust", verb, "main", "--repo", "fleet", "--trust", "fleet.trust.yaml"];
        let keys = ["--key", "alice", "--key", "dave"];
        let said = sealed.bowline(&[&arguments[..], &keys, more].concat());
        assert!(
            said.stdout.contains("root        1 of 2 keys of root 2: dave; 1 more of carol\n"),
            "{said:?}"
        );
        let json = ["--key", "carol", "--key", "dave", "--out", "word", "--json"];
        let found = sealed.bowline(&[&arguments[..], &json, more].concat()).json();
        let root = serde_json::json!({"version": 2, "threshold": 2, "signed": ["carol", "dave"], "missing": []});
        assert_eq!(
            (
                &found["root"],
                &found["signatures"],
                &found["written"],
                &found["pushed"],
                &found["commit"]
            ),
            (&root, &2.into(), &"word".into(), &serde_json::Value::Null, &"OID".into())
        );
        let twice = [&arguments[..], &["--key", "carol", "--out", "-", "--json"], more].concat();
        assert_eq!(sealed.bowline(&twice).code, 2);
    }
    // Roots that hosts refuse are told as such, and nothing is signed by them.
    sealed.write(ROOTS, "{}\n");
    let said = sealed.bowline(&check);
    assert!(
        said.code == 1 && said.stderr.contains("hosts would refuse the repository's roots"),
        "{said:?}"
    );
}
