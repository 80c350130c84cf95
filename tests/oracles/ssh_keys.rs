//! SSH public keys, read by us and by the crate `ssh-key`.
//!
//! **Invariant:** of a key that both read, both tell the same bytes and the same fingerprint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_trust::ssh_key::SshKey;
use ssh_key::{HashAlg, PublicKey};

use crate::bench::{Folder, Stricter};
use crate::bent::bent;
use crate::oracle_keys::{KINDS, make_all, of_the_crate};
use crate::ssh_blobs::{string, strings};

/// Why we refuse what the crate takes.
const REASONS: &[(&str, &str)] = &[
    (
        "sk-ssh-ed25519@openssh.com key is malformed",
        "OpenSSH lets a NUL end what a key was made for",
    ),
    ("key type \"ecdsa-sha2-nistp521\" is not supported", "ring has no P-521"),
    ("RSA key of", "below 2048 bits they are factored; above 8192 they keep a host busy"),
    ("key type \"ssh-dss\" is not supported", "OpenSSH gave it up"),
    (
        "key type \"x@example.org\" is not supported",
        "the crate carries kinds that it does not know",
    ),
];

fn by_program(folder: &Folder, line: &str) -> bool {
    folder.write("line", line);
    folder.tries("ssh-keygen -q -l -f line").0
}

#[track_caller]
fn compare(folder: &Folder, seen: &mut Stricter, what: &str, line: &str) {
    let ours = SshKey::from_line(line);
    let theirs = PublicKey::from_openssh(line).ok();
    if let (Ok(ours), Some(theirs)) = (&ours, &theirs) {
        assert_eq!(ours.as_wire(), theirs.to_bytes().unwrap(), "{what}");
        assert_eq!(ours.fingerprint(), theirs.fingerprint(HashAlg::Sha256).to_string(), "{what}");
    }
    let ours = ours.map(drop).map_err(|bad| bad.to_string());
    // The crate holds no field to its length: there OpenSSH has the word.
    let is_lax = ours.as_ref().is_err_and(|why| why.contains("key is malformed"));
    let theirs = theirs.is_some() && (!is_lax || by_program(folder, line));
    seen.note(what, ours, theirs);
}

/// A line of a wire encoding whose type it says twice, as far as it has one.
fn line(wire: &[u8]) -> String {
    let length = wire.first_chunk::<4>().map_or(0, |it| u32::from_be_bytes(*it) as usize);
    let name = wire.get(4..4 + length).and_then(|it| std::str::from_utf8(it).ok());
    format!("{} {} somebody", name.unwrap_or("ssh-ed25519"), STANDARD.encode(wire))
}

/// A security key's kind.
const SK: &[u8] = b"sk-ssh-ed25519@openssh.com";

/// Encodings of keys that no program makes here.
fn odd() -> Vec<(&'static str, Vec<u8>)> {
    let number = |bytes: usize| [&[0][..], &vec![0xc5; bytes]].concat();
    let rsa =
        |bytes: usize, e: &[u8]| [string(b"ssh-rsa"), string(e), string(&number(bytes))].concat();
    let dsa: Vec<u8> = [128, 20, 128, 128].iter().flat_map(|it| string(&number(*it))).collect();
    let app = string(b"ssh:");
    vec![
        ("RSA of 8192 bits", rsa(1024, &[1, 0, 1])),
        ("RSA of 16384 bits", rsa(2048, &[1, 0, 1])),
        ("RSA of 2040 bits", rsa(255, &[1, 0, 1])),
        ("RSA with a negative number", rsa(256, &[0x81])),
        ("RSA with a zero before its number", rsa(256, &[0, 1, 0, 1])),
        ("DSA", [string(b"ssh-dss"), dsa].concat()),
        ("unknown", [string(b"x@example.org"), string(b"hello")].concat()),
        ("short Ed25519", [string(b"ssh-ed25519"), string(&[7; 31])].concat()),
        ("long Ed25519", [string(b"ssh-ed25519"), string(&[7; 33])].concat()),
        ("sk", [string(SK), string(&[7; 32]), app].concat()),
        ("sk for no text", [string(SK), string(&[7; 32]), string(b"ssh:\xff")].concat()),
    ]
}

#[test]
fn bent_keys_are_read_as_the_crate_reads_them() {
    let folder = Folder::new("ssh-keys");
    make_all(&folder);
    let mut keys: Vec<(String, Vec<u8>)> = KINDS
        .iter()
        .map(|(name, _)| {
            let line = folder.read(&format!("{name}.pub"));
            let letters = line.split(' ').nth(1).unwrap().to_owned();
            ((*name).to_owned(), STANDARD.decode(letters).unwrap())
        })
        .collect();
    keys.extend(of_the_crate().iter().map(|it| {
        (format!("the crate's {}", it.algorithm()), it.public_key().to_bytes().unwrap())
    }));
    keys.extend(odd().into_iter().map(|(name, wire)| (name.to_owned(), wire)));
    let mut seen = Stricter::by(REASONS);
    for (name, wire) in &keys {
        compare(&folder, &mut seen, name, &line(wire));
        // The crate carries what it does not know under any name.
        let bent = bent(wire).filter(|_| name != "unknown");
        for (what, bytes) in bent {
            compare(&folder, &mut seen, &format!("{name}: {what}"), &line(&bytes));
        }
    }
    // Every kind's name over every other's fields.
    for (first, one) in &keys {
        for (second, other) in &keys {
            let (one, other) = (strings(one), strings(other));
            let fields: Vec<u8> = other[1..].iter().flat_map(|it| string(it)).collect();
            let wire = [string(&one[0]), fields].concat();
            compare(
                &folder,
                &mut seen,
                &format!("{first} with the fields of {second}"),
                &line(&wire),
            );
        }
    }
    seen.close(15_000);
}

#[test]
fn bent_lines_are_read_as_the_crate_reads_them() {
    let folder = Folder::new("ssh-lines");
    make_all(&folder);
    let mut seen = Stricter::by(&[
        ("ssh key line is malformed", "a line that says one kind and holds another, or no base64"),
        ("is not supported", "see above"),
    ]);
    for (name, _) in KINDS {
        let line = folder.read(&format!("{name}.pub"));
        for (what, bytes) in bent(line.trim_end().as_bytes()) {
            let Ok(text) = String::from_utf8(bytes) else { continue };
            compare(&folder, &mut seen, &format!("{name}: {what}"), &text);
        }
    }
    seen.close(10_000);
}
