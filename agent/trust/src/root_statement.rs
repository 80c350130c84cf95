//! What root keys say of commits: that one may stay on the branch, or that all below one is good.
//!
//! **Invariant:** a statement counts for the repository and branch it names, and for commits it names by two
//! digests, each of the whole commit.
//! **Invariant:** the payload is read only after a threshold of one root signed it.

pub(crate) mod adoption;
pub(crate) mod checkpoint;
mod sieve;

use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::object_id::ObjectId;
use bowline_model::trust_root::RepoIdentity;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::attested::{self, STATEMENT_TYPE};
use crate::root_keys::RootRing;
use crate::roots::Roots;
use crate::statement::{Statement, Subject};
use crate::{dsse, new_root};

pub(crate) use adoption::Foundling;
pub use adoption::{ADOPTION_TYPE, Adoption, COMMITS_MAX, LONGEST_LIFE};
pub use checkpoint::{CHECKPOINT_TYPE, Checkpoint, CheckpointSeen};
pub use sieve::{RootSieve, RootWord};

/// As much as clocks of people's machines may differ, as for commits.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// A commit as root keys name it: SHA-1 alone pins nothing that nobody signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub commit: ObjectId,
    /// SHA-256 of its raw bytes.
    pub sha256: Sha256,
}

impl Named {
    /// The name of a raw commit.
    pub fn of(commit: ObjectId, raw: &[u8]) -> Self {
        Self { commit, sha256: Sha256::of(raw) }
    }

    fn subject(&self) -> Value {
        let digest =
            json!({"gitCommit": self.commit.to_string(), "sha256": self.sha256.to_string()});
        json!({"name": "commit", "digest": digest})
    }

    fn is_among(&self, subjects: &[Subject]) -> bool {
        let (commit, sha256) = (self.commit.to_string(), self.sha256.to_string());
        let digest = |it: &Subject, name: &str, value: &String| it.digest.get(name) == Some(value);
        subjects.iter().any(|it| digest(it, "gitCommit", &commit) && digest(it, "sha256", &sha256))
    }
}

/// A statement that a threshold of a root signed.
#[derive(Debug)]
pub(crate) struct RootStatement {
    envelope: Envelope,
    statement: Statement,
}

impl RootStatement {
    /// Reads a line; `None` where no root that was ever in force here signed a statement in it.
    pub(crate) fn read(line: &[u8], roots: &Roots, largest: ByteSize) -> Option<Self> {
        let envelope = dsse::read(line, largest).ok()?;
        (envelope.payload_type == STATEMENT_TYPE).then_some(())?;
        roots.all().iter().find_map(|it| it.met_by(&envelope))?;
        let statement = Statement::read(&envelope.payload)?;
        Some(Self { envelope, statement })
    }

    /// Whether it names a commit.
    pub(crate) fn names(&self, commit: &Named) -> bool {
        commit.is_among(&self.statement.subjects)
    }

    /// Whether it names a commit by its id.
    pub(crate) fn names_commit(&self, commit: &ObjectId) -> bool {
        let id = commit.to_string();
        self.statement.subjects.iter().any(|it| it.digest.get("gitCommit") == Some(&id))
    }

    /// Whether keys of these names, of one root, signed it.
    pub(crate) fn is_signed_by(&self, roots: &Roots, names: &[String]) -> bool {
        let signed = |ring: &RootRing| ring.met_by(&self.envelope).is_some_and(|it| it == names);
        roots.all().into_iter().any(signed)
    }

    /// Its envelope, as a line.
    pub(crate) fn line(&self) -> Vec<u8> {
        dsse::write(&self.envelope)
    }

    /// What it says of the objects, where it is of this type.
    pub(crate) fn predicate<T: DeserializeOwned>(&self, predicate_type: &str) -> Option<T> {
        (self.statement.predicate_type == predicate_type).then_some(())?;
        serde_json::from_value(self.statement.predicate.clone()).ok()
    }

    /// Who signed it, where a threshold of the root in force did.
    pub(crate) fn signers(&self, roots: &Roots) -> Option<Vec<String>> {
        roots.in_force().met_by(&self.envelope)
    }
}

/// Why a statement does not count here and now, if so.
fn misplaced(
    (repo_uri, ref_name): (&str, &str),
    repo: &RepoIdentity,
    (issued, now): (Timestamp, Timestamp),
) -> Option<&'static str> {
    if repo_uri != repo.uri.as_str() {
        Some("is for another repository")
    } else if ref_name != repo.ref_name.as_str() {
        Some("is for another branch")
    } else if issued > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
        Some("was made in the future")
    } else {
        None
    }
}

fn statement(predicate_type: &str, commits: &[Named], predicate: &Value) -> Vec<u8> {
    let subject: Vec<_> = commits.iter().map(Named::subject).collect();
    let value = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    value.to_string().into_bytes()
}

/// The bytes that a root key signs for a statement, in the namespace `bowline-root`.
pub fn bytes_to_sign(statement: &[u8]) -> Vec<u8> {
    attested::unsigned(statement).pae()
}

/// Makes the line of a note from a statement and armoured signatures, one for each key.
///
/// # Errors
/// When a signature does not fit the statement.
pub fn assemble(statement: &[u8], armored: &[String]) -> Result<Vec<u8>, String> {
    let mut envelope = attested::unsigned(statement);
    new_root::add(&mut envelope, armored)?;
    Ok(dsse::write(&envelope))
}

/// A line that others signed before, with more signatures. Gives what is signed by it.
///
/// # Errors
/// When the line holds no statement, or a signature does not fit it.
pub fn extend(line: &[u8], armored: &[String]) -> Result<Vec<u8>, String> {
    let mut envelope = opened(line)?;
    new_root::add(&mut envelope, armored)?;
    Ok(dsse::write(&envelope))
}

/// The statement in a line that others signed before.
///
/// # Errors
/// When the line holds none.
pub fn statement_in(line: &[u8]) -> Result<(Statement, Vec<EnvelopeSignature>, Vec<u8>), String> {
    let envelope = opened(line)?;
    let statement = Statement::read(&envelope.payload).ok_or("it holds no in-toto statement")?;
    Ok((statement, envelope.signatures, envelope.payload))
}

fn opened(line: &[u8]) -> Result<Envelope, String> {
    let envelope = dsse::read(line, ByteSize::from_mib(1)).map_err(|bad| bad.to_string())?;
    if envelope.payload_type == STATEMENT_TYPE {
        return Ok(envelope);
    }
    Err(format!("its payload is not of type {STATEMENT_TYPE}"))
}
