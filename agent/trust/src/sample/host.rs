//! A host that signs records, as its agent writes them.
//!
//! **Invariant:** a receipt as it is made here counts; a test changes one thing in it.

use std::sync::Arc;

use bowline_api::record::PAYLOAD_TYPE;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use serde_json::{Value, json};

use super::Signer;
use crate::dsse;
use crate::receipt::Revision;

/// A host, by the seed of its key.
#[derive(Clone, Copy)]
pub(crate) struct Host(pub(crate) u8);

impl Host {
    /// Of its key.
    pub(crate) fn fingerprint(self) -> String {
        Signer::new(self.0).key().fingerprint()
    }

    /// What it records after an hour in good health, in November 2026.
    pub(crate) fn record(self, revision: &Revision) -> Value {
        let commit = revision.commit.map(|it| it.to_string()).unwrap_or_default();
        json!({
            "v": 1, "host": format!("stage-{}", self.0), "seq": 7, "prev": "00", "at": "2026-11-10T00:00:00Z",
            "kind": "healthy", "deployment": "", "revision": format!("main@sha1:{commit}"), "base": null,
            "commit": {"id": commit, "sha256": revision.commit_sha256, "tree": revision.tree.to_string()},
            "repo": {"uri": "git+https://git.example/ops/fleet", "ref": "refs/heads/main"},
            "hostKey": Signer::new(self.0).line(), "environment": "staging", "outcome": "unchanged",
            "reason": "Healthy", "trustSha256": "00", "policy": null, "steps": {"changed": 0, "byKind": {}},
            "healthy": {"since": "2026-11-09T23:00:00Z", "lastingMs": 3_600_000},
        })
    }

    /// These bytes in its envelope: a line of a note.
    pub(crate) fn signs(self, payload: &[u8]) -> Arc<[u8]> {
        let sig = Signer::new(self.0).bare(&pae(PAYLOAD_TYPE, payload));
        let signature = EnvelopeSignature { key_id: Some(self.fingerprint()), sig };
        line(PAYLOAD_TYPE, payload, &[signature])
    }

    /// The record of an hour in good health, changed.
    pub(crate) fn says(self, revision: &Revision, change: impl FnOnce(&mut Value)) -> Arc<[u8]> {
        let mut record = self.record(revision);
        change(&mut record);
        self.signs(record.to_string().as_bytes())
    }

    /// The record of an hour in good health.
    pub(crate) fn vouches(self, revision: &Revision) -> Arc<[u8]> {
        self.says(revision, |_| ())
    }
}

/// An envelope as a line of a note, without its end.
pub(crate) fn line(kind: &str, payload: &[u8], signatures: &[EnvelopeSignature]) -> Arc<[u8]> {
    let envelope = Envelope {
        payload_type: kind.to_owned(),
        payload: payload.to_vec(),
        signatures: signatures.to_vec(),
    };
    Arc::from(dsse::write(&envelope).trim_ascii_end())
}
