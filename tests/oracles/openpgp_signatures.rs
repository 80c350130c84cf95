//! OpenPGP signatures, judged by us, by the crate `pgp` and by `gpg`.
//!
//! **Invariant:** the two bytes in which a signature repeats its digest prove nothing: the crate wants them right, `gpg`
//! and we do not look. No other difference is let through.

use bowline_trust::keys::Keys;
use pgp::composed::{Deserializable as _, DetachedSignature};

use crate::bench::{Folder, Stricter};
use crate::bent::{armours, bent};
use crate::openpgp_bench::{
    Made, armored, by, is_only_digest, key, of_the_crate, ours, sign, theirs,
};

/// Why we refuse what the crate takes.
const REASONS: &[(&str, &str)] = &[
    (
        "OpenPGP signature of kind 0x01",
        "a commit is bytes; one over text leaves its line ends open",
    ),
    ("OpenPGP signature that ends", "a host judges the same commit again after that"),
    ("with the critical word 20", "nobody here knows what such a notation asks for"),
    ("not one signature", "the crate reads the first packet and leaves the rest"),
    ("digest 10 of OpenPGP with this curve", "ring has each curve with one digest"),
    ("it is by none of the given OpenPGP keys", "DSA and P-521: ring has neither"),
];

/// Keys of every kind that `gpg` makes, by options for their signatures.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("rsa", "rsa2048", "", "--digest-algo SHA256"),
    ("rsa512", "rsa3072", "", "--digest-algo SHA512"),
    ("ed", "ed25519", "", "--digest-algo SHA512"),
    ("p256", "nistp256", "", "--digest-algo SHA256"),
    ("p384", "nistp384", "", "--digest-algo SHA384"),
    ("beneath", "rsa2048", "ed25519", "--digest-algo SHA256"),
    ("beneath2", "ed25519", "rsa3072", "--digest-algo SHA256"),
    ("p521", "nistp521", "", "--digest-algo SHA512"),
    ("dsa", "dsa2048", "", "--digest-algo SHA256"),
    ("textual", "ed25519", "", "--digest-algo SHA512 --textmode"),
    ("crossed", "nistp256", "", "--digest-algo SHA512"),
    ("ending", "ed25519", "", "--default-sig-expire 1d --no-ask-sig-expire"),
    ("noted", "ed25519", "", "--set-notation hello@example.org=world"),
    ("critical", "ed25519", "", "--set-notation !hello@example.org=world"),
];

fn by_gpg(folder: &Folder) -> Vec<Made> {
    let made = KINDS.iter().map(|(name, kind, beneath, options)| {
        let certificate = key(folder, name, kind, beneath);
        let signature = sign(folder, name, options);
        Made { what: (*name).to_owned(), certificate, signature }
    });
    made.collect()
}

#[test]
fn bent_signatures_are_judged_as_the_crate_judges_them() {
    let folder = Folder::new("openpgp-signatures");
    let mut seen = Stricter::by(REASONS);
    let mut repeated = 0;
    for made in by_gpg(&folder).into_iter().chain(of_the_crate()) {
        let keys = Keys::read(armored("PUBLIC KEY BLOCK", &made.certificate).as_bytes());
        let whole = [("as it is".to_owned(), made.signature.clone())];
        for (what, bytes) in whole.into_iter().chain(bent(&made.signature)) {
            let what = format!("{}: {what}", made.what);
            let text = armored("SIGNATURE", &bytes);
            let ours = match &keys {
                Ok(keys) => by(keys, &text),
                Err(bad) => Err(bad.to_string()),
            };
            if ours.is_ok() && is_only_digest(&made.signature, &bytes) {
                repeated += 1;
                continue;
            }
            let read = DetachedSignature::from_bytes(&bytes[..]);
            let theirs = read.is_ok_and(|it| theirs(&made.certificate, &it));
            seen.note(&what, ours, theirs);
        }
    }
    assert!(repeated > 50, "{repeated}");
    seen.close(20_000);
}

#[test]
fn what_we_take_of_bent_signatures_gpg_takes_as_well() {
    let folder = Folder::new("openpgp-third");
    let mut seen = Stricter::by(&[
        (
            "unknown kind of signature",
            "gpg looks for armour anywhere, and reads packets without any",
        ),
        ("does not begin with its BEGIN line", "gpg takes its other kinds of armour as well"),
        ("does not stop at its END line", "what stands behind a signature is part of no signature"),
        ("holds bad base64", "gpg skips what is no base64"),
        ("a header holds a carriage return", "Git writes none"),
    ]);
    for (name, kind, beneath, options) in &KINDS[..7] {
        let certificate = key(&folder, name, kind, beneath);
        let signature = sign(&folder, name, options);
        let repeated = bent(&signature).find(|(_, it)| is_only_digest(&signature, it)).unwrap().1;
        let whole = [("as it is", &signature), ("another repeated digest", &repeated)];
        let whole = whole.map(|(what, it)| (what.to_owned(), armored("SIGNATURE", it)));
        let armours = armours(&armored("SIGNATURE", &signature));
        let armours = armours.into_iter().map(|(what, text)| (what.to_owned(), text));
        let bent = bent(&signature).step_by(59).map(|(what, it)| (what, armored("SIGNATURE", &it)));
        for (what, text) in whole.into_iter().chain(armours).chain(bent) {
            folder.write("text", &text);
            let theirs = folder.tries("gpg --batch --quiet --no-tty --verify text payload").0;
            seen.note(&format!("{name}: {what}"), ours(&certificate, &text), theirs);
        }
    }
    seen.close(300);
}
