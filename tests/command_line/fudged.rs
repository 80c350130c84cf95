//! Git's own cases of signed, fudged and outdated commits (t7510, t7528), judged by Git and by `bowline trust inspect`.
//!
//! **Invariant:** what Git calls bad is never `valid`; where Git calls good what is not valid here, the table says so.

use crate::openpgp::{COMMITTED, DAY, Desk};
use crate::sealed::Sealed;

/// A raw commit by what it is, with Git's verdict and ours.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

/// Holds both verdicts on each commit against the table; `git` are the options that Git needs.
#[track_caller]
fn judge(sealed: &Sealed, git: &str, keys: &[&str], cases: Vec<Case>) {
    let verify = format!(
        "test -d ask || git init --quiet ask; \
         id=$(git -C ask hash-object --literally -t commit -w ../raw) && \
         git -C ask {git} verify-commit $id >/dev/null 2>&1 && echo valid || echo invalid"
    );
    for (what, raw, theirs, ours) in cases {
        sealed.write("raw", raw);
        let arguments = [&["trust", "inspect", "raw", "--json"], keys].concat();
        let said = sealed.bowline(&arguments);
        assert_eq!(said.json()["result"], ours, "{what}: {said:?}");
        assert_eq!(sealed.run(".", "sh", &["-c", &verify]).trim(), theirs, "{what}: Git");
    }
}

/// What can be made of any two signed commits without a key; `twice` is what Git says to two signatures.
fn fudged(first: &str, second: &str, twice: &'static str) -> Vec<Case> {
    let (head, rest) = first.split_once("gpgsig ").unwrap();
    let (signature, message) = rest.split_once("\n\n").unwrap();
    let unsigned = format!("{head}\n{message}");
    let (_, other) = second.split_once("gpgsig ").unwrap();
    let (other, _) = other.split_once("\n\n").unwrap();
    let case = |what, raw: String, theirs, ours| (what, raw.into_bytes(), theirs, ours);
    vec![
        case("signed", first.to_owned(), "valid", "valid"),
        case("unsigned", unsigned.clone(), "invalid", "unsigned"),
        case("fudged", first.replace("Begin", "7th forged"), "invalid", "invalid"),
        case("fudged with NUL", format!("{first}\0Qwik\n"), "invalid", "malformed"),
        case("fudged time", first.replacen(" +0000", " +0100", 1), "invalid", "invalid"),
        case(
            "another's signature",
            format!("{head}gpgsig {other}\n\n{message}"),
            "invalid",
            "invalid",
        ),
        case(
            "a signature in the message",
            format!("{unsigned}\ngpgsig {signature}\n"),
            "invalid",
            "unsigned",
        ),
        case(
            "a header more",
            first.replace("gpgsig ", "encoding UTF-8\ngpgsig "),
            "invalid",
            "invalid",
        ),
        // Git joins them; ssh-keygen reads the first.
        case(
            "the header twice",
            first.replace("\n\nBegin", &format!("\ngpgsig {other}\n\nBegin")),
            twice,
            "malformed",
        ),
    ]
}

#[test]
fn commits_signed_with_openpgp_are_judged_as_in_the_tests_of_git() {
    let Some(desk) = Desk::new() else { return };
    // Git asks whether a key counts now, whatever the commit's date.
    for (name, lasting) in
        [("alice", "never"), ("bob", "never"), ("gone", "never"), ("carol", "2d")]
    {
        desk.key_for(name, "ed25519", &[], lasting);
    }
    let by =
        |who: &str, more: &[&str]| desk.commit(COMMITTED, &[more, &["--local-user", who]].concat());
    let first = by("alice", &[]);
    let second = desk.commit(COMMITTED + 60, &["--local-user", "alice"]);
    let double = by("alice", &["--local-user", "bob"]);
    let ending = by("alice", &["--default-sig-expire=1d", "--no-ask-sig-expire"]);
    let unknown = by("gone", &[]);
    let ended = desk.commit(COMMITTED + DAY, &["--local-user", "carol"]);
    let keys = desk.public(&["alice", "bob", "carol"]);
    desk.gpg(&["--delete-secret-and-public-key", &desk.fingerprint("gone")]);
    desk.0.write("keys.asc", keys);
    let mut cases = fudged(&first, &second, "invalid");
    cases.extend([
        ("two signatures", double.into_bytes(), "invalid", "malformed"),
        ("a signature that ended", ending.into_bytes(), "invalid", "unsupported"),
        ("an unknown key", unknown.into_bytes(), "invalid", "invalid"),
        ("a key that ended", ended.into_bytes(), "invalid", "invalid"),
    ]);
    judge(&desk.0, "", &["--keys", "keys.asc"], cases);
}

#[test]
fn commits_signed_with_ssh_are_judged_as_in_the_tests_of_git() {
    let sealed = Sealed::new();
    for name in ["alice", "bob"] {
        sealed.key(name);
    }
    let commit = |key: &str, namespace: &str, at: i64| {
        let person = format!("A <a@example.org> {at} +0000");
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let head = format!("tree {tree}\nauthor {person}\ncommitter {person}\n");
        sealed.write("payload", format!("{head}\nBegin\n"));
        let sign = format!("ssh-keygen -Y sign -n {namespace} -f {key} < payload 2>/dev/null");
        let signature = sealed.run(".", "sh", &["-c", &sign]);
        format!("{head}gpgsig {}\n\nBegin\n", signature.trim_end().replace('\n', "\n "))
    };
    let alice = sealed.read("alice.pub");
    // From the day of the commit for a week, as in "keys having defined lifetimes".
    let window = "valid-after=\"20260921000000Z\",valid-before=\"20260928000000Z\"";
    sealed.write("signers", format!("alice@example.org namespaces=\"git\",{window} {alice}"));
    sealed.write("revoked", sealed.read("bob.pub"));
    let git = "-c gpg.ssh.allowedSignersFile=../signers -c gpg.ssh.revocationFile=../revoked";
    let keys = ["--keys", "signers", "--revoked", "revoked"];
    let mut cases = fudged(
        &commit("alice", "git", COMMITTED),
        &commit("alice", "git", COMMITTED + 60),
        "valid",
    );
    let more = |what, raw: String, verdict| (what, raw.into_bytes(), verdict, verdict);
    cases.extend([
        more("not in the list", commit("bob", "git", COMMITTED), "invalid"),
        more("another namespace", commit("alice", "file", COMMITTED), "invalid"),
        more("the last day", commit("alice", "git", COMMITTED + 6 * DAY), "valid"),
        more("expired", commit("alice", "git", COMMITTED + 7 * DAY), "invalid"),
        more("not yet valid", commit("alice", "git", COMMITTED - DAY), "invalid"),
    ]);
    judge(&sealed, git, &keys, cases);
    // A revoked key that the list of signers still holds.
    let bob = format!("bob@example.org {}", sealed.read("bob.pub"));
    sealed.write("signers", format!("alice@example.org {alice}{bob}"));
    let revoked = more("revoked", commit("bob", "git", COMMITTED), "invalid");
    judge(&sealed, git, &keys, vec![revoked]);
}
