//! The SSH signature itself: made for another purpose, twisted, or by a key that is too weak.
//!
//! **Invariant:** each blob is one that `ssh-keygen` made, with one thing changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::outcome::Outcome;
use bowline_trust::armor::put_on;

use super::forge::{header, offer, unsigned, with};
use super::{evil, host, refused};

/// The bytes inside an armoured signature.
fn inside(armored: &str) -> Vec<u8> {
    let lines = armored.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

#[test]
fn attack_03_signatures_for_another_purpose_and_twisted_ones() {
    let shop = host();
    evil(&shop);
    let payload = unsigned(&shop.raw(&shop.commit("two")));
    let sign = |namespace: &str| shop.sign(namespace, "alice", payload.as_bytes());
    let good = sign("git");
    let bytes = inside(&good);
    let twisted = |twist: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        twist(&mut bytes);
        put_on(&bytes)
    };
    // The purpose `git` and the empty reserved field behind it.
    let purpose = bytes.windows(7).position(|it| it == b"\0\0\0\x03git").unwrap();
    let reserved = purpose + 7;
    for (what, armored, code) in [
        ("signed as a file", sign("file"), "bad-signature"),
        ("signed as an approval", sign("bowline-approval"), "bad-signature"),
        ("signed over other words", shop.sign("git", "alice", b"other words"), "bad-signature"),
        ("version 2", twisted(&|it| it[9] = 2), "unsupported-signature"),
        ("another magic", twisted(&|it| it[0] = b'X'), "bad-signature"),
        (
            "something reserved",
            twisted(&|it| drop(it.splice(reserved..reserved + 4, *b"\0\0\0\x01x"))),
            "bad-signature",
        ),
        ("bytes behind it", twisted(&|it| it.push(0)), "bad-signature"),
        ("cut short", twisted(&|it| it.truncate(it.len() - 1)), "bad-signature"),
        (
            "the purpose rewritten",
            twisted(&|it| it[purpose + 4..purpose + 7].copy_from_slice(b"gix")),
            "bad-signature",
        ),
        ("line ends of another system", good.replace('\n', "\r\n"), "malformed-commit"),
        ("no armour", good.replace("-----BEGIN SSH SIGNATURE-----\n", ""), "unsupported-signature"),
    ] {
        offer(&shop, with(&payload, &header(&armored)));
        refused(&shop, code, what);
    }
}

#[test]
fn attack_03_a_key_that_is_too_short_never_counts() {
    let shop = host();
    shop.make_key("short", &["-t", "rsa", "-b", "1024"]);
    let law = shop.law(2).replace(&shop.public("bob"), &shop.public("short"));
    shop.enact(&law, &["alice"]);
    shop.commit("let a short key in");
    shop.once().ended(Outcome::Committed);
    evil(&shop);
    shop.commit_by("short", "by the short key", &[]);
    refused(&shop, "unsupported-signature", "a short key that the policy names");
}
