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
    let table = "root       version 2, 2 of 2 keys\nsigned by  carol, dave\nfile       fleet/.bowline/root.jsonl\n";
    said.is(0, table, "");
    sealed.merge("alice", "root 2");
    assert_eq!(verify(&sealed).0, "root-below-threshold");
    sealed.git("fleet", &["reset", "-q", "--soft", "HEAD^"]);
    // Each adds a signature where they are.
    assert_eq!(rotate(&sealed, &["alice"]).code, 0);
    let said = rotate(&sealed, &["bob"]);
    assert!(said.stdout.contains("signed by  carol, dave, SHA256:"), "{said:?}");
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
