//! `bowline verify`: the agent's judgement, with its exit codes.

use crate::sealed::{Said, Sealed};

fn verify(sealed: &Sealed, more: &[&str]) -> Said {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"];
    sealed.bowline(&[&arguments, more].concat())
}

#[test]
fn a_signed_branch_is_accepted_and_nothing_is_written() {
    let sealed = Sealed::found(&["alice"]);
    let before = sealed.snapshot();
    let stdout = "verdict     accepted\nrevision    main@sha1:OID\ndeployable  main@sha1:OID\n";
    verify(&sealed, &[]).is(0, stdout, "");
    let json = "{\"verdict\":\"accepted\",\"code\":\"\",\"detail\":\"\",\"revision\":\"main@sha1:OID\",\
                \"commit\":null,\"deployable\":\"main@sha1:OID\",\"gates\":[],\"approvals\":[],\
                \"proved\":null,\"adopted\":[],\"checkpoint\":null,\"rootVersion\":1,\"warnings\":[]}\n";
    verify(&sealed, &["--json"]).is(0, json, "");
    assert_eq!(sealed.snapshot(), before);
}

#[test]
fn an_unsigned_commit_is_refused() {
    let sealed = Sealed::found(&["alice"]);
    sealed.git("fleet", &["-c", "commit.gpgsign=false", "commit", "--allow-empty", "-qm", "x"]);
    let stdout = "verdict   refused\ncode      unsigned\ndetail    there is no signature\n\
                  commit    OID\nrevision  main@sha1:OID\n";
    let stderr = "hint: sign that commit itself, a later one does not heal it: git commit --amend -S, or take it off the branch; else have root keys adopt it: bowline trust adopt\n";
    verify(&sealed, &[]).is(1, stdout, stderr);
    let said = verify(&sealed, &["--json"]);
    assert_eq!((said.code, said.stderr.as_str()), (1, ""));
    assert_eq!(said.json()["deployable"], serde_json::Value::Null);
}

#[test]
fn a_stranger_is_refused_and_so_is_everything_above() {
    let sealed = Sealed::found(&["alice"]);
    sealed.key("mallory");
    sealed.merge("mallory", "mine now");
    sealed.merge("alice", "and on");
    let said = verify(&sealed, &["--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.json()["code"], "unknown-key");
}

#[test]
fn an_expired_policy_lets_nothing_through() {
    let sealed = Sealed::found(&["alice"]);
    assert_eq!(verify(&sealed, &["--at", "2999-01-01T00:00:00Z"]).code, 1);
}

#[test]
fn what_a_host_has_verified_binds() {
    let sealed = Sealed::found(&["alice"]);
    sealed.merge("alice", "one");
    std::fs::create_dir(sealed.path("state")).unwrap();
    assert_eq!(verify(&sealed, &["--state", "state"]).code, 0, "no marks yet");
    let marks = marks_at_head(&sealed);
    sealed.write("state/verify.json", &marks);
    assert_eq!(verify(&sealed, &["--state", "state"]).code, 0);
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD^"]);
    let said = verify(&sealed, &["--state", "state", "--json"]);
    assert_eq!((said.code, &said.json()["code"]), (1, &"not-fast-forward".into()), "{said:?}");
    let stdout = "verdict   refused\ncode      not-fast-forward\n\
                  detail    SHORT was verified before, and is not among the first parents of SHORT\n\
                  commit    OID\nrevision  main@sha1:OID\n";
    let stderr = "hint: somebody rewound or replaced the branch: push the last verified commit to it \
                  again and merge on top of it\n";
    verify(&sealed, &["--state", "state"]).is(1, stdout, stderr);
    assert_eq!(verify(&sealed, &[]).code, 0, "without the state a rewind cannot be seen");
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD@{1}"]);
    let mut other: serde_json::Value = serde_json::from_str(&marks).unwrap();
    other["headSha256"] = "0".repeat(64).into();
    sealed.write("state/verify.json", other.to_string());
    let said = verify(&sealed, &["--state", "state", "--json"]);
    assert_eq!((said.code, &said.json()["verdict"]), (3, &"tampered".into()), "{said:?}");
}

/// The marks that a host keeps that verified the branch's head.
fn marks_at_head(sealed: &Sealed) -> String {
    let sha256 = |text: &str| bowline_model::digest::Sha256::of(text.as_bytes()).to_string();
    let raw = sealed.git("fleet", &["cat-file", "commit", "HEAD"]);
    let head = sealed.git("fleet", &["rev-parse", "HEAD"]);
    let time: i64 = sealed.git("fleet", &["show", "-s", "--format=%ct"]).trim().parse().unwrap();
    serde_json::json!({
        "trustSha256": sha256(&sealed.read("fleet.trust.yaml")),
        "head": head.trim(),
        "headSha256": sha256(&raw),
        "policyVersion": 1,
        "policySha256": sha256(&sealed.read("fleet/.bowline/policy.yaml")),
        "highestTime": time,
    })
    .to_string()
}

#[test]
fn what_is_named_and_is_not_there_is_a_mistake() {
    let sealed = Sealed::found(&["alice"]);
    let before = sealed.snapshot();
    for (repo, trust, more, code) in [
        ("none", "fleet.trust.yaml", None, 2),
        ("home", "fleet.trust.yaml", None, 2),
        ("https://git.example/fleet", "fleet.trust.yaml", None, 2),
        ("fleet", "none", None, 2),
        ("fleet", "alice.pub", None, 2),
        ("fleet", "fleet.trust.yaml", Some("none"), 2),
    ] {
        let mut arguments = vec!["verify", "--repo", repo, "--trust", trust];
        arguments.extend(more.iter().flat_map(|it| ["--state", it]));
        let said = sealed.bowline(&arguments);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{repo} {trust}: {said:?}");
        assert!(said.stderr.starts_with("error: "), "{said:?}");
    }
    assert_eq!(sealed.snapshot(), before);
}

#[test]
fn another_branch_than_the_trust_files_is_not_followed() {
    let sealed = Sealed::found(&["alice"]);
    sealed.git("fleet", &["branch", "-qm", "main", "other"]);
    let said = verify(&sealed, &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("it has no refs/heads/main"), "{said:?}");
}

#[test]
fn a_damaged_state_needs_a_person() {
    let sealed = Sealed::found(&["alice"]);
    sealed.write("state/verify.json", "{\"head\":7}");
    let stderr = "error: read the state file state/verify.json\ncaused by: invalid type";
    let hint = "hint: state or object store was changed behind the agent: find out by whom, then bowline \
                trust reset\n";
    for more in [&[][..], &["--json"]] {
        let said = verify(&sealed, &[&["--state", "state"], more].concat());
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
        assert!(said.stderr.starts_with(stderr) && said.stderr.ends_with(hint), "{said:?}");
    }
}

#[test]
fn a_trust_file_at_fault_is_told_in_words_of_yaml() {
    let sealed = Sealed::found(&["alice"]);
    let good = sealed.read("fleet.trust.yaml");
    for (written, shown) in [("x", "the text \"x\""), ("-1", "the number -1 without quotes")] {
        let text = good.replace("threshold: 1", &format!("threshold: {written}"));
        sealed.write("fleet.trust.yaml", text);
        let said = verify(&sealed, &[]);
        assert_eq!(said.code, 2, "{said:?}");
        let expected = format!("root.threshold: {shown}; expected a whole number\n");
        assert!(said.stderr.contains(&expected), "{said:?}");
    }
}
