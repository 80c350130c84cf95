//! `bowline trust adopt` and `checkpoint`: what root keys say of commits, and what hosts make of it.
//!
//! What is adopted slips through as it does in life: somebody commits without a signature, with `git`.

use serde_json::Value;

use crate::sealed::{Said, Sealed};

const POLICY: &str = "fleet/.bowline/policy.yaml";

fn verify(sealed: &Sealed) -> Value {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    sealed.bowline(&arguments).json()
}

fn code(sealed: &Sealed) -> String {
    verify(sealed)["code"].as_str().unwrap().to_owned()
}

/// Commits without a signature.
fn slip(sealed: &Sealed, message: &str) {
    sealed.git(
        "fleet",
        &["-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", message],
    );
}

/// A repository of Alice's and Bob's with two unsigned commits on top.
fn slipped() -> Sealed {
    let sealed = Sealed::found(&["alice", "bob"]);
    slip(&sealed, "a web edit");
    slip(&sealed, "another");
    sealed
}

fn adopt(sealed: &Sealed, range: &str, more: &[&str]) -> Said {
    let arguments = ["trust", "adopt", range, "--repo", "fleet"];
    sealed.bowline(&[&arguments, more].concat())
}

const BOTH: [&str; 6] = ["--key", "alice", "--key", "bob", "--reason", "web edits, looked at"];

#[test]
fn what_slipped_through_is_adopted_and_told() {
    let sealed = slipped();
    assert_eq!(code(&sealed), "unsigned");
    let said = adopt(&sealed, "main~2..main", &BOTH);
    let shown: Vec<_> = said.stdout.lines().filter(|it| !it.starts_with("until")).collect();
    assert_eq!(
        shown,
        [
            "adopts  OID and 1 before it",
            "on      refs/heads/main of git+file://HERE/fleet",
            "reason  web edits, looked at",
            "signatures  2",
        ],
        "{said:?}"
    );
    let note = "note: it is in the notes here; with --push REMOTE it goes to where hosts look\n";
    assert_eq!((said.code, said.stderr.as_str()), (0, note));
    let found = verify(&sealed);
    assert_eq!(found["verdict"], "accepted", "{found}");
    let adopted = found["adopted"].as_array().unwrap();
    assert_eq!(adopted.len(), 2);
    assert_eq!(
        (&adopted[1]["code"], &adopted[1]["reason"], &adopted[1]["signers"]),
        (&"unsigned".into(), &"web edits, looked at".into(), &serde_json::json!(["alice", "bob"]))
    );
    let table = sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"]);
    assert!(table.stdout.contains("\nadopted SHORT (unsigned) by alice, bob, "), "{table:?}");
    assert!(table.stderr.contains("and 1 before it came in by adoption: web edits"), "{table:?}");
    // Nothing else comes in with them, and what is signed goes on.
    slip(&sealed, "a third");
    assert_eq!(code(&sealed), "unsigned");
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD^"]);
    sealed.merge("alice", "signed");
    assert_eq!(code(&sealed), "");
}

#[test]
fn several_people_sign_one_adoption_where_they_are() {
    let sealed = slipped();
    let alone = ["--key", "alice", "--reason", "looked at"];
    assert_eq!(adopt(&sealed, "main~2..main", &alone).code, 0);
    assert_eq!(code(&sealed), "unsigned", "one of two");
    let out = [&alone[..], &["--out", "word"]].concat();
    let said = adopt(&sealed, "main~2..main", &out);
    assert!(said.stdout.ends_with("signatures  1\nwritten     word\n"), "{said:?}");
    let with = ["--key", "bob", "--with", "word"];
    let said = adopt(&sealed, "main~1..main", &with);
    let stderr = "error: what others signed adopts other commits than main~1..main\n\
                  hint: name the same range, or begin anew\n";
    said.is(2, "", stderr);
    let said = adopt(&sealed, "main~2..", &with);
    assert!(said.code == 0 && said.stdout.ends_with("signatures  2\n"), "{said:?}");
    assert_eq!(code(&sealed), "");
}

#[test]
fn one_commit_below_others_is_adopted_by_its_name_and_pushed() {
    let sealed = Sealed::found(&["alice", "bob"]);
    sealed.git(".", &["init", "-q", "--bare", "hub"]);
    sealed.git("fleet", &["remote", "add", "origin", "../hub"]);
    slip(&sealed, "a web edit");
    sealed.merge("alice", "signed");
    sealed.git("fleet", &["push", "-q", "origin", "main"]);
    let said = adopt(&sealed, "main~1", &[&BOTH[..], &["--push", "origin"]].concat());
    assert!(said.stdout.ends_with("pushed      refs/notes/attestations to origin\n"), "{said:?}");
    let arguments = ["verify", "--repo", "hub", "--trust", "fleet.trust.yaml", "--json"];
    let found = sealed.bowline(&arguments).json();
    assert_eq!(
        (&found["verdict"], found["adopted"].as_array().unwrap().len()),
        (&"accepted".into(), 1)
    );
}

#[test]
fn an_adoption_that_would_not_count_is_not_made() {
    let sealed = slipped();
    let before = sealed.snapshot();
    let long = [&BOTH[..], &["--for", "91d"]].concat();
    adopt(&sealed, "main", &long).is(2, "", "error: --for 91d is not between 1s and 90d\n");
    let two_lines = ["--key", "alice", "--reason", "two\nlines"];
    let stderr = "error: an adoption that has no reason of one line counts for nothing\n";
    adopt(&sealed, "main", &two_lines).is(2, "", stderr);
    assert_eq!(adopt(&sealed, "main", &["--key", "alice"]).code, 2, "no reason");
    assert_eq!(adopt(&sealed, "main..main", &BOTH).code, 2, "no commit");
    assert_eq!(adopt(&sealed, "main..main~1", &BOTH).code, 2, "the wrong way round");
    assert_eq!(adopt(&sealed, "nothing..main", &BOTH).code, 2);
    sealed.write("junk", "{}\n");
    assert_eq!(adopt(&sealed, "main", &["--key", "alice", "--with", "junk"]).code, 2);
    std::fs::remove_file(sealed.path("junk")).unwrap();
    assert_eq!(sealed.snapshot(), before);
}

#[test]
fn a_new_host_begins_at_a_checkpoint() {
    let sealed = slipped();
    sealed.merge("alice", "signed");
    let vouch = |rev: &str, more: &[&str]| {
        let arguments = ["trust", "checkpoint", rev, "--repo", "fleet"];
        sealed.bowline(&[&arguments, more].concat())
    };
    assert_eq!(code(&sealed), "unsigned");
    let said = vouch("main", &["--key", "alice", "--out", "word"]);
    let table = "vouches for  OID\non           refs/heads/main of git+file://HERE/fleet\n\
                 policy       version 1, sha256 SHA256\nsignatures  1\nwritten     word\n";
    said.is(0, table, "");
    let said = vouch("main~1", &["--key", "bob", "--with", "word"]);
    let stderr = "error: what others signed vouches for something else than main~1\n\
                  hint: name the same commit, or begin anew\n";
    said.is(2, "", stderr);
    assert_eq!(vouch("main", &["--key", "bob", "--with", "word"]).code, 0);
    let found = verify(&sealed);
    assert_eq!(found["verdict"], "accepted", "{found}");
    assert_eq!(
        (&found["checkpoint"]["policyVersion"], &found["checkpoint"]["signers"]),
        (&1.into(), &serde_json::json!(["alice", "bob"]))
    );
    // What is above it is judged as ever.
    let next = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    sealed.write(POLICY, next);
    sealed.merge("alice", "an unsigned policy");
    assert_eq!(code(&sealed), "policy-below-threshold");
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD^"]);
    slip(&sealed, "a third");
    assert_eq!(code(&sealed), "unsigned");
}

#[test]
fn above_what_is_adopted_approvals_are_looked_for_and_junk_hides_nothing() {
    let sealed = Sealed::found(&["alice", "bob"]);
    let policy = sealed.read(POLICY);
    let line = policy.lines().find(|it| it.trim_start().starts_with("mergers:")).unwrap();
    let asked = format!("{line}\n  approvals: {{principals: 1, from: [bob]}}");
    sealed.write(POLICY, policy.replace(line, &asked).replace("version: 1\n", "version: 2\n"));
    let both = ["trust", "sign-policy", POLICY, "--key", "alice", "--key", "bob"];
    assert_eq!(sealed.bowline(&both).code, 0);
    sealed.merge("alice", "policy");
    slip(&sealed, "a web edit");
    sealed.merge("alice", "signed");
    let junk =
        "not an envelope\n{\"payload\":\"\",\"sig\":\"LS0tLS1CRUdJTiBTU0gg\"}\n".repeat(2_000);
    sealed.write("junk", junk);
    let file = sealed.path("junk").display().to_string();
    for commit in ["main", "main~1"] {
        sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", &file, commit]);
    }
    assert_eq!(code(&sealed), "unsigned");
    assert_eq!(adopt(&sealed, "main~1", &BOTH).code, 0);
    assert_eq!(code(&sealed), "approval-missing");
    let found = verify(&sealed);
    assert_eq!(found["adopted"][0]["approvalsWaived"], 1, "{found}");
    let table = sealed.bowline(&["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml"]);
    assert!(table.stdout.contains(", approvals waived: 1: "), "{table:?}");
    assert!(
        table.stderr.contains(", without the 1 approvals that a policy asks for: "),
        "{table:?}"
    );
    let approve = ["approve", "main", "--repo", "fleet", "--key", "bob"];
    assert_eq!(sealed.bowline(&approve).code, 0);
    assert_eq!(code(&sealed), "");
}
