//! Project Wycheproof's signatures, good and twisted, through what verifies here.
//!
//! **Invariant:** each valid one is taken and each invalid one refused, for every kind of key that signs here.
//! **Invariant:** what some verifiers may take and others not ("acceptable") is refused: it has another form.

use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};

use crate::spki::SpkiKey;
use crate::ssh_key::SshKey;
use crate::wire::push_string;

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for part in parts {
        push_string(&mut wire, part);
    }
    wire
}

/// The shortest form of a positive big integer; nothing for zero.
fn positive(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|it| **it == 0).count();
    let number = &number[zeros..];
    let sign: &[u8] = if number.first().is_some_and(|it| *it >= 0x80) { &[0] } else { &[] };
    [sign, number].concat()
}

/// Whether an SSH key takes a signature value over a message.
fn ssh_takes(key: &SshKey, algorithm: &str, value: &[u8], message: &[u8]) -> bool {
    key.verify(&strings(&[algorithm.as_bytes(), value]), message).is_ok()
}

#[test]
fn ed25519_is_taken_as_wycheproof_says() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut counts = [0, 0];
    for group in &set.test_groups {
        let bare = SpkiKey::from_pem(&group.pem).unwrap();
        let ssh = SshKey::from_wire(&strings(&[b"ssh-ed25519", &group.key.pk])).unwrap();
        for it in &group.tests {
            let is_valid = it.result == TestResult::Valid;
            counts[usize::from(is_valid)] += 1;
            assert_eq!(bare.made(&it.sig, &it.msg), is_valid, "{it:?}");
            assert_eq!(ssh_takes(&ssh, "ssh-ed25519", &it.sig, &it.msg), is_valid, "{it:?}");
        }
    }
    assert!(counts.iter().all(|it| *it > 50), "{counts:?}");
}

#[test]
fn ecdsa_is_taken_as_wycheproof_says() {
    use ecdsa::TestName::{
        EcdsaSecp256r1Sha256, EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384,
        EcdsaSecp384r1Sha384P1363,
    };
    for (name, curve, width) in [
        (EcdsaSecp256r1Sha256, "nistp256", 0),
        (EcdsaSecp384r1Sha384, "nistp384", 0),
        (EcdsaSecp256r1Sha256P1363, "nistp256", 32),
        (EcdsaSecp384r1Sha384P1363, "nistp384", 48),
    ] {
        let set = ecdsa::TestSet::load(name).unwrap();
        let algorithm = format!("ecdsa-sha2-{curve}");
        let mut counts = [0, 0];
        for group in &set.test_groups {
            let bare = SpkiKey::from_pem(&group.pem).unwrap();
            let wire = strings(&[algorithm.as_bytes(), curve.as_bytes(), &group.key.key]);
            let ssh = SshKey::from_wire(&wire).unwrap();
            for it in &group.tests {
                let is_valid = it.result == TestResult::Valid;
                counts[usize::from(is_valid)] += 1;
                assert_eq!(bare.made(&it.sig, &it.msg), is_valid, "{it:?}");
                // OpenSSH writes the two numbers in its own form.
                if width > 0 && it.sig.len() == 2 * width {
                    let (r, s) = it.sig.split_at(width);
                    let value = strings(&[&positive(r), &positive(s)]);
                    assert_eq!(ssh_takes(&ssh, &algorithm, &value, &it.msg), is_valid, "{it:?}");
                }
            }
        }
        assert!(counts.iter().all(|it| *it > 50), "{curve} {width}: {counts:?}");
    }
}

#[test]
fn rsa_is_taken_as_wycheproof_says() {
    use rsa::TestName::{
        Rsa2048Sha256, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha512, Rsa4096Sha256, Rsa4096Sha512,
        Rsa8192Sha256, Rsa8192Sha512,
    };
    for (names, algorithm) in [
        ([Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256], "rsa-sha2-256"),
        ([Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512, Rsa8192Sha512], "rsa-sha2-512"),
    ] {
        for name in names {
            let set = rsa::TestSet::load(name).unwrap();
            let mut counts = [0, 0];
            for group in &set.test_groups {
                let (n, e) = (positive(&group.key.n), positive(&group.key.e));
                let key = SshKey::from_wire(&strings(&[b"ssh-rsa", &e, &n])).unwrap();
                for it in &group.tests {
                    let is_valid = it.result == TestResult::Valid;
                    counts[usize::from(is_valid)] += 1;
                    let taken = ssh_takes(&key, algorithm, &it.sig, &it.msg);
                    assert_eq!(taken, is_valid, "{name:?} {it:?}");
                }
            }
            assert!(counts[0] > 50 && counts[1] > 0, "{name:?}: {counts:?}");
        }
    }
}
