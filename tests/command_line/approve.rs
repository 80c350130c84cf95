//! `bowline approve`: a person's word on a change, and what hosts make of it.
//!
//! A merge is made as a person makes it: with `git`, from a branch that others pushed.

use crate::sealed::{Said, Sealed};

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// A repository whose policy asks for one approval besides the merge, and a branch `pr` by Bob on it.
fn asking(approvals: &str) -> Sealed {
    let sealed = Sealed::found(&["alice", "bob", "carol"]);
    let policy = sealed.read(POLICY);
    let line = policy.lines().find(|it| it.trim_start().starts_with("mergers:")).unwrap();
    let asked = format!("{line}\n  approvals: {approvals}");
    let next = policy.replace(line, &asked).replace("version: 1\n", "version: 2\n");
    assert_ne!(policy, next);
    sealed.write(POLICY, next);
    let signed =
        sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "alice", "--key", "bob"]);
    assert_eq!(signed.code, 0, "{signed:?}");
    sealed.merge("alice", "policy");
    sealed.git("fleet", &["switch", "-qc", "pr"]);
    sealed.write("fleet/manifests/motd.txt", "welcome\n");
    sealed.merge("bob", "a greeting");
    sealed.git("fleet", &["switch", "-q", "main"]);
    sealed
}

/// Merges the branch as Alice, with a merge commit.
fn merge_pr(sealed: &Sealed) {
    let signing = format!("user.signingkey={}", sealed.path("alice").display());
    sealed.git("fleet", &["-c", &signing, "merge", "-q", "--no-ff", "-m", "merge pr", "pr"]);
}

fn approve(sealed: &Sealed, rev: &str, key: &str) -> Said {
    sealed.bowline(&["approve", rev, "--repo", "fleet", "--key", key])
}

fn verify(sealed: &Sealed) -> serde_json::Value {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    sealed.bowline(&arguments).json()
}

fn code(sealed: &Sealed) -> String {
    verify(sealed)["code"].as_str().unwrap().to_owned()
}

const BY_BOTH: &str = "{principals: 1, from: [alice, bob]}";

#[test]
fn what_is_approved_is_shown_and_counts_once_it_is_merged() {
    let sealed = asking(BY_BOTH);
    let said = approve(&sealed, "pr", "bob");
    assert_eq!(said.code, 0, "{said:?}");
    let shown: Vec<_> = said.stdout.lines().filter(|it| !it.starts_with("until")).collect();
    assert_eq!(
        shown,
        [
            "approves  OID (to be merged)",
            "onto      SHORT of refs/heads/main",
            "in        git+file://HERE/fleet",
            "by        bob",
            "changes   1 file",
            "  A manifests/motd.txt",
        ]
    );
    let note = "note: it is in the notes here; with --push REMOTE it goes to where hosts look\n";
    assert_eq!(said.stderr, note);
    merge_pr(&sealed);
    let found = verify(&sealed);
    assert_eq!(
        (&found["verdict"], &found["approvals"][0]["principal"]),
        (&"accepted".into(), &"bob".into())
    );
}

#[test]
fn without_an_approval_the_merge_waits_and_one_afterwards_is_as_good() {
    let sealed = asking(BY_BOTH);
    merge_pr(&sealed);
    let found = verify(&sealed);
    assert_eq!(
        (&found["verdict"], &found["code"]),
        (&"pending".into(), &"approval-missing".into())
    );
    let said = approve(&sealed, "main", "bob");
    assert!(said.stdout.starts_with("approves  OID (merged)\n"), "{said:?}");
    assert_eq!(code(&sealed), "");
}

#[test]
fn a_branch_that_changed_since_needs_a_new_one_and_a_base_that_moved_elsewhere_does_not() {
    let sealed = asking(BY_BOTH);
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    sealed.write("fleet/manifests/other.txt", "elsewhere\n");
    sealed.merge("alice", "elsewhere");
    assert_eq!(approve(&sealed, "main", "bob").code, 0);
    merge_pr(&sealed);
    assert_eq!(code(&sealed), "", "the base moved elsewhere");

    let sealed = asking(BY_BOTH);
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    sealed.git("fleet", &["switch", "-q", "pr"]);
    sealed.write("fleet/manifests/motd.txt", "go away\n");
    sealed.merge("bob", "another greeting");
    sealed.git("fleet", &["switch", "-q", "main"]);
    merge_pr(&sealed);
    let found = verify(&sealed);
    assert_eq!(found["code"], "approval-missing", "the branch changed");
    let detail = found["detail"].as_str().unwrap();
    assert!(detail.ends_with("; that of \"bob\" is of another change"), "{detail}");
}

#[test]
fn whoever_verifies_a_clone_without_its_notes_is_told_how_to_fetch_them() {
    let sealed = asking(BY_BOTH);
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    merge_pr(&sealed);
    sealed.git(".", &["clone", "-q", "fleet", "clone"]);
    let verify = || {
        let arguments = ["verify", "--repo", "clone", "--trust", "fleet.trust.yaml", "--json"];
        let found = sealed.bowline(&arguments).json();
        (found["code"].clone(), found["warnings"].clone())
    };
    let (code, warnings) = verify();
    let warning = "refs/notes/attestations is not in clone, and approvals and statements for gates lie there: git -C \
                   clone fetch origin refs/notes/attestations:refs/notes/attestations";
    assert_eq!((code, warnings), ("approval-missing".into(), serde_json::json!([warning])));
    let (_, command) = warning.split_once(": git ").unwrap();
    sealed.git(".", &command.split(' ').collect::<Vec<_>>());
    assert_eq!(verify(), ("".into(), serde_json::json!([])));
}

#[test]
fn a_squashed_branch_is_the_same_change() {
    let sealed = asking(BY_BOTH);
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    sealed.git("fleet", &["merge", "-q", "--squash", "pr"]);
    sealed.merge("alice", "a greeting, squashed");
    assert_eq!(code(&sealed), "");
}

#[test]
fn an_approval_is_used_up_by_the_merge_that_it_let_through() {
    let sealed = asking(BY_BOTH);
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    merge_pr(&sealed);
    let signing = format!("user.signingkey={}", sealed.path("alice").display());
    sealed.git("fleet", &["-c", &signing, "revert", "--no-edit", "-m", "1", "HEAD"]);
    assert_eq!(approve(&sealed, "main", "bob").code, 0);
    assert_eq!(code(&sealed), "");
    sealed.git("fleet", &["-c", &signing, "revert", "--no-edit", "HEAD"]);
    assert_eq!(code(&sealed), "approval-missing", "the same change once more");
    assert_eq!(approve(&sealed, "main", "bob").code, 0);
    assert_eq!(code(&sealed), "");
}

#[test]
fn an_author_does_not_approve_her_own_work() {
    let sealed = asking("{principals: 1, from: [alice, bob, carol], excludeAuthors: true}");
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    merge_pr(&sealed);
    let found = verify(&sealed);
    assert_eq!(found["code"], "approval-missing");
    let detail = found["detail"].as_str().unwrap();
    assert!(detail.ends_with("; that of \"bob\" was made by an author of the change"), "{detail}");
    assert_eq!(approve(&sealed, "main", "alice").code, 0);
    assert_eq!(code(&sealed), "approval-missing", "whoever merges signs for what is in it");
    assert_eq!(approve(&sealed, "main", "carol").code, 0);
    assert_eq!(code(&sealed), "");
}

#[test]
fn notes_of_strangers_hide_nothing() {
    let sealed = asking(BY_BOTH);
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    let junk = "not an envelope\n{\"payload\":\"\"}\n".repeat(2_000);
    sealed.write("junk", junk);
    let file = sealed.path("junk").display().to_string();
    for object in ["pr", "pr^{tree}"] {
        sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", &file, object]);
    }
    for number in 0..300 {
        let blob = format!("{number}");
        sealed.write("blob", blob);
        let blob = sealed.path("blob").display().to_string();
        let id = sealed.git("fleet", &["hash-object", "-w", &blob]);
        sealed.git("fleet", &["notes", "--ref=attestations", "add", "-m", "x", id.trim()]);
    }
    merge_pr(&sealed);
    assert_eq!(code(&sealed), "");
}

#[test]
fn what_would_not_count_is_not_made() {
    let sealed = asking("{principals: 1, from: [bob]}");
    let stderr = "error: an approval with this key would not count\n\
                  caused by: \"alice\" is not among merge.approvals.from\n\
                  hint: see principals and merge.approvals in .bowline/policy.yaml\n";
    approve(&sealed, "pr", "alice").is(1, "", stderr);
    sealed.key("mallory");
    assert_eq!(approve(&sealed, "pr", "mallory").code, 1);
    assert_eq!(approve(&sealed, "nothing", "bob").code, 2);
    assert_eq!(approve(&sealed, "main~1", "bob").code, 2, "the anchor");
    let long = ["approve", "pr", "--repo", "fleet", "--key", "bob", "--for", "91d"];
    sealed.bowline(&long).is(2, "", "error: --for 91d is not between 1s and 90d\n");
    sealed.write("fleet/manifests/motd.txt", "mine\n");
    sealed.merge("alice", "the same file");
    let said = approve(&sealed, "pr", "bob");
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert!(said.stderr.contains("without conflicts: manifests/motd.txt"), "{said:?}");
}

#[test]
fn an_approval_can_be_carried_by_hand() {
    let sealed = asking(BY_BOTH);
    let said =
        sealed.bowline(&["approve", "pr", "--repo", "fleet", "--key", "bob", "--out", "word"]);
    assert_eq!(said.code, 0, "{said:?}");
    let word = sealed.path("word").display().to_string();
    merge_pr(&sealed);
    assert_eq!(code(&sealed), "approval-missing");
    sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", &word, "HEAD"]);
    assert_eq!(code(&sealed), "");
}

#[test]
fn a_branch_is_found_as_a_clone_has_it() {
    let sealed = asking(BY_BOTH);
    sealed.git(".", &["clone", "-q", "fleet", "clone"]);
    for name in ["pr", "origin/pr", "refs/remotes/origin/pr"] {
        let said =
            sealed.bowline(&["approve", name, "--repo", "clone", "--key", "bob", "--out", "w"]);
        assert_eq!(said.code, 0, "{name}: {said:?}");
    }
}

#[test]
fn a_merge_that_changes_nothing_is_approved_like_any_other_and_the_one_that_waits_is_named() {
    let sealed = asking(BY_BOTH);
    sealed.merge("alice", "nothing");
    assert_eq!(approve(&sealed, "pr", "bob").code, 0);
    merge_pr(&sealed);
    let found = verify(&sealed);
    // It is named where it is not the newest; ids are shown by their kind here.
    assert_eq!((&found["code"], &found["commit"]), (&"approval-missing".into(), &"OID".into()));
    assert_eq!(approve(&sealed, "main~1", "bob").code, 0);
    assert_eq!(code(&sealed), "");
}

#[test]
fn a_policy_that_hosts_refuse_for_its_keys_is_neither_valid_nor_signed() {
    let sealed = Sealed::found(&["alice", "bob"]);
    let [alice, bob] =
        ["alice.pub", "bob.pub"].map(|it| sealed.read(it).split(' ').nth(1).unwrap().to_owned());
    let policy = sealed.read(POLICY);
    let twice = policy.replacen(&bob, &alice, 1).replace("version: 1\n", "version: 2\n");
    assert_ne!(policy, twice);
    sealed.write(POLICY, twice);
    let said = sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "alice"]);
    assert!(said.code == 1 && said.stderr.contains("one key stands twice"), "{said:?}");
    let said = sealed.bowline(&["validate", "fleet"]);
    assert!(said.code == 1 && said.stderr.contains("one key stands twice"), "{said:?}");
}
