//! Attack 5: on signatures of `OpenPGP`, and on the certificates that policies hold.
//!
//! **Invariant:** every refusal has the code that says what was wrong, never only a refusal.

use bowline_model::bundle::{CommitEvidence, PathEvidence};

use crate::sample::openpgp::{KEY_MADE, Pgp, Words, armored, packet};
use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, World, insert_header, sign_policy};

/// The seeds of Dave's key, of a stranger's, of Dave's subkey.
const DAVE: u8 = 5;
const STRANGER: u8 = 6;
const SUB: u8 = 7;

/// When commits are made, unless told otherwise.
const COMMITTED: i64 = BEGINNING + HOUR;

/// What Dave's key says of itself: that it may sign, and nothing of an end.
fn lasting() -> Words {
    Words::of(0x13, KEY_MADE).with(27, &[3])
}

fn dave(words: &Words) -> Vec<u8> {
    Pgp::new(DAVE).certificate("Dave", words)
}

/// A subkey that both keys agree on.
fn subkey() -> Vec<u8> {
    let [primary, sub] = [DAVE, SUB].map(Pgp::new);
    let over = [primary.framed(), sub.framed()].concat();
    let answer = sub.say(&Words::of(0x19, KEY_MADE), &over);
    let binding = Words::of(0x18, KEY_MADE).with(27, &[2]).with(32, &answer);
    [packet(14, &sub.body()), packet(2, &primary.say(&binding, &over))].concat()
}

/// A revocation of the whole key.
fn revocation() -> Vec<u8> {
    let dave = Pgp::new(DAVE);
    packet(2, &dave.say(&Words::of(0x20, KEY_MADE + HOUR), &dave.framed()))
}

/// A policy in which Dave merges, by a certificate of these packets.
fn law_of(law: &Law, kind: &str, packets: &[u8], more: &str) -> [PathEvidence; 2] {
    let (name, block) = (Pgp::new(DAVE).name(), armored("PUBLIC KEY BLOCK", packets));
    let key = format!("{{type: openpgp, fingerprint: \"{name}\", key: {block:?}{more}}}");
    let dave = format!("principals:\n  dave: {{kind: {kind}, keys: [{key}]}}\n");
    let yaml = law.yaml().replace("principals:\n", &dave).replace("[alice,", "[dave, alice,");
    sign_policy(&yaml, &[1, 2])
}

fn world(packets: &[u8], more: &str) -> World {
    let law = law_of(&Law::default(), "human", packets, more);
    World::under(World::new().anchor.id.format(), law)
}

/// A commit that carries what a function makes of its payload.
fn commit_with(draft: &Draft, sign: impl Fn(&[u8]) -> String) -> CommitEvidence {
    let payload = draft.payload();
    let raw = insert_header(&payload, "gpgsig", &sign(payload.as_bytes()));
    draft.evidence(raw.into_bytes())
}

/// A commit that a key signed with these words.
fn commit(world: &World, seed: u8, words: &Words) -> CommitEvidence {
    let draft = Draft::on(&world.anchor, COMMITTED);
    commit_with(&draft, |payload| Pgp::new(seed).sign(words, payload))
}

fn signing() -> Words {
    Words::of(0, COMMITTED)
}

#[test]
fn a_commit_signed_with_a_merger_key_of_openpgp_is_accepted() {
    let whole = [dave(&lasting()), subkey()].concat();
    let world = world(&whole, "");
    for seed in [DAVE, SUB] {
        assert_eq!(world.says(&[&commit(&world, seed, &signing())]), "accepted");
    }
    // That of a forge waits for approvals, as with any other key.
    let law = law_of(&Law::default(), "forge", &whole, "");
    let world = World::under(world.anchor.id.format(), law);
    let by_forge = commit(&world, DAVE, &signing());
    assert_eq!(world.says(&[&by_forge]), "pending approval-missing");
}

#[test]
fn attack_05_what_can_be_forged_or_means_something_else_is_unsupported() {
    let world = world(&dave(&lasting()), "");
    for (what, words, expected) in [
        ("honest", signing(), "accepted"),
        ("SHA-1", signing().sha1(), "refused unsupported-signature"),
        ("over text", Words { kind: 1, ..signing() }, "refused unsupported-signature"),
        ("over nothing", Words { kind: 2, ..signing() }, "refused unsupported-signature"),
        ("over a user", Words { kind: 0x10, ..signing() }, "refused unsupported-signature"),
        ("a confirmation", Words { kind: 0x50, ..signing() }, "refused unsupported-signature"),
        ("that ends", signing().with(3, &[0, 0, 0, 9]), "refused unsupported-signature"),
        ("a critical word", signing().with(0x94, b"x"), "refused unsupported-signature"),
        ("its time twice", signing().with(2, &[0, 0, 0, 9]), "refused bad-signature"),
        ("nobody's", signing().naming(Vec::new()), "refused unknown-key"),
    ] {
        assert_eq!(world.says(&[&commit(&world, DAVE, &words)]), expected, "{what}");
    }
}

/// What makes a signature of a payload.
type Sign<'a> = &'a dyn Fn(&[u8]) -> String;

#[test]
fn attack_05_two_signatures_in_one_armour_are_none() {
    let world = world(&dave(&lasting()), "");
    let draft = Draft::on(&world.anchor, COMMITTED);
    let packet_of = |seed, payload: &[u8]| packet(2, &Pgp::new(seed).say(&signing(), payload));
    let cases: [(&str, Sign<'_>, &str); 6] = [
        ("one", &|it| armored("SIGNATURE", &packet_of(DAVE, it)), "accepted"),
        (
            "two packets",
            &|it| armored("SIGNATURE", &[packet_of(DAVE, it), packet_of(STRANGER, it)].concat()),
            "refused bad-signature",
        ),
        (
            "the same twice",
            &|it| armored("SIGNATURE", &[packet_of(DAVE, it), packet_of(DAVE, it)].concat()),
            "refused bad-signature",
        ),
        (
            "two armours",
            &|it| Pgp::new(DAVE).sign(&signing(), it).repeat(2),
            "refused bad-signature",
        ),
        (
            "a marker before it",
            &|it| armored("SIGNATURE", &[packet(10, b"PGP"), packet_of(DAVE, it)].concat()),
            "refused bad-signature",
        ),
        ("a message", &|it| armored("MESSAGE", &packet_of(DAVE, it)), "refused bad-signature"),
    ];
    for (what, sign, expected) in cases {
        assert_eq!(world.says(&[&commit_with(&draft, sign)]), expected, "{what}");
    }
}

#[test]
fn attack_05_naming_a_trusted_key_makes_no_signature_of_it() {
    let world = world(&dave(&lasting()), "");
    let (by_name, by_id) = (Pgp::new(DAVE).issuer(), Pgp::new(DAVE).issuer_id());
    for (what, seed, words, expected) in [
        ("its own id", DAVE, signing().naming(by_id.clone()), "accepted"),
        ("a stranger by the id", STRANGER, signing().naming(by_id), "refused bad-signature"),
        ("a stranger by the name", STRANGER, signing().naming(by_name), "refused bad-signature"),
        ("a stranger", STRANGER, signing(), "refused unknown-key"),
    ] {
        assert_eq!(world.says(&[&commit(&world, seed, &words)]), expected, "{what}");
    }
    // A key that the policy lists for SSH is no key of OpenPGP, whatever its arithmetic.
    assert_eq!(world.says(&[&commit(&world, 1, &signing())]), "refused unknown-key");
    let honest = commit(&world, DAVE, &signing());
    let text = String::from_utf8(honest.raw.to_vec()).unwrap();
    let changed = text.replace("\nchange\n", "\nchanged\n");
    assert_ne!(changed, text);
    let changed = Draft::on(&world.anchor, COMMITTED).evidence(changed.into_bytes());
    assert_eq!(world.says(&[&changed]), "refused bad-signature");
}

#[test]
fn attack_05_a_key_counts_now_at_the_commits_date_and_when_it_signed() {
    // Keys are made a day before the beginning; the clock stands ten days after it.
    for (what, words, more, signed, expected) in [
        ("no end", lasting(), "", COMMITTED, "accepted"),
        ("an end to come", lasting().ending(30), "", COMMITTED, "accepted"),
        ("ended since", lasting().ending(5), "", COMMITTED, "refused key-expired"),
        ("ended now", lasting().ending(11), "", COMMITTED, "refused key-expired"),
        ("signed before it was made", lasting(), "", KEY_MADE - 1, "refused key-expired"),
        (
            "signed beyond its end",
            lasting().ending(30),
            "",
            COMMITTED + 60 * DAY,
            "refused key-expired",
        ),
        (
            "ended by the policy",
            lasting(),
            ", notAfter: 2026-11-05T00:00:00Z",
            COMMITTED,
            "refused key-expired",
        ),
        (
            "not yet by the policy",
            lasting(),
            ", notBefore: 2026-11-02T00:00:00Z",
            COMMITTED,
            "refused key-expired",
        ),
    ] {
        let world = world(&dave(&words), more);
        let commit = commit(&world, DAVE, &Words::of(0, signed));
        assert_eq!(world.says(&[&commit]), expected, "{what}");
    }
    // Dated back to before the key was made; a day is what a history may hold.
    let mut late = Pgp::new(DAVE);
    late.made = BEGINNING + 2 * HOUR;
    let words = Words::of(0x13, late.made).with(27, &[3]);
    let block = armored("PUBLIC KEY BLOCK", &late.certificate("Dave", &words));
    let yaml = Law::default().yaml().replace("[alice,", "[dave, alice,").replace(
        "principals:\n",
        &format!(
            "principals:\n  dave: {{kind: human, keys: [{{type: openpgp, fingerprint: \"{}\", key: {block:?}}}]}}\n",
            late.name()
        ),
    );
    let world = World::under(World::new().anchor.id.format(), sign_policy(&yaml, &[1, 2]));
    for (at, expected) in [(COMMITTED, "refused key-expired"), (BEGINNING + 3 * HOUR, "accepted")] {
        let draft = Draft::on(&world.anchor, at);
        let words = Words::of(0, BEGINNING + 3 * HOUR);
        let commit = commit_with(&draft, |payload| late.sign(&words, payload));
        assert_eq!(world.says(&[&commit]), expected, "{at}");
    }
}

#[test]
fn attack_05_a_revoked_key_never_counts() {
    let whole = [dave(&lasting()), subkey()].concat();
    let revoked = [whole.clone(), revocation()].concat();
    // Behind the subkey it takes back; who says it does not matter.
    let less = [whole.clone(), packet(2, &[4, 0x28, 1])].concat();
    let named = |seed| format!("[\"{}\"]", Pgp::new(seed).name());
    let by = |revoked: String, version| Law { version, revoked, ..Law::default() };
    let none = || "[]".to_owned();
    for (what, law, packets, seed, expected) in [
        ("nothing revoked", by(none(), 1), &whole, SUB, "accepted"),
        ("by its own word", by(none(), 1), &revoked, DAVE, "refused key-revoked"),
        ("its primary by its own word", by(none(), 1), &revoked, SUB, "refused key-revoked"),
        ("its subkey by its own word", by(none(), 1), &less, SUB, "refused key-revoked"),
        ("another subkey by its own word", by(none(), 1), &less, DAVE, "accepted"),
        ("by the policy", by(named(DAVE), 1), &whole, DAVE, "refused key-revoked"),
        ("its primary by the policy", by(named(DAVE), 1), &whole, SUB, "refused key-revoked"),
        ("its subkey by the policy", by(named(SUB), 1), &whole, SUB, "refused key-revoked"),
        ("another subkey", by(named(SUB), 1), &whole, DAVE, "accepted"),
    ] {
        let files = law_of(&law, "human", packets, "");
        let world = World::under(World::new().anchor.id.format(), files);
        assert_eq!(world.says(&[&commit(&world, seed, &signing())]), expected, "{what}");
    }
    // A newer policy takes back what an older one granted, and so does a newer copy of the certificate.
    let world = world(&whole, "");
    let merged = commit(&world, SUB, &signing());
    for (what, law, packets, expected) in [
        ("the same", by(none(), 2), &whole, "accepted"),
        ("by the policy", by(named(DAVE), 2), &whole, "refused key-revoked"),
        ("by its own word", by(none(), 2), &revoked, "refused key-revoked"),
        (
            "ended",
            by(none(), 2),
            &[dave(&lasting().ending(5)), subkey()].concat(),
            "refused key-expired",
        ),
    ] {
        let newer = law_of(&law, "human", packets, "");
        let next = Draft::on(&merged, COMMITTED + HOUR).by(2).with(newer).commit();
        assert_eq!(world.says(&[&merged, &next]), expected, "{what}");
    }
    // And what it took back comes to life again in nothing that is signed by then.
    let files = law_of(&by(none(), 1), "human", &revoked, "");
    let world = World::under(world.anchor.id.format(), files);
    let merged = commit(&world, SUB, &signing());
    let pardon = law_of(&by(none(), 2), "human", &whole, "");
    let next = Draft::on(&merged, COMMITTED + HOUR).by(2).with(pardon).commit();
    assert_eq!(world.says(&[&merged, &next]), "refused key-revoked");
}
