//! A certificate of `OpenPGP`: a key, whose it is by its own word, and the keys that may sign for it.
//!
//! **Invariant:** a key counts only by a signature of the primary key over it, and a signing subkey by its own as well.
//! **Invariant:** whatever says "revoked" is believed, whoever wrote it: it can only take something away.
//! **Invariant:** a word of the key's own that cannot be judged takes everything away that is not newer.

use super::armor::{self, Holds};
use super::key::{Fingerprint, Key, framed};
use super::packet::{self, Packet};
use super::signature::Signature;
use crate::bad_signature::BadSignature;

/// Kinds of packets.
const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const SECRET_SUBKEY: u8 = 7;
const PUBLIC_KEY: u8 = 6;
const USER: u8 = 13;
const SUBKEY: u8 = 14;
const ATTRIBUTE: u8 = 17;

/// Kinds of signatures: over a user, over a key itself, over a subkey and back, and what takes them back.
const OVER_USER: [u8; 4] = [0x10, 0x11, 0x12, 0x13];
const OVER_KEY: [u8; 1] = [0x1f];
const OVER_SUBKEY: [u8; 1] = [0x18];
const BACK: u8 = 0x19;
const KEY_REVOKED: u8 = 0x20;
const SUBKEY_REVOKED: u8 = 0x28;
const USER_REVOKED: u8 = 0x30;

/// The flag that says: may sign documents.
const MAY_SIGN: u8 = 2;

/// A name and an address; each signature over them hashes them anew.
const USER_BYTES_MAX: usize = 2048;

/// Far above what people collect; each costs a look, and some a verification.
const SIGNATURES_MAX: usize = 2000;

/// Somebody's key with the subkeys that may sign for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The primary key's fingerprint: the name that policies know it by.
    pub fingerprint: Fingerprint,
    /// The first user of whom the key itself says that it belongs to them; empty without one.
    pub name: String,
    pub(crate) keys: Vec<SigningKey>,
    /// Whether anybody says that the whole of it was taken back.
    pub(crate) is_revoked: bool,
}

/// A key that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub(super) key: Key,
    /// The first second at which it no longer counts.
    pub(super) until: Option<i64>,
    pub(crate) is_revoked: bool,
}

/// What a key's own words give it.
#[derive(Debug, Clone, Copy, Default)]
struct Grant {
    until: Option<i64>,
    flags: Option<u8>,
}

/// A packet that is signed over, and the signatures that follow it.
struct Section<'a> {
    head: Packet<'a>,
    signatures: Vec<&'a [u8]>,
}

/// One own word: a signature that verifies, and when it was made.
#[derive(Clone)]
struct Word<'a> {
    signature: Signature<'a>,
    made: i64,
}

impl Certificate {
    /// Reads an armoured file of certificates.
    ///
    /// # Errors
    /// When it is malformed, names a key twice, or is of a version that is not supported.
    pub fn read_armored(text: &[u8]) -> Result<Vec<Self>, BadSignature> {
        let bytes = armor::undo(text, Holds::PublicKey)?;
        let malformed = || BadSignature::Malformed("OpenPGP key block is malformed".to_owned());
        let packets = packet::read(&bytes).ok_or_else(malformed)?;
        let mut certificates: Vec<Vec<Section<'_>>> = Vec::new();
        for head in packets {
            match (head.tag, certificates.last_mut()) {
                (PUBLIC_KEY, _) => {
                    certificates.push(vec![Section { head, signatures: Vec::new() }]);
                }
                (SIGNATURE, Some(sections)) => {
                    let section = sections.last_mut().ok_or_else(malformed)?;
                    section.signatures.push(head.body);
                }
                (USER | SUBKEY | ATTRIBUTE, Some(sections)) => {
                    sections.push(Section { head, signatures: Vec::new() });
                }
                // What follows a secret key would be heard as said of the key before it.
                (_, None) | (SECRET_KEY | SECRET_SUBKEY, _) => return Err(malformed()),
                // Trust, markers, padding: nothing that is signed.
                _ => {}
            }
        }
        certificates.iter().map(|it| Self::of(it).ok_or_else(malformed)?).collect()
    }

    fn of(sections: &[Section<'_>]) -> Option<Result<Self, BadSignature>> {
        let (first, rest) = sections.split_first()?;
        let all = || sections.iter().flat_map(|it| it.signatures.iter().copied());
        let users = || rest.iter().filter(|it| it.head.tag == USER);
        let too_long = users().any(|it| it.head.body.len() > USER_BYTES_MAX);
        if too_long || all().count() > SIGNATURES_MAX || stands_twice(sections) {
            return None;
        }
        let primary = match Key::read(first.head.body) {
            Ok(primary) => primary,
            Err(bad) => return Some(Err(bad)),
        };
        let base = framed(0x99, first.head.body)?;
        let is_revoked = all().any(|it| Signature::kind_of(it) == Some(KEY_REVOKED));
        // Which subkey one means that stands elsewhere, nobody can tell.
        let elsewhere = sections.iter().filter(|it| it.head.tag != SUBKEY);
        let is_revoked = is_revoked || elsewhere.flat_map(|it| &it.signatures).any(revokes_subkey);
        let mut own = own_words(&primary, &first.signatures, &OVER_KEY, &base);
        let mut name = None;
        for user in users() {
            let words = words_over(&primary, user, &base);
            if words.as_ref().is_some_and(|it| !it.is_empty()) {
                name.get_or_insert_with(|| String::from_utf8_lossy(user.head.body).into_owned());
            }
            own = own.zip(words).map(|(own, words)| [own, words].concat());
        }
        let name = name.unwrap_or_default();
        let fingerprint = primary.fingerprint;
        let mut found = Self { fingerprint, name, keys: Vec::new(), is_revoked };
        // A key that says nothing of itself, or what nobody here can judge, signs nothing.
        let Some(own) = own.filter(|it| !it.is_empty()) else { return Some(Ok(found)) };
        let grant = granted(&primary, own);
        for section in rest.iter().filter(|it| it.head.tag == SUBKEY) {
            found.keys.extend(subkey(&primary, section, &base).map(|it| SigningKey {
                until: [it.until, grant.until].into_iter().flatten().min(),
                is_revoked: it.is_revoked || is_revoked,
                ..it
            }));
        }
        if grant.flags.is_none_or(|it| it & MAY_SIGN != 0) {
            found.keys.push(SigningKey { key: primary, until: grant.until, is_revoked });
        }
        Some(Ok(found))
    }
}

fn revokes_subkey(signature: &&[u8]) -> bool {
    Signature::kind_of(signature) == Some(SUBKEY_REVOKED)
}

/// Whether a user or a subkey stands in a certificate twice: what is said of one would not be said of the other.
fn stands_twice(sections: &[Section<'_>]) -> bool {
    let mut seen: Vec<_> = sections.iter().map(|it| (it.head.tag, it.head.body)).collect();
    seen.sort_unstable();
    seen.windows(2).any(|pair| pair.first() == pair.last())
}

/// What a primary key says of one of its users, and has not taken back; `None` as in [`own_words`].
fn words_over<'a>(primary: &Key, user: &Section<'a>, base: &[u8]) -> Option<Vec<Word<'a>>> {
    let length = u32::try_from(user.head.body.len()).ok()?.to_be_bytes();
    let over = [base, &[0xb4], &length, user.head.body].concat();
    let mut words = own_words(primary, &user.signatures, &OVER_USER, &over)?;
    match own_words(primary, &user.signatures, &[USER_REVOKED], &over) {
        Some(gone) => {
            let last = gone.iter().map(|it| it.made).max();
            words.retain(|it| last.is_none_or(|gone| gone < it.made));
        }
        None => words.clear(),
    }
    Some(words)
}

/// The signatures of some kinds that a primary key made over these bytes; `None` where one of them that may be its
/// own, and is not older than those that verify, cannot be judged.
fn own_words<'a>(
    primary: &Key,
    signatures: &[&'a [u8]],
    kinds: &[u8],
    over: &[u8],
) -> Option<Vec<Word<'a>>> {
    let mut words: Vec<Word<'a>> = Vec::new();
    let mut unjudged: Option<i64> = None;
    for body in signatures {
        if !Signature::kind_of(body).is_some_and(|it| kinds.contains(&it)) {
            continue;
        }
        // Others sign keys in forms of their own. Who made one that cannot be read is not known.
        let Ok(signature) = Signature::read(body) else {
            unjudged = Some(i64::MAX).filter(|_| body.first() == Some(&4)).or(unjudged);
            continue;
        };
        if !signature.may_be_by(primary) {
            continue;
        }
        let made = signature.made().unwrap_or(i64::MAX);
        match signature.verify(primary, over) {
            Ok(()) if !signature.ends() => words.push(Word { signature, made }),
            Ok(()) | Err(BadSignature::Unsupported(_)) => {
                unjudged = unjudged.max(Some(made));
            }
            // It only names the key.
            Err(_) => {}
        }
    }
    let newest = words.iter().map(|it| it.made).max();
    (unjudged.is_none() || unjudged < newest).then_some(words)
}

/// What words give together: of each thing that may be said the newest that says it counts.
fn granted(key: &Key, mut words: Vec<Word<'_>>) -> Grant {
    words.sort_by_key(|it| it.made);
    let mut grant = Grant::default();
    for Word { signature, .. } in &words {
        if let Some(seconds) = signature.says.key_ends {
            grant.until = (seconds > 0).then(|| key.made.saturating_add(seconds.into()));
        }
        grant.flags = signature.says.flags.or(grant.flags);
    }
    grant
}

/// A subkey that may sign, if both keys say so.
fn subkey(primary: &Key, section: &Section<'_>, base: &[u8]) -> Option<SigningKey> {
    let key = Key::read(section.head.body).ok()?;
    let over = [base, &framed(0x99, section.head.body)?].concat();
    let mut words = own_words(primary, &section.signatures, &OVER_SUBKEY, &over)?;
    words.sort_by_key(|it| it.made);
    let binding = &words.last()?.signature;
    if binding.says.flags? & MAY_SIGN == 0 {
        return None;
    }
    // Without the subkey's own word, somebody could take another's signatures for theirs.
    let back = Signature::read(binding.says.embedded?).ok()?;
    if back.kind != BACK || back.verify(&key, &over).is_err() {
        return None;
    }
    let is_revoked = section.signatures.iter().any(revokes_subkey);
    let until = binding.says.key_ends.filter(|it| *it > 0);
    let until = until.map(|it| key.made.saturating_add(it.into()));
    Some(SigningKey { key, until, is_revoked })
}

#[cfg(test)]
mod tests;
