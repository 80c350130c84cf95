//! `bowline bundle`: what is carried to hosts without a network, and what is not put in its place.

use serde_json::json;

use crate::sealed::Sealed;

const AGENT: &str = "[source]\nurl = \"drop.bundle\"\n[host]\nkey = \"host.key\"\n[state]\ndir = \"state\"\n\
                     [trust]\nfile = \"fleet.trust.yaml\"\n";

fn create(more: &[&str]) -> Vec<String> {
    let words = [&["bundle", "create", "--repo", "fleet"], more].concat();
    words.into_iter().map(str::to_owned).collect()
}

fn bowline(sealed: &Sealed, words: &[String]) -> crate::sealed::Said {
    sealed.bowline(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_bundle_says_what_it_brings_and_what_it_builds_on() {
    let sealed = Sealed::found(&["alice"]);
    let note =
        "note: the repository has no refs/notes/attestations; fetch them first if there are any\n";
    let stdout = "bundle           out.bundle\nrefs/heads/main  OID\nevidence         none\n";
    bowline(&sealed, &create(&["out.bundle"])).is(0, stdout, note);
    sealed.git("fleet", &["notes", "--ref=attestations", "add", "-m", "{}", "HEAD"]);
    sealed.write("fleet/more", "more");
    sealed.merge("alice", "more");
    let stdout = "bundle           out.bundle\nrefs/heads/main  OID\nevidence         OID\n\
                  builds on        OID\n";
    bowline(&sealed, &create(&["out.bundle", "--since", "HEAD^"])).is(0, stdout, "");
    let shown = bowline(&sealed, &create(&["out.bundle", "--since", "HEAD^", "--json"])).json();
    let expected = json!({"file": "out.bundle", "ref": "refs/heads/main", "commit": "OID",
                          "notes": "OID", "prerequisites": ["OID"]});
    assert_eq!(shown, expected);
    sealed.git(".", &["bundle", "list-heads", "out.bundle"]);
    // Only evidence is new: a host that has the commit takes it all the same.
    let said = bowline(&sealed, &create(&["out.bundle", "--since", "HEAD"]));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.starts_with("warning: refs/heads/main brings nothing beyond"), "{said:?}");
}

#[test]
fn what_cannot_be_bundled_is_told() {
    let sealed = Sealed::found(&["alice"]);
    for (more, code, words) in [
        (&["out", "--ref", "main"][..], 2, "is no whole name of a branch"),
        (&["out", "--ref", "refs/heads/none"], 1, "there is no refs/heads/none in fleet"),
        (&["out", "--since", "none"], 2, "there is no commit \"none\" in fleet"),
        (&["out", "--since", "HEAD"], 1, "git says: fatal: Refusing to create empty bundle"),
        (&["none/out"], 1, "write the bundle of fleet"),
    ] {
        let said = bowline(&sealed, &create(more));
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{said:?}");
        assert!(said.stderr.contains(words), "{said:?}");
        assert!(!sealed.path("out").exists(), "{said:?}");
    }
}

#[test]
fn a_bundle_is_put_where_the_settings_say_or_nowhere() {
    let sealed = Sealed::found(&["alice"]);
    sealed.write("agent.toml", AGENT);
    bowline(&sealed, &create(&["out.bundle"]));
    let import = |file: &str, config: &str| {
        sealed.bowline(&["bundle", "import", file, "--config", config, "--root", "root"])
    };
    let said = import("out.bundle", "agent.toml");
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (0, "the agent verifies it at its next poll; `bowline sync --wait` asks at once\n"),
        "{said:?}"
    );
    assert!(said.stdout.contains("drop.bundle\nrefs/heads/main  OID\n"), "{said:?}");
    let put = std::fs::read(sealed.path("drop.bundle")).unwrap();
    assert!(put == std::fs::read(sealed.path("out.bundle")).unwrap());
    sealed.write("apart.toml", AGENT.replace("drop.bundle", "drop/fleet.bundle"));
    let said = import("out.bundle", "apart.toml");
    let hint = "hint: make its folder first: install -d -m 700 HERE/drop\n";
    assert!(said.code == 1 && said.stderr.ends_with(hint), "{said:?}");
    let said = sealed.bowline(&["bundle", "create", "out"]);
    let hint = "hint: --repo names the repository, where it is not this folder\n";
    assert!(said.code == 1 && said.stderr.ends_with(hint), "{said:?}");
    sealed.write("text", "hello\n");
    sealed.write("net.toml", AGENT.replace("drop.bundle", "https://git.example/fleet.git"));
    sealed.git("fleet", &["bundle", "create", "-q", "../head.bundle", "HEAD"]);
    let before = sealed.snapshot();
    for (file, config, code, words) in [
        ("none", "agent.toml", 2, "error: there is no bundle none\n"),
        ("text", "agent.toml", 1, "it is no Git bundle of version 2 or 3"),
        ("head.bundle", "agent.toml", 1, "it has no refs/heads/main"),
        ("out.bundle", "net.toml", 2, "names no bundle"),
        ("out.bundle", "none.toml", 2, "there is no settings file"),
    ] {
        let said = import(file, config);
        assert_eq!((said.code, said.stdout.as_str()), (code, ""), "{file}: {said:?}");
        assert!(said.stderr.contains(words), "{file}: {said:?}");
    }
    assert_eq!(sealed.snapshot(), before, "what is refused touches nothing");
}

#[test]
fn a_clone_that_fell_behind_is_not_bundled_and_missing_evidence_is_told() {
    let sealed = Sealed::found(&["alice"]);
    sealed.git(".", &["clone", "-q", "fleet", "clone"]);
    sealed.merge("alice", "more");
    sealed.git("clone", &["fetch", "-q"]);
    let create = ["bundle", "create", "--repo", "clone", "out.bundle"];
    let said = sealed.bowline(&create);
    let stderr = "error: no bundle is written: the branch here is not the one that origin has\n\
                  caused by: refs/heads/main is SHORT here, and refs/remotes/origin/main is SHORT\n\
                  hint: bring it up to date (git -C clone switch main && git -C clone merge --ff-only \
                  refs/remotes/origin/main)\n";
    said.is(1, "", stderr);
    assert!(!sealed.path("out.bundle").exists());
    sealed.git("clone", &["merge", "-q", "--ff-only", "origin/main"]);
    let said = sealed.bowline(&create);
    let note = "note: the repository has no refs/notes/attestations: git -C clone fetch origin \
                refs/notes/attestations:refs/notes/attestations\n";
    assert_eq!((said.code, said.stderr.as_str()), (0, note), "{said:?}");
    // What is ahead of origin is somebody's own, and is what they mean.
    sealed.git(
        "clone",
        &["-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "own"],
    );
    assert_eq!(sealed.bowline(&create).code, 0);
    sealed.git("clone", &["reset", "-q", "--hard", "HEAD^"]);
    // A policy that asks for approvals.
    let policy = sealed.read("fleet/.bowline/policy.yaml");
    let line = policy.lines().find(|it| it.trim_start().starts_with("mergers:")).unwrap();
    let asked = format!("{line}\n  approvals: {{principals: 1, from: [alice]}}");
    let policy = policy.replace(line, &asked).replace("version: 1\n", "version: 2\n");
    sealed.write("fleet/.bowline/policy.yaml", policy);
    assert_eq!(sealed.bowline_in("fleet", &["policy", "sign", "--key", "../alice"]).code, 0);
    sealed.merge("alice", "ask");
    sealed.git("clone", &["pull", "-q", "--ff-only"]);
    for more in [&[][..], &["--json"]] {
        let said = sealed.bowline(&[&create, more].concat());
        let told = "warning: the bundle brings no evidence, and the policy asks for some: hosts will wait for it. ";
        assert!(said.code == 0 && said.stderr.starts_with(told), "{said:?}");
    }
    sealed.git("clone", &["notes", "--ref=attestations", "add", "-m", "{}", "HEAD"]);
    assert_eq!(sealed.bowline(&create).stderr, "");
}
