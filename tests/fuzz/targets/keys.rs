//! Files of keys, of revoked keys, and bare keys.
//!
//! **Invariant:** a list is read line by line: what stands in one changes nothing in another.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bowline_trust::keys::Keys;
use bowline_trust::revoked_file::Revoked;
use bowline_trust::spki::SpkiKey;
use bowline_trust::ssh_key::SshKey;
use ring::digest::{SHA256, digest};

/// `.pub`, `authorized_keys`, `allowed_signers`.
pub(super) fn file(bytes: &[u8]) -> bool {
    let Ok(keys) = Keys::read(bytes) else { return false };
    for it in &keys.ssh {
        assert!(SshKey::from_wire(it.key.as_wire()).as_ref() == Ok(&it.key));
    }
    if !keys.openpgp.is_empty() {
        return true;
    }
    let more = Keys::read(&[b"# first\n\n", bytes, b"\n# last"].concat())
        .expect("comments change nothing");
    assert!(more == keys);
    if let Ok(twice) = Keys::read(&[bytes, b"\n", bytes].concat()) {
        assert!(twice.ssh == [&keys.ssh[..], &keys.ssh].concat());
    }
    let broken = [bytes, b"\nssh-ed25519 AAAA"].concat();
    assert!(Keys::read(&broken).is_err(), "a broken line is not skipped");
    !keys.ssh.is_empty()
}

/// Keys and fingerprints that were taken back.
pub(super) fn revoked(bytes: &[u8]) -> bool {
    let Ok(list) = Revoked::read(bytes) else { return false };
    let again = Revoked::read(&[bytes, b"\n# more\n", bytes].concat());
    if let Ok(again) = again {
        assert_eq!(again, list);
    }
    assert!(Revoked::read(&[bytes, b"\nnothing of the kind"].concat()).is_err());
    list != Revoked::default()
}

/// A public key as OpenSSL writes it.
pub(super) fn bare(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(key) = SpkiKey::from_pem(text) else { return false };
    let body = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----").expect("its first line");
    let body = body.strip_suffix("-----END PUBLIC KEY-----").expect("its last line");
    let letters: String = body.chars().filter(|it| !it.is_whitespace()).collect();
    let der = STANDARD.decode(&letters).expect("base64");
    let name = format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &der)));
    assert_eq!(key.fingerprint(), name);
    let lines: Vec<&str> =
        letters.as_bytes().chunks(64).map(|it| std::str::from_utf8(it).unwrap()).collect();
    let again =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    assert!(SpkiKey::from_pem(&again).as_ref() == Ok(&key));
    for signature in [&[0; 64][..], &der, b""] {
        assert!(!key.made(signature, &der), "no signature of its own");
    }
    true
}
