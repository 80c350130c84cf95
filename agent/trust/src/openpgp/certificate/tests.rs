//! Certificates made from seeds, each with one thing said, unsaid or in the wrong place.
//!
//! **Invariant:** beside what takes a key's worth away stands what looks like it and does not.

use super::*;
use crate::openpgp::{Standing, verify_armored};
use crate::sample::openpgp::{KEY_MADE, Pgp, Words, armored, over_user, packet, user};
use crate::sample::{DAY, HOUR};

const NAME: &str = "Alice <alice@example.org>";

/// The seeds of Alice's key, of a stranger's, of a subkey.
const ALICE: u8 = 1;
const STRANGER: u8 = 2;
const SUB: u8 = 3;

/// A signature by Alice over her own key or over her user.
fn over_key(words: &Words) -> Vec<u8> {
    packet(2, &Pgp::new(ALICE).say(words, &Pgp::new(ALICE).framed()))
}

fn over_name(by: u8, words: &Words) -> Vec<u8> {
    let over = over_user(&Pgp::new(ALICE).framed(), NAME);
    packet(2, &Pgp::new(by).say(words, &over))
}

fn key() -> Vec<u8> {
    packet(6, &Pgp::new(ALICE).body())
}

fn usual() -> Vec<u8> {
    over_name(ALICE, &Words::usual(0x13))
}

/// A subkey with its binding, and the word that answers it.
fn subkey_with(words: Words, answer: Option<Vec<u8>>) -> Vec<u8> {
    let words = match answer {
        Some(answer) => words.with(32, &answer),
        None => words,
    };
    let binding = Pgp::new(ALICE).say(&words, &over_subkey());
    [packet(14, &Pgp::new(SUB).body()), packet(2, &binding)].concat()
}

fn over_subkey() -> Vec<u8> {
    [Pgp::new(ALICE).framed(), Pgp::new(SUB).framed()].concat()
}

fn answer() -> Vec<u8> {
    Pgp::new(SUB).say(&Words::of(0x19, KEY_MADE), &over_subkey())
}

/// What a signature by a seed's key, made some days after the keys, is worth by a certificate of these packets.
fn worth(by: u8, days: i64, packets: &[Vec<u8>]) -> &'static str {
    let keys = match Certificate::read_armored(
        armored("PUBLIC KEY BLOCK", &packets.concat()).as_bytes(),
    ) {
        Ok(keys) => keys,
        Err(BadSignature::Malformed(_)) => return "malformed",
        Err(other) => panic!("{other:?}"),
    };
    let time = KEY_MADE + days * DAY;
    let signature = Pgp::new(by).sign(&Words::of(0, time), b"document");
    let made = verify_armored(signature.as_bytes(), b"document", &keys);
    match made.map(|it| it.stands_at(time)) {
        Ok(Standing::Counts) => "counts",
        Ok(Standing::NotThen) => "not then",
        Ok(Standing::Revoked) => "revoked",
        Err(BadSignature::Unknown(_)) => "unknown",
        Err(other) => panic!("{other:?}"),
    }
}

#[track_caller]
fn expect(table: &[(&str, i64, &[Vec<u8>], &str)]) {
    for (what, days, packets, expected) in table {
        assert_eq!(worth(ALICE, *days, packets), *expected, "{what}");
    }
}

#[test]
fn a_key_counts_from_when_it_was_made_until_its_own_word_ends_it() {
    let whole = [key(), user(NAME), usual()];
    expect(&[
        ("made", 0, &whole, "counts"),
        ("the last day", 9, &whole, "counts"),
        ("ended", 10, &whole, "not then"),
        ("before it was made", -1, &whole, "not then"),
        ("nothing said", 1, &[key(), user(NAME)], "unknown"),
        (
            "said by a stranger",
            1,
            &[key(), user(NAME), over_name(2, &Words::usual(0x13))],
            "unknown",
        ),
    ]);
    assert_eq!(worth(STRANGER, 1, &whole), "unknown");
}

#[test]
fn a_later_word_takes_back_only_what_it_speaks_of() {
    let later = |kind| Words::of(kind, KEY_MADE + HOUR);
    let on_user = |words: Words| [key(), user(NAME), usual(), over_name(ALICE, &words)];
    let on_key = |words: Words| [key(), over_key(&words), user(NAME), usual()];
    let old_end = [
        key(),
        user(NAME),
        over_name(ALICE, &Words::of(0x13, KEY_MADE + 2 * HOUR).with(27, &[3]).ending(20)),
        over_name(ALICE, &later(0x13).ending(5)),
    ];
    expect(&[
        ("over the key, of nothing", 11, &on_key(later(0x1f)), "not then"),
        ("over the user, of nothing", 11, &on_user(later(0x13)), "not then"),
        ("over the user, of nothing, in time", 1, &on_user(later(0x13)), "counts"),
        ("a later end", 11, &on_user(later(0x13).ending(20)), "counts"),
        ("a later end of never", 11, &on_user(later(0x13).with(9, &[0; 4])), "counts"),
        ("an older word that stands behind", 11, &old_end, "counts"),
        ("no more signing", 1, &on_user(later(0x13).with(27, &[1])), "unknown"),
        ("no more signing, over the key", 1, &on_key(later(0x1f).with(27, &[1])), "unknown"),
    ]);
}

#[test]
fn a_word_that_cannot_be_judged_leaves_nothing_that_is_not_newer() {
    let at = |hours| Words::of(0x13, KEY_MADE + hours * HOUR).with(27, &[1]);
    let beside = |by, words: Words| [key(), user(NAME), usual(), over_name(by, &words)];
    let cut = Pgp::new(ALICE).say(&at(1), b"")[..8].to_vec();
    let twice = at(1).with(27, &[1]);
    let early = KEY_MADE - HOUR;
    expect(&[
        ("SHA-1", 1, &beside(ALICE, at(1).sha1()), "unknown"),
        ("SHA-1, as new", 1, &beside(ALICE, at(0).sha1()), "unknown"),
        ("SHA-1, older", 1, &beside(ALICE, Words::of(0x13, early).sha1()), "counts"),
        ("SHA-1, a stranger's", 1, &beside(STRANGER, at(1).sha1()), "counts"),
        ("that ends", 1, &beside(ALICE, at(1).with(3, &[0, 0, 0, 9])), "unknown"),
        ("a critical word", 1, &beside(ALICE, at(1).with(0x94, b"x")), "unknown"),
        ("a critical word of a stranger", 1, &beside(STRANGER, at(1).with(0x94, b"x")), "counts"),
        ("one word twice", 1, &beside(ALICE, twice), "unknown"),
        ("cut off", 1, &[key(), user(NAME), usual(), packet(2, &cut)], "unknown"),
        ("who does not say who", 1, &beside(ALICE, at(1).naming(Vec::new())), "counts"),
    ]);
}

#[test]
fn whatever_says_revoked_is_believed_wherever_it_stands() {
    let revocation = over_key(&Words::of(0x20, KEY_MADE + HOUR));
    let by_stranger = packet(2, &Pgp::new(STRANGER).say(&Words::of(0x20, KEY_MADE), b""));
    let old_form = packet(2, &[3, 5, 0x20, 0, 0, 0, 0]);
    let unreadable = packet(2, &[4, 0x20, 1]);
    let trust = packet(12, &[0]);
    let marker = packet(10, b"PGP");
    let of_sub = packet(2, &[4, 0x28, 1]);
    expect(&[
        ("behind the key", 1, &[key(), revocation.clone(), user(NAME), usual()], "revoked"),
        ("behind the user", 1, &[key(), user(NAME), usual(), revocation.clone()], "revoked"),
        ("behind trust", 1, &[key(), trust, revocation.clone(), user(NAME), usual()], "revoked"),
        ("behind a marker", 1, &[key(), marker, revocation, user(NAME), usual()], "revoked"),
        ("a stranger's", 1, &[key(), by_stranger, user(NAME), usual()], "revoked"),
        ("version 3", 1, &[key(), old_form, user(NAME), usual()], "revoked"),
        ("unreadable", 1, &[key(), unreadable, user(NAME), usual()], "revoked"),
        ("of a subkey, elsewhere", 1, &[key(), of_sub, user(NAME), usual()], "revoked"),
    ]);
}

#[test]
fn only_the_keys_own_newest_word_takes_a_user_back() {
    let gone = |by, words: Words| [key(), user(NAME), usual(), over_name(by, &words)];
    let at = |hours| Words::of(0x30, KEY_MADE + hours * HOUR);
    expect(&[
        ("its own", 1, &gone(ALICE, at(1)), "unknown"),
        ("its own, as new", 1, &gone(ALICE, at(0)), "unknown"),
        ("its own, older", 1, &gone(ALICE, at(-1)), "counts"),
        ("its own, SHA-1", 1, &gone(ALICE, at(1).sha1()), "unknown"),
        ("a stranger's", 1, &gone(STRANGER, at(1)), "counts"),
        (
            "a stranger's in its name",
            1,
            &gone(STRANGER, at(1).naming(Pgp::new(ALICE).issuer())),
            "counts",
        ),
    ]);
}

#[test]
fn the_name_is_one_of_which_the_key_itself_says_that_it_is_its_own() {
    let mallory = [user("Mallory"), over_name(ALICE, &Words::usual(0x13))].concat();
    let block = armored("PUBLIC KEY BLOCK", &[key(), mallory, user(NAME), usual()].concat());
    let found = Certificate::read_armored(block.as_bytes()).unwrap();
    assert_eq!(found[0].name, NAME);
}

#[test]
fn what_is_more_than_people_write_or_stands_twice_is_malformed() {
    let long = "x".repeat(USER_BYTES_MAX + 1);
    let sub = subkey_with(Words::usual(0x18), Some(answer()));
    let many = vec![packet(2, &[4, 0x10]); SIGNATURES_MAX + 1].concat();
    let secret = packet(5, &Pgp::new(ALICE).body());
    expect(&[
        ("a user twice", 1, &[key(), user(NAME), usual(), user(NAME), usual()], "malformed"),
        ("a subkey twice", 1, &[key(), user(NAME), usual(), sub.clone(), sub], "malformed"),
        ("a long name", 1, &[key(), user(NAME), usual(), user(&long)], "malformed"),
        ("signatures", 1, &[key(), user(NAME), usual(), many], "malformed"),
        ("a secret key", 1, &[key(), user(NAME), usual(), secret], "malformed"),
        ("no key first", 1, &[user(NAME), usual()], "malformed"),
    ]);
}

#[test]
fn a_subkey_signs_where_both_keys_say_so() {
    let with = |sub: Vec<u8>| [key(), user(NAME), usual(), sub];
    let others = Pgp::new(STRANGER).say(&Words::of(0x19, KEY_MADE), &over_subkey());
    let other_place = Pgp::new(SUB).say(&Words::of(0x19, KEY_MADE), &Pgp::new(SUB).framed());
    let old = Pgp::new(SUB).say(&Words::of(0x19, KEY_MADE).sha1(), &over_subkey());
    let gone = Pgp::new(ALICE).say(&Words::of(0x28, KEY_MADE + HOUR), &over_subkey());
    let bound = || subkey_with(Words::usual(0x18), Some(answer()));
    let revoked = [bound(), packet(2, &gone)].concat();
    let ended = subkey_with(Words::of(0x18, KEY_MADE).with(27, &[2]).ending(5), Some(answer()));
    let cipher = subkey_with(Words::of(0x18, KEY_MADE).with(27, &[12]), Some(answer()));
    let unsaid = subkey_with(Words::of(0x18, KEY_MADE), Some(answer()));
    for (what, days, sub, expected) in [
        ("both", 1, bound(), "counts"),
        (
            "its primary ended",
            10,
            subkey_with(Words::of(0x18, KEY_MADE).with(27, &[2]), Some(answer())),
            "not then",
        ),
        ("ended", 6, ended, "not then"),
        ("revoked", 1, revoked, "revoked"),
        ("no answer", 1, subkey_with(Words::usual(0x18), None), "unknown"),
        ("a stranger's answer", 1, subkey_with(Words::usual(0x18), Some(others)), "unknown"),
        ("an answer over less", 1, subkey_with(Words::usual(0x18), Some(other_place)), "unknown"),
        ("an answer by SHA-1", 1, subkey_with(Words::usual(0x18), Some(old)), "unknown"),
        ("a key to encrypt to", 1, cipher, "unknown"),
        ("a key for nothing", 1, unsaid, "unknown"),
    ] {
        assert_eq!(worth(SUB, days, &with(sub)), expected, "{what}");
    }
    // A primary key that only certifies lets its subkey sign.
    let certifies = over_name(ALICE, &Words::of(0x13, KEY_MADE).with(27, &[1]));
    let whole = [key(), user(NAME), certifies, bound()];
    assert_eq!((worth(SUB, 1, &whole), worth(ALICE, 1, &whole)), ("counts", "unknown"));
}
