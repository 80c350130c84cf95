//! Keys of every kind, and the ones that are refused.
//!
//! **Invariant:** what is signed here is signed by ring, in the form that OpenSSH writes.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};

use super::*;
use crate::sample::Signer;
use crate::signature::BadSignature;
use crate::wire::push_string;

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for part in parts {
        push_string(&mut wire, part);
    }
    wire
}

/// The shortest form of a positive big integer.
fn positive(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap();
    let number = &number[start..];
    let sign: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
    [sign, number].concat()
}

fn rsa_key(bits: usize) -> Vec<u8> {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] = 0xff >> (n.len() * 8 - bits);
    strings(&[b"ssh-rsa", &positive(&[1, 0, 1]), &positive(&n)])
}

#[test]
fn a_line_is_read_with_or_without_comment() {
    let line = Signer::new(1).line();
    for text in [line.clone(), format!("{line} alice@example.org at home"), format!("  {line}\n")] {
        let key = SshKey::from_line(&text).unwrap();
        assert_eq!(key, Signer::new(1).key());
        assert_eq!(key.fingerprint().len(), "SHA256:".len() + 43);
    }
}

#[test]
fn lines_that_are_no_keys_are_malformed() {
    let line = Signer::new(1).line();
    for text in [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        &line.replace("ssh-ed25519 ", "ssh-rsa "),
        &line.replace("ssh-ed25519 ", "ecdsa-sha2-nistp256 "),
        &format!("{line}\n{line}"),
        &line.replace("AAAA", "AAA"),
    ] {
        let found = SshKey::from_line(text);
        assert!(matches!(found, Err(BadKey::Malformed(_))), "{text}: {found:?}");
    }
}

#[test]
fn wires_of_the_wrong_form_are_malformed() {
    let point = [&[4][..], &[1; 64]].concat();
    let compressed = [&[2][..], &[1; 32]].concat();
    let zero_first = [&[0, 0][..], &[0xff; 256]].concat();
    for wire in [
        strings(&[b"ssh-ed25519", &[1; 31]]),
        strings(&[b"ssh-ed25519", &[1; 32], b""]),
        strings(&[b"ecdsa-sha2-nistp256", b"nistp384", &point]),
        strings(&[b"ecdsa-sha2-nistp256", b"nistp256", &compressed]),
        strings(&[b"ecdsa-sha2-nistp384", b"nistp384", &point]),
        strings(&[b"sk-ssh-ed25519@openssh.com", &[1; 32]]),
        strings(&[b"sk-ssh-ed25519@openssh.com", &[1; 32], b"ssh:\xff"]),
        strings(&[b"sk-ssh-ed25519@openssh.com", &[1; 32], b"ssh:\0"]),
        strings(&[b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", &point, b"\xff"]),
        strings(&[b"ssh-rsa", &[1, 0, 1], &zero_first]),
        [rsa_key(2048), vec![0]].concat(),
        vec![0, 0, 0],
        strings(&[&[0xff]]),
    ] {
        let found = SshKey::from_wire(&wire);
        assert!(matches!(found, Err(BadKey::Malformed(_))), "{wire:?}: {found:?}");
    }
}

#[test]
fn weak_and_unknown_kinds_are_not_supported() {
    let named = |name: &str| strings(&[name.as_bytes(), b"x"]);
    for wire in [
        named("ssh-dss"),
        named("ecdsa-sha2-nistp521"),
        named("ssh-ed25519-cert-v01@openssh.com"),
        named("webauthn-sk-ecdsa-sha2-nistp256@openssh.com"),
        named("ssh-ed448"),
        rsa_key(1024),
        rsa_key(2047),
        rsa_key(8200),
    ] {
        let found = SshKey::from_wire(&wire);
        assert!(matches!(found, Err(BadKey::Unsupported(_))), "{found:?}");
    }
    assert!(SshKey::from_wire(&rsa_key(2048)).is_ok());
}

#[test]
fn both_elliptic_curves_verify_what_they_signed() {
    let cases: [(&EcdsaSigningAlgorithm, &str, usize); 2] = [
        (&ECDSA_P256_SHA256_FIXED_SIGNING, "nistp256", 32),
        (&ECDSA_P384_SHA384_FIXED_SIGNING, "nistp384", 48),
    ];
    let random = SystemRandom::new();
    for (how, curve, width) in cases {
        let document = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).unwrap();
        let name = format!("ecdsa-sha2-{curve}");
        let point = pair.public_key().as_ref();
        let key = SshKey::from_wire(&strings(&[name.as_bytes(), curve.as_bytes(), point])).unwrap();
        let fixed = pair.sign(&random, b"message").unwrap();
        let (r, s) = fixed.as_ref().split_at(width);
        let value = strings(&[&positive(r), &positive(s)]);
        let signature = strings(&[name.as_bytes(), &value]);
        assert_eq!(key.verify(&signature, b"message"), Ok(()), "{curve}");
        assert!(key.verify(&signature, b"massage").is_err(), "{curve}");
        let swapped = strings(&[name.as_bytes(), &strings(&[&positive(s), &positive(r)])]);
        assert!(key.verify(&swapped, b"message").is_err(), "{curve}");
        let trailing = strings(&[name.as_bytes(), &[value, vec![0]].concat()]);
        assert!(key.verify(&trailing, b"message").is_err(), "{curve}");
    }
}

#[test]
fn a_security_key_must_have_been_touched() {
    let name: &[u8] = b"sk-ssh-ed25519@openssh.com";
    let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
    let key = SshKey::from_wire(&strings(&[name, pair.public_key().as_ref(), b"ssh:"])).unwrap();
    for (flags, is_good) in [(0x01_u8, true), (0x05, true), (0x00, false), (0x04, false)] {
        let counter = 7_u32.to_be_bytes();
        let (application, signed) = (digest(&SHA256, b"ssh:"), digest(&SHA256, b"message"));
        let message = [application.as_ref(), &[flags], &counter, signed.as_ref()].concat();
        let value = pair.sign(&message);
        let touch = [&[flags][..], &counter].concat();
        let signature = [strings(&[name, value.as_ref()]), touch].concat();
        let found = key.verify(&signature, b"message");
        assert_eq!(found.is_ok(), is_good, "{flags}: {found:?}");
        // Flags and counter are part of what was signed, and nothing may follow them.
        let untouched = strings(&[name, value.as_ref()]);
        assert!(key.verify(&untouched, b"message").is_err());
        assert!(key.verify(&[signature, vec![0]].concat(), b"message").is_err());
    }
}

#[test]
fn a_key_takes_its_own_algorithms_only() {
    let rsa = SshKey::from_wire(&rsa_key(2048)).unwrap();
    let ed25519 = Signer::new(1).key();
    for (key, algorithm) in [
        (&rsa, "ssh-rsa"),
        (&rsa, "ssh-ed25519"),
        (&rsa, "rsa-sha2-256-cert-v01@openssh.com"),
        (&ed25519, "rsa-sha2-512"),
        (&ed25519, "sk-ssh-ed25519@openssh.com"),
    ] {
        let signature = strings(&[algorithm.as_bytes(), &[0; 256]]);
        let found = key.verify(&signature, b"message");
        assert!(matches!(found, Err(BadSignature::Unsupported(_))), "{algorithm}: {found:?}");
    }
    let signature = strings(&[b"rsa-sha2-512", &[0; 256]]);
    let found = rsa.verify(&signature, b"message");
    assert!(matches!(found, Err(BadSignature::Invalid(_))), "{found:?}");
}
