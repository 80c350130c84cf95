//! Certificates and signatures of OpenPGP.
//!
//! **Invariant:** whoever says "revoked" is believed; what is not read to its end never counts.

use bowline_trust::keys::Keys;
use bowline_trust::{Worth, inspect};
use ring::digest::{SHA256, digest};
use ring::signature::Ed25519KeyPair;

use super::pgp::{Pgp, Words, armored, packet};
use super::{BEGINNING, signed_commit};

/// A revocation of a key that says nothing and proves nothing.
const REVOKED: [u8; 12] = [4, 0x20, 22, 8, 0, 0, 0, 0, 0, 0, 0, 0];

/// Kinds of subpacket that a critical mark may stand on.
const KNOWN: [u8; 16] = [2, 3, 7, 9, 11, 16, 21, 22, 23, 24, 25, 27, 28, 29, 30, 34];

/// Whose key it is that signs.
const SEED: u8 = 7;

fn own() -> Pgp {
    Pgp::new(SEED)
}

/// Packets of a certificate, beside a signature by its key.
pub(super) fn certificate(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with("-----") => text.to_owned(),
        _ => armored("PUBLIC KEY BLOCK", bytes),
    };
    let Ok(keys) = Keys::read(text.as_bytes()) else { return false };
    for it in &keys.openpgp {
        let name = it.fingerprint_text();
        assert!(name.len() == 40 && name.bytes().all(|it| b"0123456789ABCDEF".contains(&it)));
        assert!(!it.shown().chars().any(char::is_control) && it.shown().chars().count() <= 201);
    }
    if !keys.openpgp.is_empty() {
        assert!(
            Keys::read(format!("{text}\n{text}").as_bytes()).is_err(),
            "a key stands there twice"
        );
    }
    let commit = signed_commit(BEGINNING, |it| own().sign(&Words::of(0, BEGINNING), it));
    let is_valid = |keys: &Keys| inspect(&commit, keys).result == Worth::Valid;
    let counts = is_valid(&keys);
    let is_text = text.as_bytes() == bytes;
    if counts && !is_text {
        let key = own().body();
        assert!(
            bytes.windows(key.len()).any(|it| it == key),
            "a signature by a key that is not there"
        );
    }
    if keys.openpgp.len() == 1 && !is_text {
        let gone = [bytes, &packet(2, &REVOKED)].concat();
        // Past some limit the whole file is refused, which is as good.
        if let Ok(gone) = Keys::read(armored("PUBLIC KEY BLOCK", &gone).as_bytes()) {
            assert!(!is_valid(&gone), "revoked, and valid all the same");
        }
    }
    counts
}

/// Words that a key really signs, whatever they say.
pub(super) fn signature(bytes: &[u8]) -> bool {
    let Ok(length) = u16::try_from(bytes.len()) else { return false };
    let keys = own().certificate("Alice <a@example.org>", &Words::usual(0x13));
    let keys = Keys::read(armored("PUBLIC KEY BLOCK", &keys).as_bytes()).expect("a certificate");
    let body = |payload: &[u8]| {
        let head = [&[4, 0, 22, 8], &length.to_be_bytes()[..], bytes].concat();
        let end = u32::try_from(head.len()).unwrap().to_be_bytes();
        let signed = [payload, &head, &[4, 0xff], &end].concat();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[SEED; 32]).expect("a key");
        let value = pair.sign(digest(&SHA256, &signed).as_ref());
        let (r, s) = value.as_ref().split_at(32);
        [&head, &[0, 0, 0, 0, 1, 0][..], r, &[1, 0], s].concat()
    };
    let commit = signed_commit(BEGINNING, |it| armored("SIGNATURE", &packet(2, &body(it))));
    let is_valid = inspect(&commit, &keys).result == Worth::Valid;
    if is_valid {
        assert_eq!(counts(bytes), Some(true));
    }
    assert_ne!(inspect(&commit, &Keys::default()).result, Worth::Valid);
    is_valid
}

/// Whether these subpackets may stand in a signature that counts.
fn counts(mut bytes: &[u8]) -> Option<bool> {
    let (mut made, mut named, mut good) = (0, false, true);
    while !bytes.is_empty() {
        let (length, rest) = length(bytes)?;
        let (subpacket, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        let (kind, value) = subpacket.split_first()?;
        match kind & 0x7f {
            2 => made += 1,
            3 => good &= value == [0; 4],
            33 => named |= value == [&[4], &own().fingerprint()[..]].concat(),
            16 => named |= value == &own().fingerprint()[12..],
            _ => {}
        }
        good &=
            kind & 0x80 == 0 || KNOWN.contains(&(kind & 0x7f)) || matches!(kind & 0x7f, 32 | 33);
    }
    Some(made == 1 && named && good)
}

/// A subpacket's length, in one, two or five bytes.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [one @ ..192, ref rest @ ..] => Some((one.into(), rest)),
        [one @ 192..224, two, ref rest @ ..] => {
            Some(((usize::from(one) - 192) * 256 + usize::from(two) + 192, rest))
        }
        [255, a, b, c, d, ref rest @ ..] => {
            Some((usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?, rest))
        }
        _ => None,
    }
}
