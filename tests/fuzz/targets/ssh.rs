//! Keys of OpenSSH and their signatures.
//!
//! **Invariant:** a signature counts for its namespace and digest only, and has one encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_trust::armor;
use bowline_trust::ssh_key::SshKey;
use bowline_trust::sshsig::verify_armored;
use ring::digest::{SHA256, SHA512, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{Strings, string, way};

/// What samples are signed over.
const MESSAGE: &[u8] = b"what is signed";

/// A key's wire encoding.
pub(super) fn key(bytes: &[u8]) -> bool {
    let Ok(key) = SshKey::from_wire(bytes) else { return false };
    assert_eq!(key.as_wire(), bytes);
    let mut strings = Strings(bytes);
    let kind = std::str::from_utf8(strings.string().expect("a kind")).expect("a name").to_owned();
    while !strings.0.is_empty() {
        strings.string().expect("a key is made of strings");
    }
    let line = format!("{kind} {} somebody", STANDARD.encode(bytes));
    let again = SshKey::from_line(&line).expect("its line is read");
    assert!(again == key && again.fingerprint() == key.fingerprint());
    for other in ["ssh-dss", "ssh-ed25519x"] {
        assert!(SshKey::from_line(&line.replacen(&kind, other, 1)).is_err(), "a lying line");
    }
    true
}

/// An armoured signature: as text, as its blob, or made rightly out of fields that a stranger chose.
pub(super) fn signature(bytes: &[u8]) -> bool {
    match way(bytes, 3) {
        Some((0, text)) => is_canonical(text, MESSAGE),
        Some((1, blob)) => is_canonical(armor::put_on(blob).as_bytes(), MESSAGE),
        Some((_, fields)) => chosen(fields).unwrap_or(false),
        None => false,
    }
}

/// Whether it verifies; if so, it has the one form that OpenSSH writes.
fn is_canonical(text: &[u8], message: &[u8]) -> bool {
    let Ok(key) = verify_armored(text, "git", message) else { return false };
    let lines = std::str::from_utf8(text).expect("armour is text").lines();
    let letters: String = lines.filter(|it| !it.starts_with("-----")).collect();
    let blob = STANDARD.decode(letters).expect("armour is base64");
    assert_eq!(
        verify_armored(armor::put_on(&blob).as_bytes(), "git", message).ok(),
        Some(key.clone())
    );
    let mut rest = Strings(blob.strip_prefix(b"SSHSIG").expect("its magic word"));
    assert_eq!(rest.number(), Some(1));
    assert_eq!(rest.string(), Some(key.as_wire()));
    assert_eq!(rest.string(), Some(&b"git"[..]));
    assert_eq!(rest.string(), Some(&b""[..]));
    assert!(matches!(rest.string(), Some(b"sha256" | b"sha512")));
    assert!(rest.string().is_some() && rest.0.is_empty());
    assert!(verify_armored(text, "file", message).is_err(), "another namespace");
    assert!(verify_armored(text, "git", &[message, b"x"].concat()).is_err(), "another message");
    true
}

/// A signature with a namespace, a reserved field, a digest and a message that a stranger chose.
fn chosen(bytes: &[u8]) -> Option<bool> {
    let mut rest = Strings(bytes);
    let mut field = || {
        let length = usize::from(rest.take(1)?[0]);
        rest.take(length)
    };
    let (namespace, reserved, hash) = (field()?, field()?, field()?);
    let message = rest.0;
    let digested = match hash {
        b"sha256" => digest(&SHA256, message),
        _ => digest(&SHA512, message),
    };
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).expect("a key");
    // OpenSSH leaves the reserved field out of what it rebuilds, so nothing but a look at it finds it.
    let rebuilt = [string(namespace), string(b""), string(hash)].concat();
    let fields = [string(namespace), string(reserved), string(hash)].concat();
    let signed = [b"SSHSIG", &rebuilt[..], &string(digested.as_ref())].concat();
    let wire = [string(b"ssh-ed25519"), string(pair.public_key().as_ref())].concat();
    let value = [string(b"ssh-ed25519"), string(pair.sign(&signed).as_ref())].concat();
    let blob = [b"SSHSIG\0\0\0\x01", &string(&wire)[..], &fields, &string(&value)].concat();
    let counts =
        namespace == b"git" && reserved.is_empty() && matches!(hash, b"sha256" | b"sha512");
    let text = armor::put_on(&blob);
    assert_eq!(verify_armored(text.as_bytes(), "git", message).is_ok(), counts);
    if counts {
        assert!(is_canonical(text.as_bytes(), message));
    }
    Some(counts)
}
