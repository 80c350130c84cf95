//! OpenPGP keys made by `gpg` and by the crate `pgp`, what they sign, and the crate's word on it.
//!
//! **Invariant:** the crate says "good" only of a key that its own certificate vouches for.

use bowline_trust::keys::Keys;
use bowline_trust::{Worth, inspect};
use pgp::composed::{
    ArmorOptions, Deserializable as _, DetachedSignature, KeyType, SecretKeyParamsBuilder,
    SignedPublicKey, SignedSecretKey, SubpacketConfig,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails as _, Password, Tag, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::bench::{COMMITTED, Folder, commit, payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Packets in an armour: of a `SIGNATURE`, or of a `PUBLIC KEY BLOCK`.
pub(crate) fn armored(what: &str, packets: &[u8]) -> String {
    let letters = STANDARD.encode(packets);
    let rows: Vec<&str> =
        letters.as_bytes().chunks(64).map(|it| std::str::from_utf8(it).unwrap()).collect();
    // gpg reads on into the END line where neither padding nor a checksum stops it.
    let sum = STANDARD.encode(&checksum(packets).to_be_bytes()[1..]);
    let rows = rows.join("\n");
    format!("-----BEGIN PGP {what}-----\n\n{rows}\n={sum}\n-----END PGP {what}-----\n")
}

/// The checksum of an armour (RFC 4880, part 6.1).
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 16), |sum, _| {
            let next = sum << 1;
            if next & 0x0100_0000 == 0 { next } else { next ^ 0x0186_4cfb }
        })
    })
}

/// A key of RFC 9580's own kind of Ed25519, which we do not read.
pub(crate) const NEWER: &str = "the crate's newer Ed25519";

/// A key, and a signature over the payload.
pub(crate) struct Made {
    pub(crate) what: String,
    pub(crate) certificate: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// Has `gpg` make a key of a kind, with a key to sign beneath it if one is named.
pub(crate) fn key(folder: &Folder, name: &str, kind: &str, beneath: &str) -> Vec<u8> {
    let made = COMMITTED - 86_400;
    let gpg = format!("gpg --batch --quiet --no-tty --faked-system-time {made}!");
    let usage = if beneath.is_empty() { "sign" } else { "cert" };
    folder.run(&format!(
        "mkdir -p -m 700 gnupg && {gpg} --passphrase '' --quick-gen-key {name} {kind} {usage} never"
    ));
    if !beneath.is_empty() {
        folder.run(&format!(
            "id=$(gpg --batch --with-colons -K ={name} | awk -F: '/^fpr/ {{print $10; exit}}') && \
             {gpg} --passphrase '' --quick-add-key $id {beneath} sign never"
        ));
    }
    let said = folder
        .run(&format!("gpg --batch --quiet --no-tty --export ={name} 2>/dev/null | base64 -w0"));
    STANDARD.decode(said.trim()).unwrap()
}

/// Has `gpg` sign the payload.
pub(crate) fn sign(folder: &Folder, name: &str, options: &str) -> Vec<u8> {
    folder.write("payload", payload());
    let said = folder.run(&format!(
        "gpg --batch --quiet --no-tty --faked-system-time {COMMITTED}! {options} --local-user ={name} \
         --detach-sign --output - payload 2>/dev/null | base64 -w0"
    ));
    STANDARD.decode(said.trim()).unwrap()
}

/// Keys that the crate makes, and a signature of each.
pub(crate) fn of_the_crate() -> Vec<Made> {
    let mut random = StdRng::seed_from_u64(20_260_921);
    let kinds = [
        ("the crate's Ed25519", KeyType::Ed25519Legacy, HashAlgorithm::Sha512),
        ("the crate's P-256", KeyType::ECDSA(ECCCurve::P256), HashAlgorithm::Sha256),
        ("the crate's P-384", KeyType::ECDSA(ECCCurve::P384), HashAlgorithm::Sha384),
        ("the crate's RSA", KeyType::Rsa(2048), HashAlgorithm::Sha256),
        (NEWER, KeyType::Ed25519, HashAlgorithm::Sha512),
    ];
    kinds
        .into_iter()
        .map(|(what, kind, hash)| {
            let key = SecretKeyParamsBuilder::default()
                .key_type(kind)
                .can_certify(true)
                .can_sign(true)
                .primary_user_id("alice".into())
                .created_at(timestamp(COMMITTED - 86_400))
                .build()
                .unwrap()
                .generate(&mut random)
                .unwrap();
            let certificate = SignedPublicKey::from(key.clone()).to_bytes().unwrap();
            let signature = sign_by_crate(&mut random, &key, hash);
            Made { what: what.to_owned(), certificate, signature }
        })
        .collect()
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_secs(u32::try_from(seconds).unwrap())
}

fn sign_by_crate(random: &mut StdRng, key: &SignedSecretKey, hash: HashAlgorithm) -> Vec<u8> {
    let words = [
        SubpacketData::SignatureCreationTime(timestamp(COMMITTED)),
        SubpacketData::IssuerFingerprint(key.fingerprint()),
    ];
    let hashed = words.into_iter().map(|it| Subpacket::regular(it).unwrap()).collect();
    let config = SubpacketConfig::UserDefined { hashed, unhashed: Vec::new() };
    let payload = payload();
    let made = DetachedSignature::sign_binary_data_with_subpackets(
        random,
        &key.primary_key,
        &Password::empty(),
        hash,
        payload.as_bytes(),
        config,
    );
    let made = made.unwrap();
    assert!(made.to_armored_string(ArmorOptions::default()).is_ok());
    made.to_bytes().unwrap()
}

/// Where the signatures among packets repeat their digests.
fn digests(packets: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    let two = |at: usize| usize::from(u16::from_be_bytes([packets[at], packets[at + 1]]));
    while at < packets.len() {
        let first = packets[at];
        let (tag, head, length) = match (first & 0x40, packets[at + 1]) {
            (0, short) if first & 3 == 0 => ((first >> 2) & 15, 2, usize::from(short)),
            (0, _) => ((first >> 2) & 15, 3, two(at + 1)),
            (_, short @ ..192) => (first & 0x3f, 2, usize::from(short)),
            _ => (first & 0x3f, 3, two(at + 1) - 0xc000 + 192),
        };
        if tag == 2 {
            let unhashed = at + head + 6 + two(at + head + 4);
            let end = unhashed + 2 + two(unhashed);
            found.push(end);
            // The word of a key beneath another stands in the part that nobody signs.
            let mut inner = unhashed + 2;
            while inner < end {
                let (length, kind) = match packets[inner] {
                    short @ ..192 => (usize::from(short), inner + 1),
                    _ => (two(inner) - 0xc000 + 192, inner + 2),
                };
                if packets[kind] == 32 {
                    let unhashed = kind + 7 + two(kind + 5);
                    found.push(unhashed + 2 + two(unhashed));
                }
                inner = kind + length;
            }
        }
        at += head + length;
    }
    assert_eq!(at, packets.len());
    found
}

/// Whether nothing but a repeated digest differs.
pub(crate) fn is_only_digest(original: &[u8], bent: &[u8]) -> bool {
    original.len() == bent.len()
        && original != bent
        && digests(original)
            .into_iter()
            .any(|at| original[..at] == bent[..at] && original[at + 2..] == bent[at + 2..])
}

/// Our word.
pub(crate) fn ours(certificate: &[u8], signature: &str) -> Result<(), String> {
    let keys = Keys::read(armored("PUBLIC KEY BLOCK", certificate).as_bytes());
    let keys = keys.map_err(|bad| format!("{bad:?}"))?;
    by(&keys, signature)
}

/// Our word by keys that were read.
pub(crate) fn by(keys: &Keys, signature: &str) -> Result<(), String> {
    let found = inspect(&commit(signature), keys);
    if found.result == Worth::Valid { Ok(()) } else { Err(found.reason) }
}

/// The crate's word: by the certificate's own key, or one beneath it that it binds.
pub(crate) fn theirs(certificate: &[u8], signature: &DetachedSignature) -> bool {
    let Ok(found) = SignedPublicKey::from_bytes_many(certificate) else { return false };
    let payload = payload();
    found.flatten().any(|it| {
        let primary = &it.primary_key;
        let users = it.details.users.iter();
        let is_own =
            users.clone().any(|user| {
                let mut words = user.signatures.iter();
                words.any(|word| word.verify_certification(primary, Tag::UserId, &user.id).is_ok())
            }) || it.details.direct_signatures.iter().any(|word| word.verify_key(primary).is_ok());
        let by_primary = signature.verify(primary, payload.as_bytes()).is_ok();
        let beneath = it.public_subkeys.iter().any(|sub| {
            let bound = sub.signatures.iter().any(|word| {
                let back = word.embedded_signature();
                word.verify_subkey_binding(primary, &sub.key).is_ok()
                    && word.key_flags().sign()
                    && back
                        .is_some_and(|it| it.verify_primary_key_binding(&sub.key, primary).is_ok())
            });
            bound && signature.verify(&sub.key, payload.as_bytes()).is_ok()
        });
        is_own && (by_primary || beneath)
    })
}
