//! The private key file that `ssh-keygen -t ed25519` writes, as far as a host's key needs it.
//!
//! **Invariant:** a key behind a passphrase, of another type, or with anything that does not fit is no
//! key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What an OpenSSH private key begins with, inside its PEM lines.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// An Ed25519 key: the seed, and the public key it is said to have.
pub(crate) struct Ed25519 {
    pub(crate) seed: [u8; 32],
    pub(crate) public: [u8; 32],
}

/// Reads the file; `None` when it is not an Ed25519 key without a passphrase.
pub(crate) fn read(bytes: &[u8]) -> Option<Ed25519> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let body = text
        .strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?
        .strip_suffix("-----END OPENSSH PRIVATE KEY-----")?;
    let digits: String = body.split_whitespace().collect();
    let whole = STANDARD.decode(digits).ok()?;
    let mut rest = whole.strip_prefix(MAGIC)?;
    // Cipher, key derivation and its options: all three say that there is no passphrase.
    let open = [b"none".as_slice(), b"none", b""];
    if !open.iter().all(|it| text_of(&mut rest) == Some(*it)) || number(&mut rest)? != 1 {
        return None;
    }
    let outer = text_of(&mut rest)?;
    let mut inner = text_of(&mut rest)?;
    if !rest.is_empty() || number(&mut inner)? != number(&mut inner)? {
        return None;
    }
    let public = named_key(&mut inner)?;
    let secret: [u8; 64] = text_of(&mut inner)?.try_into().ok()?;
    let (seed, again) = secret.split_at(32);
    let mut outer = outer;
    if again != public || named_key(&mut outer)? != public {
        return None;
    }
    Some(Ed25519 { seed: seed.try_into().ok()?, public })
}

fn named_key(rest: &mut &[u8]) -> Option<[u8; 32]> {
    (text_of(rest)? == b"ssh-ed25519").then_some(())?;
    text_of(rest)?.try_into().ok()
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_be_bytes(*head))
}

fn text_of<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (text, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(text)
}
