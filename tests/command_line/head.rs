//! `bowline head sign`: the word that the newest commit is the newest, and what hosts make of it.

use std::fs;

use serde_json::Value;

use crate::sealed::{Said, Sealed};

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// A repository whose policy asks for a word of the robot `clock`, six hours old at most.
fn asking() -> Sealed {
    let sealed = Sealed::found(&["alice"]);
    for name in ["clock.pem", "other.pem"] {
        sealed.run(".", "openssl", &["genpkey", "-algorithm", "ed25519", "-out", name]);
    }
    let public = sealed.run(".", "openssl", &["pkey", "-in", "clock.pem", "-pubout"]);
    let public = public.replace('\n', "\\n");
    let robot = format!(
        "principals:\n  clock: {{kind: robot, keys: [{{type: spki, key: \"{public}\"}}]}}\n"
    );
    let policy = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    let policy = policy.replace("principals:\n", &robot);
    sealed.write(POLICY, policy + "freshness: {signer: clock, maxAge: 6h}\n");
    let said = sealed.bowline_in("fleet", &["trust", "sign-policy", "--key", "../alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "ask for freshness");
    sealed
}

fn sign(sealed: &Sealed, key: &str, more: &[&str]) -> Said {
    let arguments =
        ["head", "sign", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--state", "vouched"];
    sealed.bowline(&[&arguments, &["--key", key][..], more].concat())
}

fn verify(sealed: &Sealed, more: &[&str]) -> Value {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    sealed.bowline(&[&arguments, more].concat()).json()
}

fn word(sealed: &Sealed, more: &[&str]) -> (String, String) {
    let found = verify(sealed, more);
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("code"))
}

fn is(found: &(String, String), verdict: &str, code: &str) {
    assert_eq!((found.0.as_str(), found.1.as_str()), (verdict, code));
}

fn note(sealed: &Sealed, repo: &str) -> Vec<String> {
    let note = sealed.git(repo, &["notes", "--ref=attestations", "show", "main"]);
    note.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[test]
fn attack_32_what_is_signed_is_shown_and_hosts_go_on_until_it_is_too_old() {
    let sealed = asking();
    is(&word(&sealed, &[]), "stale", "stale");
    let said = sign(&sealed, "clock.pem", &[]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    let shown: Vec<_> = said.stdout.lines().filter(|it| !it.starts_with("issued")).collect();
    assert_eq!(shown, ["head    OID", "of      refs/heads/main", "in      git+file://HERE/fleet"]);
    is(&word(&sealed, &[]), "accepted", "");
    assert!(verify(&sealed, &[])["proved"].is_string());
    let found = verify(&sealed, &["--at", "2099-01-01T00:00:00Z"]);
    // By then the policy has expired too, which no word on freshness heals.
    assert_ne!(found["verdict"], "accepted", "{found}");
    // What is merged on top is believed for as long as the word is good, and then it needs its own.
    sealed.merge("alice", "more");
    is(&word(&sealed, &[]), "accepted", "");
}

#[test]
fn the_newest_word_takes_the_place_of_older_ones_and_of_nothing_else() {
    let sealed = asking();
    sealed.git("fleet", &["notes", "--ref=attestations", "add", "-m", "{\"a\": 1}", "main"]);
    for _ in 0..3 {
        assert_eq!(sign(&sealed, "clock.pem", &[]).code, 0);
    }
    let lines = note(&sealed, "fleet");
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[0], "{\"a\": 1}");
    sealed.git(".", &["clone", "-q", "--bare", "fleet", "served.git"]);
    let said = sign(&sealed, "clock.pem", &["--push", "../served.git"]);
    assert!(
        said.stdout.starts_with("pushed  refs/notes/attestations to ../served.git\n"),
        "{said:?}"
    );
    assert_eq!(note(&sealed, "served.git").len(), 2);
    let said = sign(&sealed, "clock.pem", &["--out", "-"]);
    assert!(said.stdout.starts_with('{') && said.stdout.lines().count() == 1, "{said:?}");
}

#[test]
fn a_key_that_proves_nothing_signs_nothing() {
    let sealed = asking();
    let said = sign(&sealed, "other.pem", &[]);
    assert_eq!(said.code, 1);
    assert!(
        said.stderr.contains("is no key of the policy's freshness.signer")
            && said.stderr.contains("hint: see freshness and principals in .bowline/policy.yaml"),
        "{said:?}"
    );
    let said = sign(&sealed, "alice", &[]);
    assert!(said.code == 1 && said.stderr.contains("freshness.signer"), "{said:?}");
    assert_eq!(sign(&sealed, "none.pem", &[]).code, 2);
    is(&word(&sealed, &[]), "stale", "stale");
}

#[test]
fn attack_32_a_branch_that_is_rewound_is_not_signed() {
    let sealed = asking();
    sealed.merge("alice", "one more");
    assert_eq!(sign(&sealed, "clock.pem", &[]).code, 0);
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD~1"]);
    let said = sign(&sealed, "clock.pem", &[]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("not-fast-forward"), "{said:?}");
    is(&word(&sealed, &[]), "stale", "stale");
    // Whoever forgets what was signed would help to rewind: the state is that important.
    fs::remove_dir_all(sealed.path("vouched")).unwrap();
    assert_eq!(sign(&sealed, "clock.pem", &[]).code, 0);
}

#[test]
fn a_branch_that_is_refused_is_not_signed() {
    let sealed = asking();
    sealed.git("fleet", &["commit", "--allow-empty", "--no-gpg-sign", "-qm", "unsigned"]);
    let said = sign(&sealed, "clock.pem", &[]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("the head is not signed\ncaused by: unsigned at "), "{said:?}");
}

#[test]
fn programs_hear_what_was_vouched_for_and_where_it_is() {
    let sealed = asking();
    let found = sign(&sealed, "clock.pem", &["--json"]).json();
    let shown = (&found["head"], &found["ref"], &found["repoUri"]);
    assert_eq!(shown, (&"OID".into(), &"refs/heads/main".into(), &"git+file://HERE/fleet".into()));
    assert!(found["issued"].is_string() && found["written"].is_null(), "{found}");
    let found = sign(&sealed, "clock.pem", &["--json", "--out", "word"]).json();
    assert_eq!((&found["written"], &found["pushed"]), (&"word".into(), &Value::Null));
    assert_eq!(sign(&sealed, "clock.pem", &["--json", "--out", "-"]).code, 2);
}
