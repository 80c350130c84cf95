//! DSSE envelopes: read strictly, written plainly, and their signers counted.
//!
//! **Invariant:** signers are counted by key, never by signature and never by `keyid`.
//! **Invariant:** work is bounded before any signature is looked at.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bowline_model::byte_size::ByteSize;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::json;

/// As many as a policy may have root keys.
const MOST_SIGNATURES: usize = 64;

/// What a Sigstore bundle says it is; what follows tells smaller versions apart.
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle";

/// An envelope that cannot be read.
#[derive(Debug, Error)]
pub enum BadEnvelope {
    /// It is too large.
    #[error("the envelope is larger than {0}")]
    TooLarge(ByteSize),
    /// It carries too many signatures.
    #[error("the envelope carries {0} signatures, more than 64")]
    TooMany(usize),
    /// It is not JSON of the right shape.
    #[error("the envelope is not strict JSON of the right shape")]
    Json(#[source] serde_json::Error),
    /// It is a bundle of another kind.
    #[error("the bundle is not a Sigstore bundle v0.3 with an envelope and a public key")]
    Bundle,
    /// A part is not base64.
    #[error("{0} of the envelope is not base64")]
    Base64(&'static str),
}

/// The shape in JSON. Other fields are left alone, as DSSE demands.
#[derive(Deserialize)]
struct EnvelopeText {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<SignatureText>,
}

#[derive(Deserialize)]
struct SignatureText {
    keyid: Option<String>,
    sig: String,
}

/// Reads an envelope.
///
/// # Errors
/// When it is too large, not strict JSON of the right shape, or not base64 inside.
pub fn read(bytes: &[u8], largest: ByteSize) -> Result<Envelope, BadEnvelope> {
    if bytes.len() > largest.as_len() {
        return Err(BadEnvelope::TooLarge(largest));
    }
    from_value(json::read(bytes).map_err(BadEnvelope::Json)?)
}

/// Reads an envelope, bare or in a Sigstore bundle whose key is named by a hint.
///
/// # Errors
/// As [`read`]; a bundle with a certificate is none that can be read here.
pub fn read_any(bytes: &[u8], largest: ByteSize) -> Result<Envelope, BadEnvelope> {
    if bytes.len() > largest.as_len() {
        return Err(BadEnvelope::TooLarge(largest));
    }
    let mut value = json::read(bytes).map_err(BadEnvelope::Json)?;
    if value.get("mediaType").is_none() {
        return from_value(value);
    }
    let kind = value.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let by_key = value.pointer("/verificationMaterial/publicKey").is_some();
    if !(kind.starts_with(BUNDLE_TYPE) && by_key) {
        return Err(BadEnvelope::Bundle);
    }
    from_value(value.get_mut("dsseEnvelope").map(Value::take).ok_or(BadEnvelope::Bundle)?)
}

fn from_value(value: Value) -> Result<Envelope, BadEnvelope> {
    let text: EnvelopeText = serde_json::from_value(value).map_err(BadEnvelope::Json)?;
    if text.signatures.len() > MOST_SIGNATURES {
        return Err(BadEnvelope::TooMany(text.signatures.len()));
    }
    let read_signature = |it: SignatureText| {
        Some(EnvelopeSignature {
            key_id: it.keyid.filter(|id| !id.is_empty()),
            sig: undo_base64(&it.sig)?,
        })
    };
    let signatures: Option<_> = text.signatures.into_iter().map(read_signature).collect();
    Ok(Envelope {
        payload: undo_base64(&text.payload).ok_or(BadEnvelope::Base64("payload"))?,
        payload_type: text.payload_type,
        signatures: signatures.ok_or(BadEnvelope::Base64("a signature"))?,
    })
}

/// Either alphabet, not both mixed; padded, without white space.
fn undo_base64(text: &str) -> Option<Vec<u8>> {
    let standard = STANDARD.decode(text);
    standard.or_else(|_other| URL_SAFE.decode(text)).ok()
}

/// Writes an envelope as one line of JSON.
pub fn write(envelope: &Envelope) -> Vec<u8> {
    let signatures: Vec<_> = envelope.signatures.iter().map(signature_value).collect();
    let value = json!({
        "payload": STANDARD.encode(&envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": signatures,
    });
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

fn signature_value(signature: &EnvelopeSignature) -> Value {
    let sig = STANDARD.encode(&signature.sig);
    match &signature.key_id {
        Some(id) => json!({"keyid": id, "sig": sig}),
        None => json!({"sig": sig}),
    }
}

/// The places, in `keys`, of the distinct keys that signed.
///
/// `who` verifies one signature over the pre-authentication encoding and yields the key that made it.
pub(crate) fn signers<K: PartialEq>(
    envelope: &Envelope,
    keys: &[K],
    who: impl Fn(&EnvelopeSignature, &[u8]) -> Option<K>,
) -> BTreeSet<usize> {
    let pae = envelope.pae();
    let made_by = envelope.signatures.iter().filter_map(|it| who(it, &pae));
    made_by.filter_map(|key| keys.iter().position(|known| *known == key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_MIB: ByteSize = ByteSize::from_mib(1);

    fn envelope(signatures: &str) -> String {
        format!(r#"{{"payloadType":"t","payload":"-_-_Pj8=","signatures":[{signatures}],"x":1}}"#)
    }

    #[test]
    fn both_alphabets_and_unknown_fields_are_read() {
        let sigs =
            r#"{"sig":"+/+/Pj8=","keyid":"k"},{"sig":"AA==","keyid":null},{"sig":"","keyid":""}"#;
        let found = read(envelope(sigs).as_bytes(), ONE_MIB).unwrap();
        assert_eq!(found.payload, found.signatures[0].sig);
        let ids: Vec<_> = found.signatures.iter().map(|it| it.key_id.as_deref()).collect();
        assert_eq!(ids, [Some("k"), None, None]);
        assert_eq!(read(&write(&found), ONE_MIB).unwrap(), found);
    }

    #[test]
    fn other_texts_are_no_envelopes() {
        let good = envelope(r#"{"sig":"AA=="}"#);
        for changed in [
            good.replace("payloadType", "payloadtype"),
            good.replace("\"payload\":\"-_-_Pj8=\",", ""),
            good.replace("-_-_Pj8=", "-_+_Pj8="),
            good.replace("-_-_Pj8=", "-_-_Pj8"),
            good.replace("-_-_Pj8=", "-_-_ Pj8="),
            good.replace("AA==", "AB=="),
            good.replace("\"x\":1", "\"x\":1,\"x\":1"),
            good.replace("\"sig\"", "\"sig\":\"\",\"sig\""),
            good.replace("{\"sig\":\"AA==\"}", "7"),
            format!("{good}{good}"),
            envelope(&vec![r#"{"sig":""}"#; 65].join(",")),
        ] {
            assert_ne!(changed, good);
            assert!(read(changed.as_bytes(), ONE_MIB).is_err(), "{changed}");
        }
        assert!(read(good.as_bytes(), ONE_MIB).is_ok());
    }

    #[test]
    fn an_envelope_over_the_limit_is_not_even_parsed() {
        let largest: ByteSize = "16B".parse().unwrap();
        let found = read(envelope("").as_bytes(), largest);
        assert!(matches!(found, Err(BadEnvelope::TooLarge(_))), "{found:?}");
    }

    #[test]
    fn signers_are_counted_by_key_whatever_the_key_id_says() {
        let signature =
            |sig: u8| EnvelopeSignature { key_id: Some("a lie".to_owned()), sig: vec![sig] };
        let found = Envelope {
            payload_type: "t".to_owned(),
            payload: Vec::new(),
            signatures: vec![signature(1), signature(1), signature(3), signature(9)],
        };
        let who = |it: &EnvelopeSignature, _: &[u8]| it.sig.first().copied();
        assert_eq!(signers(&found, &[1, 2, 3], who), BTreeSet::from([0, 2]));
    }
}
