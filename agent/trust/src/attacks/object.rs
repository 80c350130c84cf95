//! Attacks 1, 2, 3 and 8: on the commit object and its signature.
//!
//! **Invariant:** every forged object differs from a good one in one thing.

use bowline_model::object_id::ObjectFormat;

use crate::armor;
use crate::sample::{BEGINNING, Draft, HOUR, Law, Signer, Twist, World, insert_header};

fn draft(world: &World) -> Draft {
    Draft::on(&world.anchor, BEGINNING + HOUR)
}

fn says_of(world: &World, raw: impl Into<Vec<u8>>) -> String {
    world.says(&[&draft(world).evidence(raw.into())])
}

#[test]
fn a_commit_by_a_merger_is_accepted_in_both_object_formats() {
    for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
        let world = World::under(format, Law::default().signed());
        assert_eq!(world.says(&[&draft(&world).commit()]), "accepted", "{format:?}");
    }
}

#[test]
fn unsigned_and_wrong_keys_are_refused() {
    let world = World::new();
    let mut unsigned = draft(&world);
    unsigned.signer = None;
    assert_eq!(world.says(&[&unsigned.commit()]), "refused unsigned");
    assert_eq!(world.says(&[&draft(&world).by(9).commit()]), "refused unknown-key");
    assert_eq!(world.says(&[&draft(&world).by(3).commit()]), "refused not-a-merger");
}

#[test]
fn no_byte_of_a_signed_commit_can_be_changed() {
    let world = World::new();
    let raw = draft(&world).raw().into_bytes();
    for place in 0..raw.len() {
        for bit in [1, 0x20, 0x80] {
            let mut changed = raw.clone();
            changed[place] ^= bit;
            let said = says_of(&world, changed);
            assert!(said.starts_with("refused "), "byte {place} bit {bit}: {said}");
        }
    }
}

#[test]
fn no_part_of_a_signed_commit_stands_for_the_whole() {
    let world = World::new();
    let raw = draft(&world).raw().into_bytes();
    for place in 0..raw.len() {
        for part in [&raw[..place], &raw[place + 1..]] {
            let said = says_of(&world, part);
            assert!(said.starts_with("refused "), "cut at {place}: {said}");
        }
    }
}

#[test]
fn the_last_byte_belongs_to_what_is_signed() {
    let world = World::new();
    let raw = draft(&world).raw();
    assert_eq!(says_of(&world, format!("{raw}\n")), "refused bad-signature");
    assert_eq!(says_of(&world, raw.trim_end()), "refused bad-signature");
}

#[test]
fn bytes_after_a_nul_are_seen() {
    let world = World::new();
    let raw = draft(&world).raw();
    assert_eq!(says_of(&world, format!("{raw}\0evil")), "refused malformed-commit");
}

#[test]
fn a_signature_in_the_message_is_none() {
    let world = World::new();
    let payload = draft(&world).payload();
    let signature = Signer::new(1).sign("git", payload.as_bytes()).replace('\n', "\n ");
    let (headers, message) = payload.split_once("\n\n").unwrap();
    let moved = format!("{headers}\n\ngpgsig {}\n{message}", signature.trim_end());
    assert_eq!(says_of(&world, moved), "refused unsigned");
}

#[test]
fn look_alike_and_misplaced_headers_are_refused() {
    let world = World::new();
    let raw = draft(&world).raw();
    let parent = format!("parent {}\n", world.anchor.id);
    for (from, to) in [
        ("parent ", "gpgsigparent "),
        ("gpgsig ", "gpgsigx "),
        ("gpgsig ", "GPGSIG "),
        ("gpgsig ", "xparent 0\ngpgsig "),
        ("gpgsig ", "tree 0\ngpgsig "),
        ("gpgsig ", "encoding a\nencoding b\ngpgsig "),
        ("tree ", " tree "),
        ("tree ", "\ntree "),
        ("\nauthor ", "\nauthor x\nauthor "),
        ("\ncommitter ", "\n committer "),
        (" +0000\ncommitter", "\ncommitter"),
        ("\ngpgsig ", "\r\ngpgsig "),
        ("\n\n", "\n"),
        ("\ngpgsig ", "\nnovalue\ngpgsig "),
        ("\ngpgsig ", "\nä x\ngpgsig "),
    ] {
        let changed = raw.replacen(from, to, 1);
        assert_ne!(changed, raw, "{from:?}");
        assert_eq!(says_of(&world, changed), "refused malformed-commit", "{to:?}");
    }
    let swapped =
        raw.replacen(&parent, "", 1).replacen("\ncommitter ", &format!("\n{parent}committer "), 1);
    assert_eq!(says_of(&world, swapped), "refused malformed-commit");
}

#[test]
fn unknown_headers_that_look_like_nothing_else_are_let_through() {
    let world = World::new();
    let mut payload = draft(&world).payload();
    for (name, value) in [("change-id", "abc"), ("HG:extra", "a:b"), ("mergetag", "object 0\nx\r")]
    {
        payload = insert_header(&payload, name, value);
    }
    let signature = Signer::new(1).sign("git", payload.as_bytes());
    assert_eq!(says_of(&world, insert_header(&payload, "gpgsig", &signature)), "accepted");
}

#[test]
fn two_signatures_are_one_too_many() {
    let world = World::new();
    let payload = draft(&world).payload();
    let good = Signer::new(1).sign("git", payload.as_bytes());
    let bad = Signer::new(9).sign("git", payload.as_bytes());
    for (first, second) in [(&good, &bad), (&bad, &good), (&good, &good)] {
        let once = insert_header(&payload, "gpgsig", first);
        let twice = insert_header(&once, "gpgsig", second);
        assert_eq!(says_of(&world, twice), "refused malformed-commit");
    }
}

#[test]
fn the_signature_of_the_other_object_format_is_stripped_and_ignored() {
    for (format, own, other) in [
        (ObjectFormat::Sha1, "gpgsig", "gpgsig-sha256"),
        (ObjectFormat::Sha256, "gpgsig-sha256", "gpgsig"),
    ] {
        let world = World::under(format, Law::default().signed());
        let payload = draft(&world).payload();
        let good = Signer::new(1).sign("git", payload.as_bytes());
        let both = insert_header(&insert_header(&payload, other, "junk"), own, &good);
        assert_eq!(says_of(&world, both), "accepted", "{format:?}");
        let only_other = insert_header(&payload, other, &good);
        assert_eq!(says_of(&world, only_other), "refused unsigned", "{format:?}");
    }
}

/// The verdict over a commit that Alice signed with a blob like this.
fn says_of_blob(namespace: &str, twist: &Twist) -> String {
    let world = World::new();
    let payload = draft(&world).payload();
    let blob = Signer::new(1).blob(namespace, payload.as_bytes(), twist);
    says_of(&world, insert_header(&payload, "gpgsig", &armor::put_on(&blob)))
}

#[test]
fn a_signature_for_another_purpose_is_refused() {
    assert_eq!(says_of_blob("git", &Twist::default()), "accepted");
    for namespace in ["file", "", "bowline-policy", "GIT", "git "] {
        let said = says_of_blob(namespace, &Twist::default());
        assert_eq!(said, "refused bad-signature", "{namespace:?}");
    }
}

#[test]
fn twisted_signature_blobs_are_refused() {
    type Change = fn(&mut Twist);
    let twists: [(Change, &str); 6] = [
        (|it| it.version = 2, "refused unsupported-signature"),
        (|it| it.hash = b"sha1", "refused unsupported-signature"),
        (|it| it.hash = b"sha256", "refused bad-signature"),
        (|it| it.reserved = b"x", "refused bad-signature"),
        (|it| it.after_value = b"x", "refused bad-signature"),
        (|it| it.after_blob = b"x", "refused bad-signature"),
    ];
    for (place, (change, expected)) in twists.into_iter().enumerate() {
        let mut twist = Twist::default();
        change(&mut twist);
        assert_eq!(says_of_blob("git", &twist), expected, "twist {place}");
    }
}

#[test]
fn other_kinds_of_signature_are_bad_or_not_supported_and_not_unsigned() {
    let world = World::new();
    let payload = draft(&world).payload();
    for (kind, code) in [
        ("PGP SIGNATURE", "bad-signature"),
        ("PGP MESSAGE", "bad-signature"),
        ("SIGNED MESSAGE", "unsupported-signature"),
        ("SOMETHING", "unsupported-signature"),
    ] {
        let signature = format!("-----BEGIN {kind}-----\nabc\n-----END {kind}-----");
        let raw = insert_header(&payload, "gpgsig", &signature);
        assert_eq!(says_of(&world, raw), format!("refused {code}"), "{kind}");
    }
}

#[test]
fn the_address_of_a_trusted_person_has_no_effect() {
    let world = World::new();
    let mut theirs = draft(&world).by(9);
    theirs.committer = "Alice <alice@example.org>";
    assert_eq!(world.says(&[&theirs.commit()]), "refused unknown-key");
    let mut ours = draft(&world);
    ours.committer = "Mallory <mallory@example.org>";
    assert_eq!(world.says(&[&ours.commit()]), "accepted");
}

#[test]
fn an_object_under_a_false_name_is_refused() {
    let world = World::new();
    let mut commit = draft(&world).commit();
    commit.id = draft(&world).by(2).commit().id;
    assert_eq!(world.says(&[&commit]), "refused object-mismatch");
}
