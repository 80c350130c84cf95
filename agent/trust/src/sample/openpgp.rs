//! Somebody with an Ed25519 key of `OpenPGP`, and what such a key says of itself and signs.
//!
//! **Invariant:** the same seed and time are the same key, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{BEGINNING, DAY};

/// When keys are made, unless told otherwise: the day before the first commit.
pub(crate) const KEY_MADE: i64 = BEGINNING - DAY;

/// Somebody with a key.
pub(crate) struct Pgp {
    pair: Ed25519KeyPair,
    pub(crate) made: i64,
}

/// What somebody says: a kind of signature, at a time, with these subpackets.
#[derive(Clone)]
pub(crate) struct Words {
    pub(crate) kind: u8,
    pub(crate) made: i64,
    /// 8 for SHA-256, 2 for SHA-1.
    pub(crate) hash: u8,
    pub(crate) more: Vec<u8>,
    /// Whom it names as the one who says it; by default the one who does.
    pub(crate) issuer: Option<Vec<u8>>,
}

impl Words {
    pub(crate) fn of(kind: u8, made: i64) -> Self {
        Self { kind, made, hash: 8, more: Vec::new(), issuer: None }
    }

    /// Adds a subpacket: its kind and its value.
    pub(crate) fn with(mut self, kind: u8, value: &[u8]) -> Self {
        self.more.extend(subpacket(kind, value));
        self
    }

    pub(crate) fn sha1(mut self) -> Self {
        self.hash = 2;
        self
    }

    /// Names another as the one who says it; nobody by an empty subpacket.
    pub(crate) fn naming(mut self, issuer: Vec<u8>) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// That a key may sign, and ends ten days after it was made.
    pub(crate) fn usual(kind: u8) -> Self {
        Self::of(kind, KEY_MADE).with(27, &[3]).ending(10)
    }

    /// That a key ends these days after it was made.
    pub(crate) fn ending(self, days: u32) -> Self {
        self.with(9, &(days * 86_400).to_be_bytes())
    }
}

impl Pgp {
    pub(crate) fn new(seed: u8) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), made: KEY_MADE }
    }

    /// The key's packet, without its head.
    pub(crate) fn body(&self) -> Vec<u8> {
        let made = u32::try_from(self.made).unwrap().to_be_bytes();
        let curve = [9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
        let public = self.pair.public_key().as_ref();
        [&[4], &made[..], &[22], &curve, &[0x01, 0x07, 0x40], public].concat()
    }

    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.framed()).as_ref().to_vec()
    }

    /// The fingerprint as policies write it.
    pub(crate) fn name(&self) -> String {
        bowline_model::digest::hex(&self.fingerprint()).to_uppercase()
    }

    /// The key as signatures hash it.
    pub(crate) fn framed(&self) -> Vec<u8> {
        let body = self.body();
        [&[0x99, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    }

    /// The subpackets that name this key: by its fingerprint, or by its id only.
    pub(crate) fn issuer(&self) -> Vec<u8> {
        subpacket(33, &[&[4], &self.fingerprint()[..]].concat())
    }

    pub(crate) fn issuer_id(&self) -> Vec<u8> {
        subpacket(16, &self.fingerprint()[12..])
    }

    /// The body of a signature over these bytes.
    pub(crate) fn say(&self, words: &Words, over: &[u8]) -> Vec<u8> {
        let made = subpacket(2, &u32::try_from(words.made).unwrap().to_be_bytes());
        let issuer = words.issuer.clone().unwrap_or_else(|| self.issuer());
        let hashed = [made, words.more.clone(), issuer].concat();
        let length = u16::try_from(hashed.len()).unwrap().to_be_bytes();
        let head = [&[4, words.kind, 22, words.hash], &length[..], &hashed].concat();
        let end = u32::try_from(head.len()).unwrap().to_be_bytes();
        let signed = [over, &head, &[4, 0xff], &end].concat();
        let how = if words.hash == 2 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
        let value = self.pair.sign(digest(how, &signed).as_ref());
        let (r, s) = value.as_ref().split_at(32);
        [&head, &[0, 0, 0, 0, 1, 0][..], r, &[1, 0], s].concat()
    }

    /// A detached signature over a document, in its armour.
    pub(crate) fn sign(&self, words: &Words, document: &[u8]) -> String {
        armored("SIGNATURE", &packet(2, &self.say(words, document)))
    }

    /// A certificate: the key, and its word over a user of this name.
    pub(crate) fn certificate(&self, name: &str, words: &Words) -> Vec<u8> {
        let over = over_user(&self.framed(), name);
        [packet(6, &self.body()), user(name), packet(2, &self.say(words, &over))].concat()
    }
}

/// A user as signatures hash them, behind a key.
pub(crate) fn over_user(framed: &[u8], name: &str) -> Vec<u8> {
    let length = u32::try_from(name.len()).unwrap().to_be_bytes();
    [framed, &[0xb4], &length, name.as_bytes()].concat()
}

pub(crate) fn user(name: &str) -> Vec<u8> {
    packet(13, name.as_bytes())
}

pub(crate) fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0xc0 | tag, 0xff], &length[..], body].concat()
}

fn subpacket(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len() + 1).unwrap().to_be_bytes();
    [&[0xff], &length[..], &[kind], value].concat()
}

/// Packets in their armour: of a `SIGNATURE`, or of a `PUBLIC KEY BLOCK`.
pub(crate) fn armored(what: &str, packets: &[u8]) -> String {
    let letters = STANDARD.encode(packets);
    format!("-----BEGIN PGP {what}-----\n\n{letters}\n-----END PGP {what}-----\n")
}
