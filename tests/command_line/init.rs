//! `bowline init`: a repository that a host accepts, and nothing overwritten.

use std::os::unix::fs::PermissionsExt as _;

use crate::sealed::Sealed;

#[test]
fn a_repository_is_made_that_git_finds_clean_and_a_host_accepts() {
    let sealed = Sealed::new();
    sealed.key("alice");
    sealed.key("bob");
    let said = sealed.bowline(&["init", "fleet", "--key", "alice", "--key", "bob.pub"]);
    let stdout = "\
repository  HERE/fleet
branch      refs/heads/main
commit      OID
root keys   alice, bob, 2 of them sign a policy
trust file  HERE/fleet.trust.yaml
settings    HERE/fleet.agent.toml

Next:
  bowline verify --repo HERE/fleet --trust HERE/fleet.trust.yaml
  mkdir -p HERE/fleet.root && bowline plan --config HERE/fleet.agent.toml --root HERE/fleet.root
  bowline-agent --config HERE/fleet.agent.toml --root HERE/fleet.root --once
";
    said.is(0, stdout, "");
    assert_eq!(sealed.git("fleet", &["status", "--porcelain"]), "");
    assert_eq!(sealed.git("fleet", &["symbolic-ref", "HEAD"]), "refs/heads/main\n");
    assert_eq!(sealed.git("fleet", &["fsck", "--strict"]), "");
    sealed.git("fleet", &["verify-commit", "HEAD"]);
    let said = sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = sealed.bowline(&["validate", "fleet"]);
    said.is(0, "3 manifests in 3 files: valid\n", "");
}

#[test]
fn one_key_of_two_is_not_enough_for_a_policy_and_three_keys_still_need_two() {
    for (keys, threshold) in [(1, 1), (2, 2), (3, 2)] {
        let names = ["alice", "bob", "carol"];
        let sealed = Sealed::found(&names[..keys]);
        let trust = sealed.read("fleet.trust.yaml");
        assert!(trust.contains(&format!("  threshold: {threshold}\n")), "{trust}");
        let envelope = sealed.read("fleet/.bowline/policy.dsse.json");
        let envelope: serde_json::Value = serde_json::from_str(&envelope).unwrap();
        assert_eq!(envelope["signatures"].as_array().unwrap().len(), keys);
    }
}

#[test]
fn the_next_commit_is_signed_and_accepted() {
    let sealed = Sealed::found(&["alice"]);
    sealed.write("fleet/apps/hello/more.yaml", "");
    sealed.git("fleet", &["add", "."]);
    sealed.git("fleet", &["commit", "-qm", "more"]);
    let said = sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn somebody_whom_git_does_not_know_can_commit_as_well() {
    let sealed = Sealed::new();
    std::fs::remove_file(sealed.path("home/.gitconfig")).unwrap();
    sealed.key("alice");
    let said = sealed.bowline(&["init", "fleet", "--key", "alice"]);
    let stderr = "note: Git does not know your name: commits in this repository say \
                  Bowline <bowline@localhost> until you set user.name and user.email in it\n";
    assert_eq!((said.code, said.stderr.as_str()), (0, stderr));
    sealed.git("fleet", &["commit", "--allow-empty", "-qm", "more"]);
    let said = sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn names_are_as_they_were_asked_for() {
    let sealed = Sealed::new();
    sealed.key("alice");
    sealed.write("out/keep", "");
    let uri = "git+https://git.example/ops/fleet";
    let said = sealed.bowline(&[
        "init",
        "a b",
        "--key",
        "alice",
        "--uri",
        uri,
        "--ref",
        "refs/heads/live/eu",
        "--trust-out",
        "out/trust.yaml",
        "--agent-out",
        "out/agent.toml",
    ]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains("bowline verify --repo 'HERE/a b' --trust HERE/out/trust.yaml"));
    assert_eq!(sealed.git("a b", &["symbolic-ref", "HEAD"]), "refs/heads/live/eu\n");
    assert!(sealed.read("out/trust.yaml").contains(uri));
    let said = sealed.bowline(&["verify", "--repo", "a b", "--trust", "out/trust.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_folder_that_is_empty_is_taken_and_one_that_is_not_is_refused() {
    let sealed = Sealed::new();
    sealed.key("alice");
    sealed.write("full/file", "mine\n");
    let stderr =
        "error: HERE/full is not empty\nhint: name a folder that is empty or does not exist\n";
    sealed.bowline(&["init", "full", "--key", "alice"]).is(1, "", stderr);
    assert_eq!(sealed.read("full/file"), "mine\n");
    std::fs::create_dir(sealed.path("empty")).unwrap();
    assert_eq!(sealed.bowline_in("empty", &["init", ".", "--key", "../alice"]).code, 0);
    let again = sealed.bowline(&["init", "empty", "--key", "alice"]);
    assert_eq!(again.code, 1, "{again:?}");
}

#[test]
fn whatever_stands_where_something_would_be_written_stays() {
    let sealed = Sealed::new();
    sealed.key("alice");
    sealed.write("fleet.trust.yaml", "mine\n");
    let before = sealed.snapshot();
    let stderr = "error: HERE/fleet.trust.yaml exists already\n\
                  hint: remove it, or name another with --trust-out and --agent-out\n";
    sealed.bowline(&["init", "fleet", "--key", "alice"]).is(1, "", stderr);
    let inside = ["init", "fleet", "--key", "alice", "--trust-out", "fleet/trust.yaml"];
    let stderr = "error: HERE/fleet/trust.yaml lies in the repository\n\
                  hint: what a repository holds must not decide what a host trusts\n";
    sealed.bowline(&inside).is(2, "", stderr);
    assert_eq!(sealed.snapshot(), before);
}

#[test]
fn keys_that_cannot_found_a_repository_are_named_and_nothing_is_made() {
    let sealed = Sealed::new();
    sealed.key("alice");
    sealed.write("text", "hello\n");
    sealed.write("dsa.pub", "ssh-dss AAAAB3NzaC1kc3M= old\n");
    let stranger = sealed.read("alice.pub");
    sealed.write("nobody.pub", stranger.replace("alice", "nobody"));
    let before = sealed.snapshot();
    let cases = [
        (vec!["none"], 2, "error: there is no key file none\nhint: make one"),
        (vec!["text"], 2, "error: ssh-keygen did not give the public half of text"),
        (vec!["dsa.pub"], 2, "error: dsa.pub cannot be a root key\ncaused by: "),
        (vec!["alice", "alice.pub"], 2, "error: HERE/alice and alice.pub are one key\n"),
        (vec!["nobody.pub"], 1, "error: ssh-keygen did not sign with HERE/nobody.pub"),
    ];
    for (keys, code, stderr) in cases {
        let mut arguments = vec!["init", "fleet"];
        arguments.extend(keys.iter().flat_map(|key| ["--key", key]));
        let said = sealed.bowline(&arguments);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{keys:?}: {said:?}");
        assert!(said.stderr.starts_with(stderr), "{keys:?}: {said:?}");
        assert_eq!(sealed.snapshot(), before, "{keys:?}");
    }
}

#[test]
fn a_public_key_that_is_not_the_private_ones_is_found_out() {
    let sealed = Sealed::new();
    sealed.key("alice");
    sealed.key("bob");
    std::fs::copy(sealed.path("bob.pub"), sealed.path("alice.pub")).unwrap();
    let said = sealed.bowline(&["init", "fleet", "--key", "alice"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(!sealed.path("fleet").exists());
}

#[test]
fn the_trust_file_is_not_for_others_to_write() {
    let sealed = Sealed::found(&["alice"]);
    let mode = sealed.path("fleet.trust.yaml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o022, 0, "{mode:o}");
}
