//! The commit object: unsigned, wrongly signed, changed by one byte, or of a form that readers disagree on.
//!
//! **Invariant:** the codes are those of the documentation.

use bowline_api::outcome::Outcome;

use super::forge::{header, offer, signed, unsigned, with};
use super::{evil, good, host, refused, turned_away, unmoved};

/// What libgit2 cannot read it does not pack, so that it never arrives.
const DAMAGED: &str = "remote-damaged";

/// Every so many bytes one is changed; a prime, so that no header is stepped over.
const STRIDE: usize = 5;

#[test]
fn attack_01_an_unsigned_commit_and_a_wrong_key() {
    let shop = host();
    evil(&shop);
    shop.git(&["add", "-A"]);
    let unsigned =
        shop.git(&["commit-tree", "-p", "HEAD", "-m", "evil", &shop.git(&["write-tree"])]);
    shop.move_branch(&unsigned);
    refused(&shop, "unsigned", "no signature");
    let shop = host();
    evil(&shop);
    shop.commit_by("mallory", "evil", &[]);
    refused(&shop, "unknown-key", "a key that the policy does not name");
}

#[test]
fn attack_01_any_byte_changed() {
    let shop = host();
    let anchor = shop.tip();
    good(&shop);
    let raw = shop.raw(&shop.commit("two"));
    assert!(raw.len() > 450, "only {} bytes", raw.len());
    for at in (0..raw.len()).step_by(STRIDE) {
        let mut changed = raw.clone();
        changed[at] ^= 1;
        offer(&shop, &changed);
        let what = format!("byte {at} changed");
        // A name that was changed names nothing: then there is nothing to judge.
        let outcome = unmoved(&shop, &what).outcome();
        assert!(matches!(outcome, Some(Outcome::Refused | Outcome::Failed)), "{what}: {outcome:?}");
    }
    shop.move_branch(&anchor);
    offer(&shop, &raw);
    shop.once().ended(Outcome::Committed);
}

#[test]
fn attack_02_forms_that_readers_disagree_on() {
    let shop = host();
    evil(&shop);
    let raw = String::from_utf8(shop.raw(&shop.commit("two"))).unwrap();
    let payload = unsigned(raw.as_bytes());
    let signature = header(&shop.sign("git", "alice", payload.as_bytes()));
    let in_message = format!("{payload}\n{signature}");
    let parentless = payload.replacen("parent ", "xparent ", 1);
    let hidden = format!("{payload}\0\ngpgsig none");
    for (what, forged, code) in [
        ("bytes behind a NUL", format!("{raw}\0hidden"), "malformed-commit"),
        ("signed bytes behind a NUL", signed(&shop, "alice", &hidden), "malformed-commit"),
        ("a signature in the message only", in_message, "unsigned"),
        ("two signatures", with(&raw, &signature), "malformed-commit"),
        ("a header in capitals", raw.replacen("\ngpgsig ", "\nGPGSIG ", 1), "malformed-commit"),
        (
            "a signature of the other format",
            raw.replacen("\ngpgsig ", "\ngpgsig-sha256 ", 1),
            "unsigned",
        ),
        ("two authors", raw.replacen("\nauthor ", "\nauthor x\nauthor ", 1), DAMAGED),
        ("a parent that is none", signed(&shop, "alice", &parentless), DAMAGED),
        (
            "a tree in the wrong place",
            raw.replacen("\ngpgsig ", "\ntree 0\ngpgsig ", 1),
            "malformed-commit",
        ),
        (
            "a line end of another system",
            raw.replacen("\ngpgsig ", "\r\ngpgsig ", 1),
            "malformed-commit",
        ),
        ("no message", raw.split_once("\n\n").unwrap().0.to_owned(), "malformed-commit"),
    ] {
        assert_ne!(forged, raw, "{what}");
        offer(&shop, &forged);
        let outcome = if code == DAMAGED { Outcome::Failed } else { Outcome::Refused };
        turned_away(&shop, (outcome, code), what);
    }
}

#[test]
fn attack_08_the_address_of_a_trusted_person_has_no_effect() {
    let shop = host();
    evil(&shop);
    let people =
        [("GIT_AUTHOR_EMAIL", "alice@example.org"), ("GIT_COMMITTER_EMAIL", "alice@example.org")];
    shop.commit_by("mallory", "trust me\n\nSigned-off-by: Alice <alice@example.org>", &people);
    refused(&shop, "unknown-key", "in Alice's name");
}

#[test]
fn attack_06_dates_in_the_future_and_before_the_parent() {
    for (date, code) in
        [("2097-01-01T00:00:00Z", "future-dated"), ("2001-01-01T00:00:00Z", "before-parent")]
    {
        let shop = host();
        evil(&shop);
        shop.commit_by("alice", "dated", &[("GIT_COMMITTER_DATE", date)]);
        refused(&shop, code, date);
    }
}

#[test]
fn attack_06_a_commit_back_dated_by_a_rotated_key() {
    let shop = host();
    let hours_ago = |hours: &str| {
        let out =
            shop.run("date", &["-u", "-d", &format!("{hours} hours ago"), "+%Y-%m-%dT%H:%M:%SZ"]);
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let bob = format!("key: \"{}\"", shop.public("bob"));
    let ended = format!("{bob}, notAfter: {}", hours_ago("1"));
    shop.enact(&shop.law(2).replace(&bob, &ended), &["alice"]);
    shop.commit("Bob leaves");
    shop.once().ended(Outcome::Committed);
    evil(&shop);
    shop.commit_by("bob", "from yesterday", &[("GIT_COMMITTER_DATE", &hours_ago("2"))]);
    refused(&shop, "key-expired", "dated before Bob left");
}
