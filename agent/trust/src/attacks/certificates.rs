//! Attack 4: on SSH certificates, and on the authorities that policies hold.
//!
//! **Invariant:** every refusal has the code that says what was wrong, never only a refusal.

use bowline_model::bundle::CommitEvidence;

use crate::sample::ssh_certificate::{CertificateDraft, option};
use crate::sample::{BEGINNING, DAY, Draft, HOUR, Law, Signer, World, insert_header, sign_policy};

/// The seeds of the key in certificates, of the authority, of a stranger's.
const SUBJECT: u8 = 5;
const AUTHORITY: u8 = 6;
const STRANGER: u8 = 7;

/// A policy in which this authority vouches for a merger, Dave.
fn yaml(law: &Law, more: &str) -> String {
    let key = Signer::new(AUTHORITY).line();
    let entry =
        format!("{{type: ssh-ca, key: \"{key}\", principals: [alice@ops, dave@ops]{more}}}");
    let dave = format!("principals:\n  dave: {{kind: human, keys: [{entry}]}}\n");
    law.yaml().replace("principals:\n", &dave).replace("[alice,", "[dave, alice,")
}

fn world_of(yaml: &str) -> World {
    World::under(World::new().anchor.id.format(), sign_policy(yaml, &[1, 2]))
}

fn world() -> World {
    world_of(&yaml(&Law::default(), ""))
}

/// A commit that a key signed, with a certificate where its wire stands.
fn commit_by(world: &World, seed: u8, wire: &[u8]) -> CommitEvidence {
    let draft = Draft::on(&world.anchor, BEGINNING + HOUR);
    let payload = draft.payload();
    let signature = Signer::new(seed).sign_as(wire, "git", payload.as_bytes());
    draft.evidence(insert_header(&payload, "gpgsig", &signature).into_bytes())
}

fn good() -> CertificateDraft {
    CertificateDraft::new(SUBJECT, AUTHORITY)
}

fn commit(world: &World, certificate: &CertificateDraft) -> CommitEvidence {
    commit_by(world, SUBJECT, &certificate.wire())
}

/// One thing that is wrong with a certificate.
type Twist = fn(&mut CertificateDraft);

#[test]
fn attack_04_a_certificate_counts_as_its_authority_made_it_for_a_person_named_in_the_policy() {
    let world = world();
    let cases: [(&str, Twist, &str); 15] = [
        ("honest", |_| {}, "accepted"),
        ("extensions", |it| it.extensions = option("permit-pty", ""), "accepted"),
        ("several names", |it| it.principals = vec!["root", "dave@ops"], "accepted"),
        ("two names of one", |it| it.principals.push("dave@ops"), "accepted"),
        (
            "wrong authority",
            |it| (it.authority, it.signer) = (STRANGER, STRANGER),
            "refused unknown-key",
        ),
        (
            "vouches for itself",
            |it| (it.authority, it.signer) = (SUBJECT, SUBJECT),
            "refused unknown-key",
        ),
        ("signed by another", |it| it.signer = STRANGER, "refused bad-signature"),
        ("for a host", |it| it.kind = 2, "refused bad-signature"),
        ("for nothing", |it| it.kind = 0, "refused bad-signature"),
        ("another name", |it| it.principals = vec!["mallory@ops"], "refused unknown-key"),
        ("part of a name", |it| it.principals = vec!["alice"], "refused unknown-key"),
        ("a pattern for a name", |it| it.principals = vec!["*"], "refused unknown-key"),
        ("for anybody", |it| it.principals.clear(), "refused unknown-key"),
        (
            "critical option",
            |it| it.critical = option("source-address", "10.0.0.0/8"),
            "refused unsupported-signature",
        ),
        ("more behind it", |it| it.after = b"x", "refused bad-signature"),
    ];
    for (what, twist, expected) in cases {
        let mut certificate = good();
        twist(&mut certificate);
        assert_eq!(world.says(&[&commit(&world, &certificate)]), expected, "{what}");
    }
    // Neither the key alone, nor the authority's, nor a stranger with the certificate.
    let plain = Signer::new(SUBJECT).wire();
    let theirs = Signer::new(AUTHORITY).wire();
    for (what, seed, wire, expected) in [
        ("without it", SUBJECT, &plain, "refused unknown-key"),
        ("the authority", AUTHORITY, &theirs, "refused unknown-key"),
        ("a stranger with it", STRANGER, &good().wire(), "refused bad-signature"),
    ] {
        assert_eq!(world.says(&[&commit_by(&world, seed, wire)]), expected, "{what}");
    }
}

#[test]
fn attack_04_no_byte_of_a_certificate_can_be_changed() {
    let world = world();
    let wire = good().wire();
    assert_eq!(world.says(&[&commit_by(&world, SUBJECT, &wire)]), "accepted");
    for place in 0..wire.len() {
        let mut changed = wire.clone();
        changed[place] ^= 1;
        let said = world.says(&[&commit_by(&world, SUBJECT, &changed)]);
        assert!(said.starts_with("refused"), "byte {place}: {said}");
    }
}

#[test]
fn attack_04_a_certificate_counts_now_and_at_the_commits_date() {
    // The commit is made an hour after the beginning; the clock stands ten days after it.
    let at = |days: i64| u64::try_from(BEGINNING + days * DAY).unwrap();
    let hour = u64::try_from(BEGINNING + HOUR).unwrap();
    let month = ", notAfter: 2026-12-01T00:00:00Z";
    let ended = ", notAfter: 2026-11-05T00:00:00Z";
    for (what, window, more, expected) in [
        ("for ever", (0, u64::MAX), "", "accepted"),
        ("from that second on", (hour, at(11)), month, "accepted"),
        ("from the next", (hour + 1, at(11)), "", "refused key-expired"),
        ("ended since", (at(0), at(5)), "", "refused key-expired"),
        ("ended now", (at(0), at(10)), "", "refused key-expired"),
        ("not yet", (at(9), at(20)), "", "refused key-expired"),
        ("never", (at(20), at(0)), "", "refused key-expired"),
        ("the authority ended", (0, u64::MAX), ended, "refused key-expired"),
    ] {
        let world = world_of(&yaml(&Law::default(), more));
        let certificate = CertificateDraft { window, ..good() };
        assert_eq!(world.says(&[&commit(&world, &certificate)]), expected, "{what}");
    }
}

#[test]
fn attack_04_revoking_an_authority_or_a_key_revokes_what_they_signed() {
    let named = |seed| format!("[\"{}\"]", Signer::new(seed).key().fingerprint());
    let revoking = |version, seed| Law { version, revoked: named(seed), ..Law::default() };
    for (seed, expected) in [
        (STRANGER, "accepted"),
        (AUTHORITY, "refused key-revoked"),
        (SUBJECT, "refused key-revoked"),
    ] {
        let world = world_of(&yaml(&revoking(1, seed), ""));
        assert_eq!(world.says(&[&commit(&world, &good())]), expected, "{seed}");
        let world = self::world();
        let merged = commit(&world, &good());
        let law = sign_policy(&yaml(&revoking(2, seed), ""), &[1, 2]);
        let next = Draft::on(&merged, BEGINNING + 2 * HOUR).by(2).with(law).commit();
        assert_eq!(world.says(&[&merged, &next]), expected, "{seed}, by the newest");
    }
}

#[test]
fn attack_04_a_certificate_that_names_two_people_speaks_for_neither() {
    let key = Signer::new(AUTHORITY).line();
    let erin = format!(
        "principals:\n  erin: {{kind: human, keys: [{{type: ssh-ca, key: \"{key}\", principals: [erin@ops]}}]}}\n"
    );
    let both = yaml(&Law::default(), "").replace("principals:\n", &erin);
    let world = world_of(&both.replace("[dave, alice,", "[dave, erin, alice,"));
    for (names, expected) in [
        (vec!["alice@ops"], "accepted"),
        (vec!["erin@ops"], "accepted"),
        (vec!["alice@ops", "erin@ops"], "refused unknown-key"),
    ] {
        let certificate = CertificateDraft { principals: names.clone(), ..good() };
        assert_eq!(world.says(&[&commit(&world, &certificate)]), expected, "{names:?}");
    }
}
