//! Freshness: a signed word on which commit a branch named, and when.
//!
//! **Invariant:** only signed times prove freshness: neither the clock of a server nor that of a commit does.
//! **Invariant:** a statement counts for the commit it names and for what follows it, in one repository and
//! branch; one from the future counts for nothing.

use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::byte_size::ByteSize;
use bowline_model::duration::Span;
use bowline_model::object_id::ObjectId;
use bowline_model::trust_root::{OnStale, RepoIdentity, TrustRoot};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::approval::SKEW;
use crate::attested::{self, Attested, Bench};
use crate::dsse;
use crate::policy_change::Governing;
use crate::statement::Statement;

/// What a head statement says it is.
pub const HEAD_TYPE: &str = "bowline head/v1";

/// That a branch named a commit at a time.
///
/// A field that is not known here is refused: it might be what takes the word back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The repository's name for itself.
    pub repo_uri: String,
    /// The branch.
    pub target_ref: String,
    /// When it named the commit.
    pub issued: Timestamp,
}

impl Head {
    /// The statement to be signed.
    pub fn statement(&self, commit: ObjectId) -> Vec<u8> {
        let value = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "head", "digest": {"gitCommit": commit.to_string()}}],
            "predicateType": HEAD_TYPE,
            "predicate": self,
        });
        value.to_string().into_bytes()
    }

    fn read(statement: &Statement) -> Option<Self> {
        (statement.predicate_type == HEAD_TYPE).then_some(())?;
        serde_json::from_value(statement.predicate.clone()).ok()
    }
}

/// When a line claims that its commit was the head. Whether anybody signed that is not looked at: it says
/// which of many lines is worth a look first, and nothing else.
pub fn claimed(line: &[u8], largest: ByteSize) -> Option<Timestamp> {
    let envelope = dsse::read_any(line, largest).ok()?;
    Some(Head::read(&Statement::read(&envelope.payload)?)?.issued)
}

/// The time that a line proves for a commit, if the policy's signer said so.
pub(crate) fn proved(
    line: &[u8],
    commit: ObjectId,
    (repo, signer): (&RepoIdentity, &str),
    (bench, now): (&Bench<'_>, Timestamp),
) -> Option<Timestamp> {
    let Attested { statement, signers, .. } = attested::read(line, bench)?;
    let head = Head::read(&statement)?;
    let is_about = statement.subjects.iter().any(|it| it.is_commit(&commit));
    let is_here = head.repo_uri == repo.uri.as_str() && head.target_ref == repo.ref_name.as_str();
    let is_past = head.issued <= now.saturating_add(SKEW).unwrap_or(Timestamp::MAX);
    (signers.contains_key(signer) && is_about && is_here && is_past).then_some(head.issued)
}

/// What freshness there is, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// The newest time at which the head was known to be one that this host has seen.
    pub(crate) at: Option<Timestamp>,
    /// Why nothing new may be believed to be the newest.
    pub(crate) stale: Option<Stale>,
}

/// Freshness that is missing or too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stale {
    /// Since when, or that it was never proved.
    pub(crate) detail: String,
    /// Whether nothing new is taken meanwhile.
    pub(crate) holds: bool,
}

/// Judges freshness by the newest policy, over every commit of a walk that passed.
pub(crate) fn judge(
    root: &TrustRoot,
    newest: &Governing,
    (bundle, known): (&Bundle, Option<i64>),
    now: Timestamp,
) -> Freshness {
    let known = known.and_then(|it| Timestamp::from_second(it).ok());
    let Some(asked) = &newest.policy.freshness else {
        // A repository may ask for more than the trust file does, and for no less.
        let is_asked = root.freshness.is_some_and(|it| it.on_stale == OnStale::Hold);
        let stale = is_asked.then(|| Stale {
            detail: "the trust file asks for freshness, and the policy names nobody who signs it"
                .to_owned(),
            holds: true,
        });
        return Freshness { at: known, stale };
    };
    let bench = Bench {
        policy: &newest.policy,
        roll: &newest.roll,
        at: Some(now),
        largest: root.limits.envelope_bytes,
    };
    let proves = |it: &CommitEvidence| {
        let line = it.beside.head.as_deref()?;
        proved(line, it.id, (&root.repo, &asked.signer), (&bench, now))
    };
    let at = bundle.commits.iter().chain(&bundle.start).filter_map(proves).chain(known).max();
    let limit = root.freshness.map_or(asked.max_age, |it| it.max_age.min(asked.max_age));
    Freshness { at, stale: stale(at, limit, root, now) }
}

fn stale(at: Option<Timestamp>, limit: Span, root: &TrustRoot, now: Timestamp) -> Option<Stale> {
    let Some(at) = at else {
        // A host that knows nothing may be shown anything: it is never let off with an alarm.
        let detail = format!(
            "no signed word that this is the newest commit; one of the last {limit} is asked for"
        );
        return Some(Stale { detail, holds: true });
    };
    let age = now.duration_since(at);
    let limit_long = SignedDuration::try_from(limit.as_duration()).unwrap_or(SignedDuration::MAX);
    (age > limit_long).then(|| Stale {
        detail: format!(
            "the newest signed word on the branch is of {at}, and {limit} old at most is asked for"
        ),
        holds: root.freshness.is_none_or(|it| it.on_stale == OnStale::Hold),
    })
}
