//! SSH signatures, judged by us, by the crate `ssh-key` and by `ssh-keygen`.
//!
//! **Invariant:** bent bytes are judged by the crate as well, bent armour by the program: the crate reads only what it
//! writes itself.

use bowline_trust::armor::put_on;
use bowline_trust::sshsig::verify_armored;
use ssh_key::{HashAlg, PublicKey, SshSig};

use crate::bench::{Folder, Stricter, payload};
use crate::bent::{armours, bent};
use crate::oracle_keys::{KINDS, SUPPORTED, make_all, of_the_crate, sign, sign_by_crate};
use crate::ssh_blobs::{Blob, KEY, RESERVED, VALUE, string};

/// Why we refuse what the crate takes.
const REASONS: &[(&str, &str)] = &[
    ("key type \"ecdsa-sha2-nistp521\" is not supported", "ring has no P-521"),
    ("SSHSIG version 0", "there is no such version; the crate looks only for greater ones"),
    (
        "the reserved field is not empty",
        "ssh-keygen leaves it out when it rebuilds the signed bytes",
    ),
    ("nobody touched the security key", "whoever holds the machine could have signed"),
];

fn by_crate(text: &str, message: &[u8]) -> Option<Vec<u8>> {
    let signature = SshSig::from_pem(text).ok()?;
    let key = PublicKey::from(signature.public_key().clone());
    key.verify("git", message, &signature).ok()?;
    Some(key.to_bytes().unwrap())
}

fn by_program(folder: &Folder, text: &str, message: &[u8]) -> bool {
    folder.write("message", message);
    folder.write("text", text);
    folder.tries("ssh-keygen -q -Y check-novalidate -n git -s text < message").0
}

/// Holds our word on a signature against the crate's.
#[track_caller]
fn compare(folder: &Folder, seen: &mut Stricter, what: &str, text: &str, message: &[u8]) {
    let ours = verify_armored(text.as_bytes(), "git", message);
    let theirs = by_crate(text, message);
    if let (Ok(key), Some(read)) = (&ours, &theirs) {
        assert_eq!(key.as_wire(), read, "{what}: another key");
    }
    let ours = ours.map(drop).map_err(|bad| bad.to_string());
    // The crate holds no field to its length, and carries on behind it: there OpenSSH has the word.
    let is_lax = ours.as_ref().is_err_and(|why| why.contains("malformed"));
    let theirs = theirs.is_some() && (!is_lax || by_program(folder, text, message));
    seen.note(what, ours, theirs);
}

/// Signatures by keys of every kind, by the program and by the crate.
fn signatures(folder: &Folder) -> Vec<(String, String)> {
    let payload = payload();
    let mut found = Vec::new();
    for (name, _) in KINDS {
        for hash in ["sha256", "sha512"] {
            found.push((format!("{name}, {hash}"), sign(folder, name, hash, payload.as_bytes())));
        }
    }
    for key in of_the_crate() {
        for hash in [HashAlg::Sha256, HashAlg::Sha512] {
            let text = sign_by_crate(&key, hash, payload.as_bytes());
            found.push((format!("the crate's {}, {hash}", key.algorithm()), text));
        }
    }
    found
}

/// A security key's signature as one makes it, with these flags.
fn by_security_key(flags: u8, message: &[u8]) -> String {
    let key = &of_the_crate()[0];
    let point = key.public_key().key_data().ed25519().unwrap().0;
    let signed = SshSig::signed_data("git", HashAlg::Sha512, message).unwrap();
    let touch = [&[flags][..], &7_u32.to_be_bytes()].concat();
    let digests = [b"ssh:".as_slice(), &signed].map(|it| HashAlg::Sha256.digest(it));
    let whole = [&digests[0][..], &touch, &digests[1]].concat();
    let value = signature::Signer::sign(key, &whole);
    let name = b"sk-ssh-ed25519@openssh.com";
    let wire = [string(name), string(&point), string(b"ssh:")].concat();
    let value = [string(name), string(value.as_bytes()), touch].concat();
    let fields = [&wire[..], b"git", b"", b"sha512", &value].map(<[u8]>::to_vec).to_vec();
    put_on(&Blob { version: 1, fields }.joined())
}

/// A signature whose reserved field is signed with it: the crate's word alone says that it may be there.
fn with_reserved(message: &[u8]) -> String {
    let key = &of_the_crate()[0];
    let digest = HashAlg::Sha512.digest(message);
    let fields: [&[u8]; 4] = [b"git", b"more", b"sha512", &digest];
    let signed = [b"SSHSIG".to_vec(), fields.map(string).concat()].concat();
    let value = signature::Signer::sign(key, &signed);
    let value = [string(b"ssh-ed25519"), string(value.as_bytes())].concat();
    let blob = Blob::of(&sign_by_crate(key, HashAlg::Sha512, message));
    put_on(&blob.with(RESERVED, *b"more").with(VALUE, value).joined())
}

#[test]
fn bent_signatures_are_judged_as_the_crate_judges_them() {
    let folder = Folder::new("ssh-signatures");
    make_all(&folder);
    let payload = payload();
    let message = payload.as_bytes();
    let all = signatures(&folder);
    let other = Blob::of(&all[1].1);
    let mut seen = Stricter::by(REASONS);
    for (name, text) in &all {
        compare(&folder, &mut seen, name, text, message);
        for (what, wrong) in [("shorter", &message[1..]), ("nothing", b"")] {
            compare(&folder, &mut seen, &format!("{name}: {what}"), text, wrong);
        }
        let blob = Blob::of(text);
        for (what, bytes) in bent(&blob.joined()).chain(blob.rearranged(&other)) {
            compare(&folder, &mut seen, &format!("{name}: {what}"), &put_on(&bytes), message);
        }
    }
    for flags in [0, 1, 4, 5, 0xff] {
        let text = by_security_key(flags, message);
        compare(&folder, &mut seen, &format!("security key with flags {flags}"), &text, message);
        for (what, bytes) in bent(&Blob::of(&text).joined()) {
            compare(
                &folder,
                &mut seen,
                &format!("security key, {flags}: {what}"),
                &put_on(&bytes),
                message,
            );
        }
    }
    compare(&folder, &mut seen, "reserved", &with_reserved(message), message);
    seen.close(30_000);
}

#[test]
fn what_we_take_of_bent_armour_openssh_takes_as_well() {
    let folder = Folder::new("ssh-armour");
    make_all(&folder);
    let payload = payload();
    let message = payload.as_bytes();
    let mut seen = Stricter::by(&[
        ("does not stop at its END line", "what stands behind a signature is part of no signature"),
        ("holds bad base64", "OpenSSH skips white space within, and stops at a NUL"),
    ]);
    for (name, _) in &KINDS[..SUPPORTED] {
        let text = sign(&folder, name, "sha512", message);
        for (what, bent) in armours(&text) {
            let ours = verify_armored(bent.as_bytes(), "git", message).map(drop);
            let theirs = by_program(&folder, &bent, message);
            seen.note(&format!("{name}: {what}"), ours.map_err(|bad| bad.to_string()), theirs);
        }
    }
    seen.close(150);
}

#[test]
fn what_the_crate_alone_takes_openssh_judges_with_us_or_as_the_table_says() {
    let folder = Folder::new("ssh-third");
    make_all(&folder);
    let payload = payload();
    let message = payload.as_bytes();
    // OpenSSH's word on what is in the table.
    let text = sign(&folder, "ed25519", "sha512", message);
    let none = Blob { version: 0, ..Blob::of(&text) };
    for (what, text, taken) in [
        ("a good one", text.clone(), true),
        ("P-521", sign(&folder, "p521", "sha512", message), true),
        ("RSA of 1024 bits", sign(&folder, "rsa1024", "sha512", message), true),
        ("version 0", put_on(&none.joined()), true),
        ("a reserved field", with_reserved(message), false),
        ("a security key", by_security_key(1, message), true),
        ("a security key that nobody touched", by_security_key(0, message), true),
    ] {
        assert_eq!(by_program(&folder, &text, message), taken, "{what}");
    }
    // Every fiftieth bent blob goes to the program as well.
    let mut seen = Stricter::by(&[]);
    for (name, _) in &KINDS[..SUPPORTED] {
        let blob = Blob::of(&sign(&folder, name, "sha256", message));
        let key = blob.fields[KEY].len();
        for (what, bytes) in bent(&blob.joined()).skip(key % 50).step_by(50) {
            let text = put_on(&bytes);
            let ours = verify_armored(text.as_bytes(), "git", message).map(drop);
            let theirs = by_program(&folder, &text, message);
            seen.note(&format!("{name}: {what}"), ours.map_err(|bad| bad.to_string()), theirs);
        }
        let text = put_on(&blob.joined());
        let ours = verify_armored(text.as_bytes(), "git", message).map(drop);
        seen.note(name, ours.map_err(|bad| bad.to_string()), by_program(&folder, &text, message));
    }
    seen.close(150);
}
