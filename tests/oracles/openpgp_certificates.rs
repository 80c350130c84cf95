//! OpenPGP certificates, read by us and by the crate `pgp`.
//!
//! **Invariant:** a signature counts by a bent certificate only where the crate finds it by a key that is bound; the
//! two bytes in which a signature repeats its digest prove nothing.

use pgp::composed::{Deserializable as _, DetachedSignature};

use crate::bench::{Folder, Stricter, payload};
use crate::bent::bent;
use crate::openpgp_bench::{
    Made, NEWER, armored, is_only_digest, key, of_the_crate, ours, sign, theirs,
};

/// Why we refuse what the crate takes.
const REASONS: &[(&str, &str)] = &[
    ("Twice {", "one copy might say that the key is revoked"),
    (
        "none of the given",
        "others write a number anew whose count of bits is wrong; here it makes another key",
    ),
];

fn by_gpgv(folder: &Folder, certificate: &[u8]) -> bool {
    folder.write("keyring", certificate);
    folder.write("payload", payload());
    folder.tries("gpgv -q --keyring ./keyring signature payload").0
}

#[test]
fn bent_certificates_are_judged_as_the_crate_judges_them() {
    let folder = Folder::new("openpgp-certificates");
    let mut all = of_the_crate();
    all.retain(|it| it.what != NEWER);
    for (name, kind, beneath) in [
        ("rsa", "rsa2048", ""),
        ("ed", "ed25519", ""),
        ("p256", "nistp256", ""),
        ("beneath", "rsa2048", "ed25519"),
        ("beneath2", "ed25519", "rsa3072"),
    ] {
        let certificate = key(&folder, name, kind, beneath);
        let signature = sign(&folder, name, "--digest-algo SHA256");
        all.push(Made { what: name.to_owned(), certificate, signature });
    }
    let mut seen = Stricter::by(REASONS);
    let mut repeated = 0;
    for made in all {
        let text = armored("SIGNATURE", &made.signature);
        let signature = DetachedSignature::from_bytes(&made.signature[..]).unwrap();
        folder.write("signature", &made.signature);
        for (what, bytes) in bent(&made.certificate) {
            let what = format!("{}: {what}", made.what);
            let ours = ours(&bytes, &text);
            if ours.is_ok() && is_only_digest(&made.certificate, &bytes) {
                repeated += 1;
                continue;
            }
            // The crate writes a key's numbers anew before it looks for their name: there GnuPG has the word.
            let is_lax = ours.as_ref().is_err_and(|why| why.contains("none of the given"));
            let theirs = theirs(&bytes, &signature) && (!is_lax || by_gpgv(&folder, &bytes));
            seen.note(&what, ours, theirs);
        }
    }
    assert!(repeated > 80, "{repeated}");
    seen.close(25_000);
}
