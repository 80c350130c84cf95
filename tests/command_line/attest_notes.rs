//! `bowline attest --note` and `--push`: evidence of several writers, by the real git.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use crate::attest::{GATES, fleet};
use crate::sealed::{Said, Sealed};

/// `bowline attest coverage --repo REPO MORE…`
fn attest(sealed: &Sealed, repo: &str, more: &[&str]) -> Said {
    let arguments = ["attest", "coverage", "--repo", repo, "--key", "ed.pem", "lcov.info"];
    sealed.bowline(&[&arguments, more].concat())
}

/// The same by a key on P-256, two of whose signatures are never the same, not even in one second.
fn attest_apart(sealed: &Sealed, repo: &str, more: &[&str]) -> Said {
    let arguments = ["attest", "coverage", "--repo", repo, "--key", "ec.pem", "--min", "1"];
    sealed.bowline(&[&arguments, &["lcov.info"][..], more].concat())
}

/// The lines of the notes of an object, blank ones left out.
fn notes(sealed: &Sealed, repo: &str, object: &str) -> Vec<String> {
    let text = sealed.git(repo, &["notes", "--ref=attestations", "show", object]);
    text.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// A bare `remote.git`, and clones of it by these names.
fn cloned(clones: &[&str]) -> Sealed {
    let sealed = fleet(GATES);
    sealed.git(".", &["clone", "-q", "--bare", "fleet", "remote.git"]);
    for clone in clones {
        sealed.git(".", &["clone", "-q", "remote.git", clone]);
    }
    sealed
}

#[test]
fn evidence_is_noted_on_the_commit_and_its_tree_beside_what_was_there() {
    let sealed = fleet(GATES);
    assert_eq!(attest(&sealed, "fleet", &["--note", "--out", "one"]).code, 0);
    let said = attest(&sealed, "fleet", &["--note", "--out", "two", "--format", "bundle"]);
    assert!(said.code == 0 && said.stdout.contains("evidence  two, notes\n"), "{said:?}");
    let both = ["one", "two"].map(|it| sealed.read(it).trim_end().to_owned());
    for object in ["HEAD", "HEAD^{tree}"] {
        assert_eq!(notes(&sealed, "fleet", object), both);
    }
    let before = sealed.git("fleet", &["rev-parse", "refs/notes/attestations"]);
    assert_eq!(attest(&sealed, "fleet", &["--note", "--min", "81"]).code, 1);
    assert_eq!(sealed.git("fleet", &["rev-parse", "refs/notes/attestations"]), before);
    assert_eq!(attest(&sealed, "fleet", &[]).code, 2);
}

#[test]
fn writers_who_push_at_once_lose_nothing() {
    let sealed = cloned(&["one", "two"]);
    let jobs: Vec<(&str, String)> =
        (0..6).map(|it| (["one", "two"][it % 2], format!("line-{it}"))).collect();
    thread::scope(|scope| {
        let sealed = &sealed;
        let running: Vec<_> = jobs
            .iter()
            .map(|(repo, out)| {
                let more = ["--push", "origin", "--out", out];
                scope.spawn(move || attest_apart(sealed, repo, &more))
            })
            .collect();
        for job in running {
            let said = job.join().unwrap();
            assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
        }
    });
    let mut lines: Vec<_> =
        jobs.iter().map(|(_, out)| sealed.read(out).trim_end().to_owned()).collect();
    lines.sort();
    for object in ["HEAD", "HEAD^{tree}"] {
        let mut found = notes(&sealed, "remote.git", object);
        found.sort();
        assert_eq!(found, lines, "{object}");
    }
}

#[test]
fn a_map_of_all_notes_does_not_put_theirs_in_the_place_of_ours() {
    let sealed = cloned(&["one", "two"]);
    let map = ["config", "--add", "remote.origin.fetch", "+refs/notes/*:refs/notes/*"];
    sealed.git("two", &map);
    for (repo, of) in [("one", "lines"), ("two", "branches")] {
        sealed.write("lcov.info", "SF:a\nDA:1,1\nBRDA:1,0,0,1\nend_of_record\n");
        let more = ["--of", of, "--min", "1", "--push", "origin", "--out", of];
        let said = attest(&sealed, repo, &more);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    }
    let mut both = ["lines", "branches"].map(|it| sealed.read(it).trim_end().to_owned());
    both.sort();
    assert_eq!(notes(&sealed, "remote.git", "HEAD"), both);
}

#[test]
fn a_job_without_a_name_and_in_a_hook_notes_in_the_repository_that_it_names() {
    let sealed = cloned(&["one"]);
    fs::remove_file(sealed.path("home/.gitconfig")).unwrap();
    let bowline = tests::binaries::bowline();
    let script = format!(
        "export GIT_DIR=$PWD/fleet/.git; exec {} attest coverage --repo one --key ed.pem lcov.info --push origin",
        bowline.display()
    );
    sealed.run(".", "sh", &["-c", &script]);
    assert_eq!(notes(&sealed, "remote.git", "HEAD").len(), 1);
    let author =
        sealed.git("remote.git", &["log", "-1", "--format=%an", "refs/notes/attestations"]);
    assert_eq!(author, "bowline\n");
    let refs = sealed.git("fleet", &["for-each-ref", "refs/notes"]);
    assert_eq!(refs, "");
}

#[test]
fn a_remote_that_says_no_is_quoted_and_the_note_stays_here() {
    let sealed = cloned(&["one"]);
    sealed.write("remote.git/hooks/pre-receive", "#!/bin/sh\necho not today >&2\nexit 1\n");
    let hook = sealed.path("remote.git/hooks/pre-receive");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let said = attest(&sealed, "one", &["--push", "origin"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    for part in ["error: git did not push the notes: ", "pre-receive hook declined", "not today"] {
        assert!(said.stderr.contains(part), "{part}: {said:?}");
    }
    assert_eq!(notes(&sealed, "one", "HEAD").len(), 1);
    let secret = "https://me:s3cret@127.0.0.1:9/x.git";
    let said = attest(&sealed, "one", &["--push", secret]);
    assert!(said.code == 1 && said.stderr.contains("127.0.0.1"), "{said:?}");
    assert!(!said.stderr.contains("s3cret"), "{said:?}");
    let said = attest(&sealed, "one", &["--push", "nowhere"]);
    assert!(said.code == 1 && said.stderr.contains("'nowhere'"), "{said:?}");
}
