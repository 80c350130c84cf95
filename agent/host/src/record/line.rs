//! One line of the record log: a record in its signed envelope.
//!
//! **Invariant:** the digest that chains lines is over the line's own bytes, never a re-encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::record::{PAYLOAD_TYPE, Record, SEQ_MAX};
use bowline_model::digest::Sha256;
use bowline_model::envelope::pae;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::key::HostKey;

/// A DSSE envelope as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// A line that was read.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) record: Record,
    pub(super) digest: Sha256,
}

/// Writes a record as a signed line, without its end.
pub(super) fn write(record: &Record, key: &HostKey) -> Result<Vec<u8>, serde_json::Error> {
    let payload = serde_json::to_vec(record)?;
    let sig = STANDARD.encode(key.sign(&pae(PAYLOAD_TYPE, &payload)));
    serde_json::to_vec(&Envelope {
        payload: STANDARD.encode(payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: vec![Signature { keyid: key.fingerprint(), sig }],
    })
}

/// Reads a line; `None` when it is not one.
pub(super) fn read(bytes: &[u8]) -> Option<Line> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    let payload = STANDARD.decode(&envelope.payload).ok()?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return None;
    }
    let record: Record = serde_json::from_slice(&payload).ok()?;
    // Whoever follows a record adds one to its number.
    (record.seq <= SEQ_MAX).then(|| Line { record, digest: Sha256::of(bytes) })
}

/// The payload and the only signature of a line; `None` when it is not one.
pub(super) fn open(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    let [signature] = envelope.signatures.as_slice() else { return None };
    Some((STANDARD.decode(&envelope.payload).ok()?, STANDARD.decode(&signature.sig).ok()?))
}

/// Whether this key signed the line.
pub(super) fn is_signed_by(bytes: &[u8], public: &[u8]) -> bool {
    let check = || {
        let (payload, sig) = open(bytes)?;
        let message = pae(PAYLOAD_TYPE, &payload);
        UnparsedPublicKey::new(&ED25519, public).verify(&message, &sig).ok()
    };
    check().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of this number, with a signature that nobody asks for here.
    fn line(seq: u64) -> Vec<u8> {
        let record = format!(
            r#"{{"v":1,"host":"h","seq":{seq},"prev":"00","at":"2026-01-01T00:00:00Z",
            "kind":"deployment","deployment":"d","revision":null,"base":null,"outcome":"committed",
            "reason":"r","trustSha256":"00","policy":null,"steps":{{"changed":0,"byKind":{{}}}}}}"#
        );
        serde_json::to_vec(&Envelope {
            payload: STANDARD.encode(record),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: Vec::new(),
        })
        .unwrap()
    }

    #[test]
    fn a_number_that_nothing_can_follow_is_no_records() {
        assert_eq!(read(&line(SEQ_MAX)).map(|it| it.record.seq), Some(SEQ_MAX));
        for seq in [SEQ_MAX + 1, u64::MAX] {
            assert!(read(&line(seq)).is_none(), "{seq}");
        }
    }
}
