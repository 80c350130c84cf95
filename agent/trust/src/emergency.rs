//! Emergencies: people on call who say that some gates must not hold a change up.
//!
//! **Invariant:** only gates that the policy lets be skipped are, never a signature or an approval.
//! **Invariant:** a word counts for one change, once, for a week at most; people are counted, not keys.

use std::collections::{BTreeMap, BTreeSet};

use bowline_model::bundle::Change;
use bowline_model::high_water::Spent;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{self, Kind, Policy};
use bowline_model::trust_root::RepoIdentity;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::approval::{Approved, SKEW, statement_of};
use crate::attested::Attested;
use crate::gates::{GateVerdict, Skipped};

/// What the word of somebody on call says it is.
pub const EMERGENCY_TYPE: &str = "bowline emergency/v1";

/// How long it may count: an emergency is over by then, or has a merge of its own.
pub const LONGEST_EMERGENCY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Reasons are for people, in one line of every report.
pub const REASON_CHARS_MAX: usize = 200;

/// That a change must not be held up, and why. It names no base: it is bound to the change, whatever the branch named.
///
/// A field that is not known here is refused: it might be what takes the word back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Emergency {
    /// The repository's name for itself.
    pub repo_uri: String,
    /// The branch it may be merged into.
    pub target_ref: String,
    /// When.
    pub issued: Timestamp,
    /// From then on it does not count.
    pub expires: Timestamp,
    /// Why, for the review that is due.
    pub reason: String,
}

impl Emergency {
    /// The statement to be signed, in the namespace of approvals.
    pub fn statement(&self, approved: &Approved) -> Vec<u8> {
        statement_of(EMERGENCY_TYPE, self, approved)
    }

    fn read(attested: &Attested) -> Option<Self> {
        let statement = &attested.statement;
        (statement.predicate_type == EMERGENCY_TYPE).then_some(())?;
        serde_json::from_value(statement.predicate.clone()).ok()
    }

    fn counts(&self, now: Timestamp) -> bool {
        let reason = self.reason.chars();
        let is_plain = !self.reason.trim().is_empty()
            && reason.clone().count() <= REASON_CHARS_MAX
            && !reason.clone().any(char::is_control);
        is_plain
            && self.issued <= now.saturating_add(SKEW).unwrap_or(Timestamp::MAX)
            && self.expires > now
            && self.expires.duration_since(self.issued) <= LONGEST_EMERGENCY
    }
}

/// What is in a hurry.
#[derive(Clone, Copy)]
pub(crate) struct Urgent<'a> {
    pub(crate) commit: ObjectId,
    pub(crate) change: Option<Change>,
    pub(crate) repo: &'a RepoIdentity,
    /// Words that were used already.
    pub(crate) spent: &'a [Spent],
    pub(crate) now: Timestamp,
}

/// Words of people on call.
#[derive(Debug)]
pub(crate) struct Called {
    /// Whether there are enough of them.
    pub(crate) is_enough: bool,
    skipped: Skipped,
    /// What is used up by it.
    pub(crate) used: Vec<Spent>,
}

/// Hears who is on call; `None` where none of them says so.
pub(crate) fn hear(policy: &Policy, evidence: &[Attested], urgent: &Urgent<'_>) -> Option<Called> {
    let asked = policy.emergency.as_ref()?;
    let change = urgent.change?;
    let mut people = BTreeSet::new();
    let (mut reasons, mut used) = (BTreeSet::new(), BTreeMap::new());
    for attested in evidence {
        let Some(word) = Emergency::read(attested).filter(|it| it.counts(urgent.now)) else {
            continue;
        };
        let sha256 = attested.sha256;
        let is_here = word.repo_uri == urgent.repo.uri.as_str()
            && word.target_ref == urgent.repo.ref_name.as_str()
            && attested.statement.subjects.iter().any(|it| it.is_content(change.sha256));
        let was_used =
            urgent.spent.iter().any(|it| it.sha256 == sha256 && it.commit != urgent.commit);
        let oncall = people_on_call(asked, attested);
        if !is_here || was_used || oncall.is_empty() {
            continue;
        }
        people.extend(oncall);
        let until = word.expires.as_second();
        used.insert(*sha256.as_bytes(), Spent { sha256, commit: urgent.commit, until });
        reasons.insert(word.reason);
    }
    let enough = people.len() >= usize::try_from(asked.threshold).unwrap_or(usize::MAX);
    let reason = reasons.into_iter().collect::<Vec<_>>().join("; ");
    let by = people.into_iter().collect();
    let used: Vec<Spent> = used.into_values().collect();
    let skipped = Skipped { by, reason, evidence: used.iter().map(|it| it.sha256).collect() };
    Some(Called { skipped, used, is_enough: enough }).filter(|it| !it.used.is_empty())
}

fn people_on_call(asked: &policy::Emergency, attested: &Attested) -> Vec<String> {
    let signers = attested.signers.iter();
    let oncall = signers.filter(|(name, it)| it.kind == Kind::Human && asked.oncall.contains(name));
    oncall.map(|(name, _)| name.clone()).collect()
}

impl Called {
    /// Who says so, for people.
    pub(crate) fn by(&self) -> String {
        self.skipped.by.join(", ")
    }

    /// Lets those gates be skipped that are closed and may be. Whether any was.
    pub(crate) fn skip(&self, policy: &Policy, gates: &mut [GateVerdict]) -> bool {
        let asked = policy.emergency.iter().flat_map(|it| &it.skips);
        let skips: BTreeSet<&str> = asked.map(String::as_str).collect();
        let mut any = false;
        for gate in gates.iter_mut().filter(|it| !it.met && skips.contains(it.id.as_str())) {
            gate.skipped = Some(self.skipped.clone());
            any = true;
        }
        any
    }
}
