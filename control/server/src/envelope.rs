//! What hosts send, verified: records and enrolments in their signed envelopes.
//!
//! **Invariant:** one payload has one envelope: what is not written exactly as hosts write it is refused,
//! so nobody on the way can turn a record into a fork of itself.
//! **Invariant:** nothing of a record is read before its signature was verified with the enrolled key.

use std::collections::BTreeMap;

use bowline_api::enrolment::{self, Request};
use bowline_api::intake::{FAR_AHEAD, UNREADABLE};
use bowline_api::record::{self, ProbeWord, Record, StepCount};
use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_trust::dsse::{self, BadEnvelope};
use bowline_trust::ssh_key::{BadKey, SshKey};
use ring::signature::{ED25519, UnparsedPublicKey};
use thiserror::Error;

use crate::readable::Readable;
use crate::store::{Entry, HostKey, Kept, Otherwise};

/// Hosts write no longer records, and a request's body is no larger.
const ENVELOPE_MAX: ByteSize = ByteSize::from_mib(1);

/// What stands before the 32 bytes of an Ed25519 key in its wire encoding: type and lengths.
const ED25519_HEAD: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";

/// Length of `"signatures":[…]}` as hosts write it: a fingerprint of 50 bytes, and a signature of 88.
const TAIL_BYTES: usize = 14 + 2 + 10 + 50 + 9 + 88 + 4;

/// What is not taken.
#[derive(Debug, Error)]
pub enum BadMessage {
    /// It is no envelope.
    #[error("it is not a DSSE envelope")]
    Envelope(#[from] BadEnvelope),
    /// It is one that no host writes.
    #[error("its envelope is not written as a host writes it: {0}")]
    Form(&'static str),
    /// It is signed by another key.
    #[error("its signature is not one of the key that it names")]
    Signature,
    /// The payload is something else.
    #[error("its payload is not what its type says")]
    Payload(#[source] serde_json::Error),
    /// The payload is a record that nobody could show whole.
    #[error("it is a record that cannot be read back as it was written")]
    Unreadable(#[source] serde_json::Error),
    /// The payload's version is another.
    #[error("version {0} of its payload is not supported by this version")]
    Version(u32),
    /// It is further on than any chain.
    #[error("its sequence {0} is beyond {max}, which no host reaches", max = record::SEQ_MAX)]
    FarAhead(u64),
    /// It is another host's.
    #[error("it speaks for the host {0:?}, whose key this is not")]
    Foreign(String),
    /// The key is none that a host has.
    #[error("its key is not an Ed25519 key in one line, as in host.key.pub")]
    Key(#[source] Option<BadKey>),
}

impl BadMessage {
    /// Whether the message itself is well formed, and only speaks with no right.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Signature | Self::Foreign(_))
    }

    /// The code by which a program knows it; `None` where status and words say it all.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable(_) => Some(UNREADABLE),
            Self::FarAhead(_) => Some(FAR_AHEAD),
            _ => None,
        }
    }
}

/// An enrolment whose proof holds.
#[derive(Debug)]
pub struct Proved {
    /// What is asked for.
    pub request: Request,
    /// The key that is held.
    pub public: [u8; 32],
    /// Its fingerprint.
    pub fingerprint: String,
}

/// The fingerprint that an envelope names; whether the envelope is one is found out later.
pub fn key_named(line: &[u8]) -> Result<String, BadMessage> {
    if let Some(named) = named_in_place(line) {
        return Ok(named.to_owned());
    }
    let envelope = dsse::read(line, ENVELOPE_MAX)?;
    let first = envelope.signatures.into_iter().next();
    first.and_then(|it| it.key_id).ok_or(BadMessage::Form("it names no key"))
}

/// The fingerprint where hosts write it: close to the end, so what stands before need not be read twice.
fn named_in_place(line: &[u8]) -> Option<&str> {
    let tail = line.get(line.len().checked_sub(TAIL_BYTES)?..)?;
    let tail = tail.get(tail.iter().position(|it| *it == b'[')?..)?;
    let named = tail.strip_prefix(br#"[{"keyid":""#)?;
    let end = named.iter().position(|it| *it == b'"')?;
    str::from_utf8(named.get(..end)?).ok()
}

/// Verifies that a key signed an envelope of a record, whatever that says.
pub fn proof(line: &[u8], key: &HostKey, named: &str) -> Result<(), BadMessage> {
    let (envelope, signature) = strict(line, record::PAYLOAD_TYPE, named)?;
    check(&envelope, &key.public, &signature)
}

/// Verifies a record of a key; `named` is the fingerprint by which the key was found.
pub fn record(line: &[u8], key: &HostKey, named: &str) -> Result<Entry, BadMessage> {
    let (envelope, signature) = strict(line, record::PAYLOAD_TYPE, named)?;
    check(&envelope, &key.public, &signature)?;
    let found: Record = serde_json::from_slice(&envelope.payload).map_err(BadMessage::Payload)?;
    if found.v != record::VERSION {
        return Err(BadMessage::Version(found.v));
    }
    if found.seq > record::SEQ_MAX {
        return Err(BadMessage::FarAhead(found.seq));
    }
    // A page shows all of a record or says that it cannot: what cannot be shown is not taken. Numbers beyond
    // any size, say, in fields that this version does not know.
    let read: Result<Readable, _> = serde_json::from_slice(&envelope.payload);
    read.map_err(BadMessage::Unreadable)?;
    if found.host != key.host {
        return Err(BadMessage::Foreign(found.host.chars().take(80).collect()));
    }
    let (record, payload) = (lean(found), envelope.payload);
    Ok(Entry { record, payload, signature, digest: Sha256::of(line) })
}

/// A record without what nobody reads out of it before it is shown. The payload has all of it; parsed, a list of
/// numbers takes sixteen times its text, and records wait for the writer in numbers.
fn lean(record: Record) -> Record {
    Record {
        detail: String::new(),
        policy: None,
        evidence: Vec::new(),
        gates: Vec::new(),
        adopted: Vec::new(),
        steps: StepCount::default(),
        irreversible: Vec::new(),
        snapshots: Vec::new(),
        conflicts: Vec::new(),
        proof: None,
        durations: BTreeMap::new(),
        ..record
    }
}

/// How many bytes an entry holds at most: its payload, and of that what was read out of it.
pub fn held_by(entry: &Entry) -> usize {
    let probes = entry.record.probes.capacity() + entry.record.after_revert.capacity();
    size_of::<Entry>() + 2 * entry.payload.capacity() + probes * size_of::<ProbeWord>()
}

/// Verifies that whoever asks for an enrolment holds the key.
pub fn enrolment(body: &[u8]) -> Result<Proved, BadMessage> {
    let line = body.trim_ascii_end();
    let named = key_named(line)?;
    let (envelope, signature) = strict(line, enrolment::PAYLOAD_TYPE, &named)?;
    // The key to verify with stands in the payload: it proves only that its holder wrote all of this.
    let request: Request =
        serde_json::from_slice(&envelope.payload).map_err(BadMessage::Payload)?;
    let key = SshKey::from_line(&request.key).map_err(|it| BadMessage::Key(Some(it)))?;
    let public = key.as_wire().strip_prefix(ED25519_HEAD).and_then(|it| it.try_into().ok());
    let public: [u8; 32] = public.ok_or(BadMessage::Key(None))?;
    check(&envelope, &public, &signature)?;
    if request.v != enrolment::VERSION {
        return Err(BadMessage::Version(request.v));
    }
    let fingerprint = key.fingerprint();
    if fingerprint != named {
        return Err(BadMessage::Signature);
    }
    Ok(Proved { request, public, fingerprint })
}

/// Reads an envelope in the one form in which hosts write it.
fn strict(line: &[u8], kind: &str, named: &str) -> Result<(Envelope, [u8; 64]), BadMessage> {
    let envelope = dsse::read(line, ENVELOPE_MAX)?;
    if envelope.payload_type != kind {
        return Err(BadMessage::Form("its payloadType is another"));
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(BadMessage::Form("it has not exactly one signature"));
    };
    if signature.key_id.as_deref() != Some(named) {
        return Err(BadMessage::Form("it names another key than the line before"));
    }
    let Ok(bytes) = signature.sig.as_slice().try_into() else {
        return Err(BadMessage::Form("its signature has not 64 bytes"));
    };
    if dsse::write(&envelope).strip_suffix(b"\n") != Some(line) {
        return Err(BadMessage::Form("order, spacing, alphabet or fields differ"));
    }
    Ok((envelope, bytes))
}

fn check(envelope: &Envelope, public: &[u8; 32], signature: &[u8; 64]) -> Result<(), BadMessage> {
    let key = UnparsedPublicKey::new(&ED25519, public);
    key.verify(&envelope.pae(), signature).map_err(|_bad| BadMessage::Signature)
}

/// A kept record, looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Its envelope, as its host wrote it.
    pub line: String,
    /// SHA-256 of that.
    pub digest: Sha256,
    /// Whether the signature is the key's.
    pub is_signed: bool,
}

/// Writes a kept record's envelope anew, and looks at its signature.
pub fn again(kept: &Kept) -> Again {
    let Kept { fingerprint, public, payload, signature, .. } = kept;
    written(fingerprint, public, payload, signature)
}

/// The same for a record that was not taken because another was.
pub fn again_otherwise(told: &Otherwise) -> Again {
    let Otherwise { fault, public, payload, signature } = told;
    written(&fault.key, public, payload, signature)
}

fn written(fingerprint: &str, public: &[u8; 32], payload: &[u8], signature: &[u8; 64]) -> Again {
    let mark = EnvelopeSignature { key_id: Some(fingerprint.to_owned()), sig: signature.to_vec() };
    let envelope = Envelope {
        payload_type: record::PAYLOAD_TYPE.to_owned(),
        payload: payload.to_vec(),
        signatures: vec![mark],
    };
    let written = dsse::write(&envelope);
    let line = String::from_utf8_lossy(written.trim_ascii_end()).into_owned();
    let digest = Sha256::of(line.as_bytes());
    Again { line, digest, is_signed: check(&envelope, public, signature).is_ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key_id: &str) -> Vec<u8> {
        let signature = EnvelopeSignature { key_id: Some(key_id.to_owned()), sig: vec![1; 64] };
        let envelope = Envelope {
            payload_type: record::PAYLOAD_TYPE.to_owned(),
            payload: br#"{"signatures":[{"keyid":"SHA256:other"}]}"#.to_vec(),
            signatures: vec![signature],
        };
        let mut line = dsse::write(&envelope);
        line.pop();
        line
    }

    #[test]
    fn a_key_is_found_in_its_place_and_elsewhere() {
        let usual = format!("SHA256:{}", "k".repeat(43));
        assert_eq!(named_in_place(&line(&usual)), Some(usual.as_str()));
        for named in [usual.as_str(), "short", &"l".repeat(300)] {
            assert_eq!(key_named(&line(named)).unwrap(), named);
        }
        assert!(key_named(b"{}").is_err());
        assert!(key_named(&[b'['; 400]).is_err());
    }
}
