//! Receipts: what a host's own signed record says of a revision that it ran, read from a line of a note.
//!
//! **Invariant:** nothing that is said counts before the key that the record names has signed it; whose key that is
//! the caller asks.
//! **Invariant:** a line is one envelope with one Ed25519 signature, as hosts write it; no other form is a record.

use std::collections::BTreeSet;
use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_api::record::{self, Kind, Record};
use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::Envelope;
use bowline_model::object_id::ObjectId;
use jiff::Timestamp;

use crate::dsse;
use crate::json;
use crate::ssh_key::SshKey;

/// The reason of a record that a person ordered a host back from what it ran before.
const ORDERED_BACK: &str = "RevertRequested";

/// What a line claims, before its signature was looked at.
#[derive(Debug, Clone)]
pub struct Claim {
    record: Record,
    key: SshKey,
    fingerprint: String,
    envelope: Envelope,
}

/// A revision as receipts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Its commit; `None` for what is still to be merged.
    pub commit: Option<ObjectId>,
    /// Of that commit's raw object.
    pub commit_sha256: Sha256,
    /// Its tree.
    pub tree: ObjectId,
}

/// By what a record names a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// By its tree: another commit that asks for the same.
    Tree,
    /// By its commit.
    Commit,
}

/// A record that its host signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Of the host's key, `SHA256:…`.
    pub(crate) fingerprint: String,
    /// Its place in the host's log.
    pub(crate) seq: u64,
    /// When it was written, if it says so.
    pub(crate) at: Option<Timestamp>,
    /// The revision, as far as it is named.
    pub(crate) named: Named,
    /// What it says of it.
    pub(crate) says: Says,
    /// Of the payload.
    pub(crate) sha256: Sha256,
}

/// What a record says of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Says {
    /// It stood in good health for so many milliseconds.
    Healthy(u64),
    /// It did not last: in words.
    Bad(String),
}

impl Claim {
    /// Reads a line; `None` when it is no record in its envelope. A record of another version is none.
    pub fn read(line: &[u8], largest: ByteSize) -> Option<Self> {
        let envelope = dsse::read(line, largest).ok()?;
        let is_one = envelope.signatures.len() == 1;
        if envelope.payload_type != record::PAYLOAD_TYPE || !is_one {
            return None;
        }
        let record: Record = serde_json::from_value(json::read(&envelope.payload).ok()?).ok()?;
        if record.v != record::VERSION || record.seq > record::SEQ_MAX {
            return None;
        }
        let key = SshKey::from_line(record.host_key.as_deref()?).ok()?;
        let fingerprint = key.fingerprint();
        Some(Self { record, key, fingerprint, envelope })
    }

    /// What it claims to be.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The fingerprint of the key that it names.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether the key that it names signed it.
    pub fn is_proved(&self) -> bool {
        let signed = self.envelope.pae();
        self.envelope.signatures.iter().all(|it| self.key.made_bare(&it.sig, &signed))
    }

    /// Whether a gate could hear it on this revision of the repository of this name.
    pub fn is_about(&self, revision: &Revision, (uri, ref_name): (&str, &str)) -> Option<Named> {
        let repo = self.record.repo.as_ref()?;
        if (repo.uri.as_str(), repo.ref_name.as_str()) != (uri, ref_name) {
            return None;
        }
        self.says_of(revision).map(|(named, _)| named)
    }

    /// What it says of a revision, once it is proved; `None` where that is nothing.
    pub(crate) fn receipt(&self, revision: &Revision, repo: (&str, &str)) -> Option<Receipt> {
        self.is_about(revision, repo)?;
        let (named, says) = self.says_of(revision).filter(|_| self.is_proved())?;
        Some(Receipt {
            fingerprint: self.fingerprint.clone(),
            seq: self.record.seq,
            at: self.record.at.parse().ok(),
            named,
            says,
            sha256: Sha256::of(&self.envelope.payload),
        })
    }

    fn says_of(&self, revision: &Revision) -> Option<(Named, Says)> {
        let Record { kind, outcome, reason, healthy, .. } = &self.record;
        if *kind == Kind::Healthy {
            let lasting = healthy.as_ref()?.lasting_ms;
            let is_good = *outcome == Outcome::Unchanged;
            return Some((self.named(revision)?, Says::Healthy(lasting))).filter(|_| is_good);
        }
        let ends = |name: &Option<String>| {
            let commit = revision.commit.map(|it| format!(":{it}"));
            name.as_deref().zip(commit).is_some_and(|(name, commit)| name.ends_with(&commit))
        };
        if reason == ORDERED_BACK && ends(&self.record.base) {
            return Some((Named::Commit, Says::Bad("went back from it by order".to_owned())));
        }
        let bad = match outcome {
            Outcome::Committed | Outcome::Unchanged | Outcome::Pending => return None,
            bad => Says::Bad(format!("ended {bad}")),
        };
        // A word against it needs no digest: it only keeps a gate closed.
        let named = self.named(revision);
        named.or(ends(&self.record.revision).then_some(Named::Commit)).map(|it| (it, bad))
    }

    /// By what it names a revision. An id alone is not believed: the raw object's digest must agree.
    fn named(&self, revision: &Revision) -> Option<Named> {
        let mark = self.record.commit.as_ref()?;
        if revision.commit.is_some_and(|it| it.to_string() == mark.id) {
            let is_it = revision.commit_sha256.to_string() == mark.sha256;
            return is_it.then_some(Named::Commit);
        }
        (revision.tree.to_string() == mark.tree).then_some(Named::Tree)
    }
}

/// Every record among these lines that its host signed on a revision of the repository of this name, each once.
pub(crate) fn read_all(
    lines: &[Arc<[u8]>],
    revision: &Revision,
    (repo, largest): ((&str, &str), ByteSize),
) -> Vec<Receipt> {
    let of_line = |line: &Arc<[u8]>| Claim::read(line, largest)?.receipt(revision, repo);
    let mut known = BTreeSet::new();
    let found = lines.iter().filter(|it| is_record(it)).filter_map(of_line);
    found.filter(|it| known.insert((it.fingerprint.clone(), it.sha256))).collect()
}

/// Whether a line calls itself a record, as hosts write it: a cheap look, for whoever sorts many lines.
pub fn is_record(line: &[u8]) -> bool {
    let name = record::PAYLOAD_TYPE.as_bytes();
    line.windows(name.len()).any(|it| it == name)
}
