//! Puts an end into words: for the record, and for whoever asked for the cycle.
//!
//! **Invariant:** a record says nothing that the transaction's marks do not say.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::cycle::{Cycle, PolicyStanding, PolicyState};
use bowline_api::outcome::Outcome;
use bowline_api::record::{
    self, CommitMark, HealthMark, Kind, PolicyMark, ProbeWord, Record, RepoMark, StepCount,
};
use bowline_model::digest::Sha256;
use bowline_model::duration::Span;
use bowline_model::generation::Generation;
use bowline_model::mark::{Cause, Why};
use bowline_model::policy::Policy;
use bowline_model::probe_call::Answer;
use bowline_model::revision::Revision;
use bowline_trust::WARN_BEFORE_EXPIRY;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::memory::Memory;
use crate::plan::lines;
use crate::transaction::Transaction;
use crate::verify::Verified;

/// The record of a finished transaction. Sequence, predecessor, time and durations are set when it
/// is kept.
pub(crate) fn record_of(memory: &Memory, tx: &Transaction, outcome: Outcome) -> Record {
    let why = why_of(tx);
    let mut by_kind: BTreeMap<String, u64> = BTreeMap::new();
    for step in tx.steps.iter().filter(|it| !it.is_silent()) {
        *by_kind.entry(step.kind().to_owned()).or_default() += 1;
    }
    let kind = match tx.opening.cause {
        Cause::Intentional => Kind::Deployment,
        Cause::Corrective => Kind::Drift,
    };
    Record {
        deployment: tx.opening.deployment.clone(),
        base: tx.opening.base.as_ref().map(Revision::to_string),
        steps: StepCount { changed: by_kind.values().sum(), by_kind },
        irreversible: tx.irreversible.clone(),
        probes: tx.probes.iter().map(word_of).collect(),
        conflicts: tx.conflicts.clone(),
        proof: tx.end.as_ref().and_then(|(_, proof)| proof.clone()),
        trust_sha256: tx.opening.trust.to_string(),
        commit: Some(mark_of(&tx.opening.revision)),
        ..blank(memory, kind, Some(tx.opening.revision.to_string()), outcome, &why)
    }
}

/// A record that no transaction belongs to.
pub(crate) fn alarm(memory: &Memory, cycle: &Cycle) -> Record {
    let why = (cycle.reason.clone(), cycle.detail.clone());
    let base = cycle.base.clone();
    Record { base, ..blank(memory, Kind::Alarm, cycle.revision.clone(), cycle.outcome, &why) }
}

/// A host's word that what it committed stood in good health for some time, and what its probes said at the end.
///
/// It is carried to other hosts, which ask for no more: what the revision itself rested on is in its deployment's.
pub(crate) fn receipt(
    memory: &Memory,
    generation: &Generation,
    (since, lasting): (i64, Span),
    answers: &[Answer],
) -> Record {
    let revision = Some(generation.revision.to_string());
    let why = ("Healthy".to_owned(), format!("it stood in good health for {lasting}"));
    let since = Timestamp::from_second(since).unwrap_or_default().to_string();
    let lasting_ms = u64::try_from(lasting.as_duration().as_millis()).unwrap_or(u64::MAX);
    Record {
        commit: Some(mark_of(&generation.revision)),
        evidence: Vec::new(),
        gates: Vec::new(),
        adopted: Vec::new(),
        probes: answers.iter().map(word_of).collect(),
        standing_probes: u64::try_from(generation.probes.len()).ok(),
        healthy: Some(HealthMark { since, lasting_ms }),
        ..blank(memory, Kind::Healthy, revision, Outcome::Unchanged, &why)
    }
}

fn word_of(answer: &Answer) -> ProbeWord {
    ProbeWord { name: answer.name.clone(), passed: answer.passed, detail: answer.detail.clone() }
}

fn mark_of(revision: &Revision) -> CommitMark {
    CommitMark {
        id: revision.commit.to_string(),
        sha256: revision.commit_sha256.to_string(),
        tree: revision.tree.to_string(),
    }
}

/// The repository that the trust file names.
fn repo_of(memory: &Memory) -> Option<RepoMark> {
    let repo = &memory.settings.as_ref()?.trust.repo;
    Some(RepoMark { uri: repo.uri.to_string(), ref_name: repo.ref_name.to_string() })
}

/// The trust file in force; zeros before one was read.
pub(crate) fn trust_of(memory: &Memory) -> Sha256 {
    memory.settings.as_ref().map(|it| it.trust_sha256).unwrap_or_default()
}

/// The proof of a revision, when that is the one at hand.
fn at_hand<'m>(memory: &'m Memory, revision: &str) -> Option<&'m Verified> {
    let verified = memory.compiled.as_ref()?.cleared.verified();
    Some(verified).filter(|it| it.revision().to_string() == revision)
}

/// What gates said of a revision: of the one at hand when it was let in, else of the newest.
fn gates_of(memory: &Memory, revision: &str) -> Vec<Value> {
    match at_hand(memory, revision).map(Verified::gates).filter(|it| !it.is_empty()) {
        Some(gates) => gates.to_vec(),
        None if memory.gates.revision == revision => memory.gates.verdicts.clone(),
        None => Vec::new(),
    }
}

/// Adopted commits that a revision came by: of the one at hand, also when it is tried once more.
fn adopted_for(memory: &Memory, revision: &str) -> Vec<Value> {
    let is_it = memory.adopted.revision == revision;
    if is_it { memory.adopted.verdicts.clone() } else { Vec::new() }
}

/// Verdicts or adoptions as the wire has them.
pub(crate) fn in_words<T: Serialize>(list: &[T]) -> Vec<Value> {
    // Either is plain data, which always has a form in JSON.
    list.iter().filter_map(|it| serde_json::to_value(it).ok()).collect()
}

/// The statements that met gates and skipped ones rest on, each once.
fn evidence_in(gates: &[Value]) -> Vec<String> {
    let met = gates.iter().filter(|it| it["met"] == true);
    let skipped = gates.iter().filter_map(|it| it.pointer("/skipped/evidence")?.as_array());
    let lists = met.filter_map(|it| it["evidence"].as_array()).chain(skipped).flatten();
    let distinct: BTreeSet<_> = lists.filter_map(Value::as_str).collect();
    distinct.into_iter().map(str::to_owned).collect()
}

/// Whether what stands has no probe that could say how it does.
fn has_none(memory: &Memory) -> bool {
    memory.generation.as_ref().is_none_or(|it| it.probes.is_empty())
}

fn blank(
    memory: &Memory,
    kind: Kind,
    revision: Option<String>,
    outcome: Outcome,
    (reason, detail): &(String, String),
) -> Record {
    let verified = revision.as_deref().and_then(|it| at_hand(memory, it));
    let subject = verified.and_then(Verified::subject).map(ToOwned::to_owned);
    let commit = verified.map(|it| mark_of(it.revision()));
    let gates = revision.as_deref().map(|it| gates_of(memory, it)).unwrap_or_default();
    let adopted = revision.as_deref().map(|it| adopted_for(memory, it)).unwrap_or_default();
    let evidence = evidence_in(&gates);
    Record {
        v: record::VERSION,
        host: memory.host.clone(),
        seq: 0,
        prev: String::new(),
        at: String::new(),
        kind,
        deployment: String::new(),
        revision,
        commit,
        repo: repo_of(memory),
        host_key: None,
        subject,
        environment: memory.compiled.as_ref().and_then(|it| it.environment.clone()),
        base: None,
        outcome,
        reason: reason.clone(),
        detail: detail.clone(),
        trust_sha256: trust_of(memory).to_string(),
        policy: memory.high_water.as_ref().map(|it| PolicyMark {
            version: it.policy_version,
            sha256: it.policy_sha256.to_string(),
            expires: expiry_of(memory, it.policy_version),
            root_version: it.root_version,
        }),
        evidence,
        approvals: Vec::new(),
        gates,
        adopted,
        steps: StepCount::default(),
        irreversible: Vec::new(),
        probes: Vec::new(),
        snapshots: Vec::new(),
        conflicts: Vec::new(),
        after_revert: Vec::new(),
        standing_probes: has_none(memory).then_some(0),
        proof: None,
        healthy: None,
        durations: BTreeMap::new(),
    }
}

/// A finished transaction as a cycle.
pub(crate) fn cycle_of(tx: &Transaction, outcome: Outcome, warnings: &[String]) -> Cycle {
    let (reason, detail) = why_of(tx);
    Cycle {
        outcome,
        revision: Some(tx.opening.revision.to_string()),
        base: tx.opening.base.as_ref().map(Revision::to_string),
        reason,
        code: tx.decision.as_ref().map(|(_, why)| why.code.clone()).unwrap_or_default(),
        detail,
        commit: None,
        deployment: Some(tx.opening.deployment.clone()),
        steps: lines(&tx.steps),
        conflicts: tx.conflicts.clone(),
        proof: tx.end.as_ref().and_then(|(_, proof)| proof.clone()),
        failing: Vec::new(),
        gates: Vec::new(),
        freshness: String::new(),
        adopted: Vec::new(),
        policy: None,
        root_version: None,
        warnings: warnings.to_vec(),
    }
}

/// When the policy of a version ends, where this process has judged it.
fn expiry_of(memory: &Memory, version: u64) -> Option<String> {
    let judged = memory.policy.as_ref().filter(|it| it.version == version);
    judged.map(|it| it.expires.clone())
}

/// How long a policy is still in force.
pub(crate) fn policy_standing(policy: &Policy, wall: i64) -> PolicyStanding {
    let now = Timestamp::from_second(wall).unwrap_or(Timestamp::MAX);
    let state = if policy.expires <= now {
        PolicyState::Expired
    } else if now.duration_until(policy.expires) < WARN_BEFORE_EXPIRY {
        PolicyState::ExpiresSoon
    } else {
        PolicyState::InForce
    };
    PolicyStanding { version: policy.version, expires: policy.expires.to_string(), state }
}

/// A cycle without a transaction.
pub(crate) fn plain_cycle(
    outcome: Outcome,
    revision: Option<String>,
    base: Option<String>,
    why: (&str, &str, &str),
) -> Cycle {
    Cycle { revision, base, ..Cycle::plain(outcome, why) }
}

fn why_of(tx: &Transaction) -> (String, String) {
    match &tx.decision {
        Some((_, Why { reason, detail, .. })) => (reason.clone(), detail.clone()),
        None => ("Progressing".to_owned(), "it did not begin".to_owned()),
    }
}
