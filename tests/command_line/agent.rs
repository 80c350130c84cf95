//! `bowline-agent --once`: how a cycle ended, as people read it.
//!
//! **Invariant:** whatever is not success says its code, the commit to blame, and what to do.

use std::fs;

use crate::sealed::Sealed;

/// A repository and a root, and cycles that committed: the host is one that the repository names.
fn settled() -> Sealed {
    let sealed = Sealed::found(&["alice"]);
    fs::create_dir(sealed.path("root")).unwrap();
    assert_eq!(sealed.once(&[]).code, 0);
    let key = sealed.run(".", "ssh-keygen", &["-lf", "fleet.host.key.pub"]);
    let key = key.split(' ').nth(1).unwrap();
    let host = format!(
        "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: web-1}}\n\
         spec: {{keyFingerprint: \"{key}\", environment: production}}\n"
    );
    sealed.write("fleet/hosts/web-1.yaml", host);
    sealed.merge("alice", "the host");
    let said = sealed.once(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed
}

#[test]
fn an_answer_that_nobody_gets_is_no_success_and_no_panic() {
    let sealed = settled();
    let settings = ["--config", "fleet.agent.toml", "--root", "root"];
    let mut cases = vec![vec!["--help"], vec!["--version"]];
    for more in [&["--check-config"][..], &["--once"], &["--once", "--json"]] {
        cases.push([&settings[..], more].concat());
    }
    for arguments in cases {
        let (code, last) = sealed.agent_unheard(&arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {last}");
        assert!(last.starts_with("error: write to standard output: "), "{arguments:?}: {last}");
    }
    // What the cycle itself says comes first.
    sealed.git("fleet", &["-c", "commit.gpgsign=false", "commit", "--allow-empty", "-qm", "x"]);
    let (code, last) = sealed.agent_unheard(&[&settings[..], &["--once"]].concat());
    assert_eq!(code, Some(1), "{last}");
}

#[test]
fn a_rewind_is_refused_by_the_tip_that_the_remote_offers() {
    let sealed = settled();
    sealed.merge("alice", "one");
    sealed.merge("alice", "two");
    let verified = sealed.git("fleet", &["rev-parse", "HEAD"]);
    assert_eq!(sealed.once(&[]).code, 0);
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD^"]);
    let offered = sealed.git("fleet", &["rev-parse", "HEAD"]);
    let raw = sealed.once_raw(&["--json"]);
    let cycle: serde_json::Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(cycle["code"], "not-fast-forward", "{raw}");
    assert_eq!(cycle["revision"], format!("main@sha1:{}", offered.trim()));
    assert!(cycle["detail"].as_str().unwrap().contains(&verified[..12]), "{raw}");
}

#[test]
fn a_refusal_says_its_code_the_commit_and_what_to_do() {
    let sealed = settled();
    sealed.git("fleet", &["-c", "commit.gpgsign=false", "commit", "--allow-empty", "-qm", "x"]);
    let unsigned = sealed.git("fleet", &["rev-parse", "HEAD"]);
    let stdout = "refused main@sha1:OID there is no signature\n  code: unsigned\n  commit: OID\n  \
                  hint: sign that commit itself, a later one does not heal it: git commit --amend -S, or take it off the branch; else have root keys adopt it: bowline trust adopt\n";
    let stderr = "INFO recorded seq=3 outcome=refused reason=\"Refused\"\n\
                  WARN cycle over outcome=refused revision=\"main@sha1:OID\" reason=\"Refused\" \
                  code=\"unsigned\" commit=\"OID\" detail=\"there is no signature\" hint=\"sign that \
                  commit itself, a later one does not heal it: git commit --amend -S, or take it off the branch; else have root keys adopt it: bowline trust adopt\"\n";
    sealed.once(&[]).is(1, stdout, stderr);
    // A commit on top of it is what is offered then; the one to blame stays the same.
    sealed.merge("alice", "on top");
    let offered = sealed.git("fleet", &["rev-parse", "HEAD"]);
    let cycle: serde_json::Value = serde_json::from_str(&sealed.once_raw(&["--json"])).unwrap();
    assert_eq!(cycle["revision"], format!("main@sha1:{}", offered.trim()));
    assert_eq!(cycle["commit"], unsigned.trim());
    assert_eq!(cycle["detail"], format!("at {}: there is no signature", &unsigned[..12]));
}

/// What is printed after the first line, which tells the outcome.
fn last_lines(sealed: &Sealed, outcome: &str) -> String {
    let said = sealed.once(&[]);
    assert_eq!(said.code, 1, "{said:?}");
    let (first, rest) = said.stdout.split_once('\n').unwrap();
    assert!(first.starts_with(outcome), "{said:?}");
    let hint = rest.trim_end().rsplit_once("hint: ").unwrap().1;
    assert!(said.stderr.contains(&format!("hint=\"{hint}\"")), "{said:?}");
    rest.to_owned()
}

#[test]
fn what_is_taken_back_held_or_invalid_says_so_as_well() {
    let sealed = settled();
    let probe = "apiVersion: bowline/v1\nkind: Probe\nmetadata: {name: never}\nspec: {exec: {argv: \
                 [/bin/false]}, interval: 1s, deadline: 1s, soak: 0s}\n";
    sealed.write("fleet/apps/probe.yaml", probe);
    let file = "apiVersion: bowline/v1\nkind: File\nmetadata: {name: more}\nspec: {path: \
                /srv/more, content: more}\n";
    sealed.write("fleet/apps/more.yaml", file);
    sealed.merge("alice", "not well");
    let found = last_lines(&sealed, "reverted main@sha1:OID Probe/never was not ready");
    let expected = "  create File/more /srv/more\n  code: probe-failed\n  hint: look at what the probe \
                    saw, correct the change, and merge again: it is not tried again as it is\n";
    assert_eq!(found, expected);
    let found = last_lines(
        &sealed,
        "held main@sha1:OID the change of File/more, Probe/never was taken back",
    );
    let expected = "  code: quarantined\n  hint: merge a change to one of these resources, or take the \
                    change out; or order `bowline retry`\n";
    assert_eq!(found, expected);
    sealed.write("fleet/apps/more.yaml", file.replace("kind: File", "kind: Fil"));
    sealed.merge("alice", "not valid");
    let found = last_lines(&sealed, "refused main@sha1:OID ");
    assert!(found.contains("  code: invalid-manifest\n  hint: correct the manifests: "), "{found}");
}

#[test]
fn a_remote_that_is_gone_is_a_failure_with_a_hint() {
    let sealed = settled();
    fs::rename(sealed.path("fleet"), sealed.path("away")).unwrap();
    let found = last_lines(&sealed, "failed - fetch from HERE/fleet: there is no Git repository");
    let expected = "  code: not-a-repository\n  hint: check [source] url; the agent must be able to \
                    read it; where it names a bundle, put the first one there: bowline bundle import FILE\n";
    assert_eq!(found, expected);
}

#[test]
fn settings_are_checked_and_the_files_named() {
    let sealed = Sealed::found(&["alice"]);
    let check = |file: &str| sealed.agent(&["--config", file, "--check-config"]);
    let before = sealed.snapshot();
    let stdout = "HERE/fleet.agent.toml: valid\nHERE/fleet.trust.yaml: valid\n";
    check("fleet.agent.toml").is(0, stdout, "");
    assert_eq!(sealed.snapshot(), before);
    let good = sealed.read("fleet.agent.toml");
    let with = |url: &str| {
        let line = good.lines().find(|it| it.starts_with("url = ")).unwrap();
        sealed.write("other.toml", good.replace(line, &format!("url = {url}")));
        check("other.toml")
    };
    for (url, told, hint) in [
        (
            "\"https://me:secret@git.example/fleet.git\"",
            "https://git.example/fleet.git: it holds a user or password, which settings show to \
             everybody: name a tokenFile or netrcFile",
            "correct the address under [source] url",
        ),
        (
            "[\"/srv/fleet.git\", \"git://git.example/fleet\"]",
            "git://git.example/fleet: addresses of this kind are not served",
            "name a path, or an address of https, ssh or file, or user@host:path, under [source] url",
        ),
    ] {
        let stderr = format!(
            "error: source.url in HERE/other.toml\ncaused by: fetch from {told}\nhint: {hint}\n"
        );
        with(url).is(2, "", &stderr);
    }
    let hint = "hint: correct the file that tokenFile or netrcFile under [source] names; its mode is \
                0600\n";
    let stderr = format!(
        "error: source.url in HERE/other.toml\ncaused by: find credentials for \
         https://git.example/a\ncaused by: there is no file HERE/none\n{hint}"
    );
    with("\"https://git.example/a\"\ntokenFile = \"none\"").is(2, "", &stderr);
    // What is not there now may be there later.
    assert_eq!(with("\"file:///srv/nowhere.git\"").code, 0);
}

#[test]
fn settings_that_cannot_be_used_are_told_with_a_hint() {
    let sealed = Sealed::found(&["alice"]);
    let good = sealed.read("fleet.agent.toml");
    sealed.write("other.toml", good.replace("refs/heads/main", "refs/heads/other"));
    let stderr = "error: source.ref in HERE/other.toml is refs/heads/other, and the trust file vouches \
                  for refs/heads/main\nhint: packaging/default.toml documents every setting\n";
    sealed.agent(&["--config", "other.toml", "--check-config"]).is(2, "", stderr);
    let stderr = "error: there is no settings file HERE/none.toml\n\
                  hint: packaging/default.toml documents every setting\n";
    sealed.agent(&["--config", "none.toml", "--check-config"]).is(2, "", stderr);
}
