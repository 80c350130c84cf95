//! SSH certificates that an authority really signed, whatever stands in them.
//!
//! **Invariant:** one counts exactly when a reader that is written here says so.

use bowline_trust::keys::Keys;
use bowline_trust::{Worth, armor, inspect};
use ring::digest::{SHA512, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{BEGINNING, Strings, signed_commit, string};

/// What an authority's line lets it vouch for.
const NAMES: &str = "alice@ops,bob*";

/// What a stranger wrote is signed by the authority and used to sign a commit.
pub(super) fn ssh(bytes: &[u8]) -> bool {
    let pair = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
    let (holder, authority) = (pair(1), pair(9));
    let wire =
        |it: &Ed25519KeyPair| [string(b"ssh-ed25519"), string(it.public_key().as_ref())].concat();
    let value = |it: &Ed25519KeyPair, over: &[u8]| {
        [string(b"ssh-ed25519"), string(it.sign(over).as_ref())].concat()
    };
    let vouched = [bytes, &string(&wire(&authority))].concat();
    let certificate = [&vouched[..], &string(&value(&authority, &vouched))].concat();
    let commit = signed_commit(BEGINNING, |payload| {
        let fields = [string(b"git"), string(b""), string(b"sha512")].concat();
        let signed = [b"SSHSIG", &fields[..], &string(digest(&SHA512, payload).as_ref())].concat();
        let parts =
            [&string(&certificate)[..], &fields, &string(&value(&holder, &signed))].concat();
        armor::put_on(&[b"SSHSIG\0\0\0\x01", &parts[..]].concat())
    });
    let line = |it: &Ed25519KeyPair| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(wire(it))
    };
    let keys = format!("{NAMES} cert-authority ssh-ed25519 {}", line(&authority));
    let found = inspect(&commit, &Keys::read(keys.as_bytes()).expect("a list of keys"));
    let counts = counts(bytes, holder.public_key().as_ref()).unwrap_or(false);
    assert_eq!(found.result == Worth::Valid, counts, "{}", found.reason);
    let nobody = inspect(&commit, &Keys::default());
    assert_ne!(nobody.result, Worth::Valid, "nobody vouches");
    counts
}

/// Whether a certificate, up to its authority, is good for the commit.
fn counts(bytes: &[u8], holder: &[u8]) -> Option<bool> {
    let mut rest = Strings(bytes);
    let kind = rest.string()?;
    let (_nonce, key, _serial, role) =
        (rest.string()?, rest.string()?, rest.long()?, rest.number()?);
    let (_id, names, after, before) = (rest.string()?, rest.string()?, rest.long()?, rest.long()?);
    let (critical, _extensions, _reserved) = (rest.string()?, rest.string()?, rest.string()?);
    let mut names = Strings(names);
    let (mut count, mut means) = (0, false);
    while !names.0.is_empty() {
        let name = std::str::from_utf8(names.string()?).ok()?;
        means |= name == "alice@ops" || name.starts_with("bob");
        count += 1;
    }
    let now = BEGINNING.unsigned_abs();
    let is_good = kind == b"ssh-ed25519-cert-v01@openssh.com"
        && (key == holder && role == 1)
        && critical.is_empty()
        && rest.0.is_empty();
    Some(is_good && count <= 256 && means && after <= now && now < before)
}
