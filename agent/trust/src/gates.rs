//! Gates: what signed statements say about one revision, held against what the policy asks for.
//!
//! **Invariant:** a gate is closed until a good statement opens it; nothing that is missing opens one.
//! **Invariant:** of what one signer said, the newest by its signed time counts, good or bad. Statements
//! that say nothing on the gate, or claim to come from the future, neither open nor close it.

mod verdict;
mod subject;
mod reading;
mod signed_time;
mod test_result;
mod attribute;
mod severity;
mod scan;
mod native;
mod provenance;
mod summary;
mod approval;
mod hearing;
mod receipts;
#[cfg(test)]
pub(crate) mod bench;

use bowline_model::object_id::ObjectId;
use bowline_model::policy::{Gate, Policy, Rule};
use bowline_model::trust_root::{RefName, RepoUri};
use jiff::Timestamp;
use serde_json::Value;

use crate::attested::Attested;
use crate::here::Scope;
use crate::manifested::{Found, Manifested};
use crate::receipt::Receipt;
use crate::verdict::Code;
use hearing::Hearing;
use reading::Reading;
use subject::{About, Matter};

pub use verdict::{GateVerdict, Skipped};

/// The revision that is judged, and where and when.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    /// `None` for what is still to be merged, whose commit nobody can know.
    pub(crate) commit: Option<ObjectId>,
    pub(crate) tree: ObjectId,
    pub(crate) repo_uri: &'a RepoUri,
    pub(crate) ref_name: &'a RefName,
    pub(crate) now: Timestamp,
    /// What the revision's manifests say, or why that is not known.
    pub(crate) manifested: &'a Found,
    /// The environments whose gates are asked for.
    pub(crate) scope: &'a Scope,
    /// What hosts signed of it.
    pub(crate) receipts: &'a [Receipt],
}

/// Judges every gate of a policy that holds for those who ask; of the others nothing is said.
pub(crate) fn judge_all(
    policy: &Policy,
    case: &Case<'_>,
    evidence: &[Attested],
) -> Vec<GateVerdict> {
    let asked = policy.gates.iter().filter(|gate| case.scope.asks_for(gate));
    asked.map(|gate| judge(gate, case, evidence)).collect()
}

/// Judges one gate for one revision.
fn judge(gate: &Gate, case: &Case<'_>, evidence: &[Attested]) -> GateVerdict {
    match (&gate.rule, case.manifested) {
        (Rule::Hosts { hosts }, Ok(Manifested { hosts: enrolled, .. })) => {
            receipts::judge(gate, hosts, enrolled, (case.receipts, case.now))
        }
        (Rule::Hosts { .. } | Rule::Provenance { .. }, Err(why)) => {
            GateVerdict::closed(gate, Code::ManifestsUnreadable, why.clone())
        }
        (Rule::Provenance { .. }, Ok(Manifested { artifacts, .. })) => {
            let each = artifacts.iter().map(|it| hear(gate, case, About::Artifact(*it), evidence));
            every_artifact(gate, each.collect())
        }
        _ => hear(gate, case, About::Revision, evidence),
    }
}

/// Hears every statement on one subject.
fn hear(gate: &Gate, case: &Case<'_>, about: About, evidence: &[Attested]) -> GateVerdict {
    let mut hearing = Hearing::of(gate);
    let of_kind = |it: &&Attested| {
        Some(provenance::kind(&it.statement.predicate_type)) == gate.rule.predicate()
    };
    for attested in evidence.iter().filter(of_kind) {
        let reading = match about.find_in(&attested.statement, case) {
            Ok(matter) => {
                let read = read(&gate.rule, &attested.statement.predicate, &matter, case);
                signed_time::weigh(read.unwrap_or_else(|useless| useless), gate.max_age, case.now)
            }
            Err(elsewhere) => elsewhere,
        };
        hearing.add(attested, reading);
    }
    hearing.conclude()
}

/// Reads a statement as the gate's rule demands; `Err` is a reading that settles nothing further.
fn read(
    rule: &Rule,
    predicate: &Value,
    matter: &Matter<'_>,
    case: &Case<'_>,
) -> Result<Reading, Reading> {
    match rule {
        Rule::TestResult { result, min_passed, .. } => {
            test_result::read(predicate, matter, result, *min_passed)
        }
        Rule::Attribute { attribute, field, min, max, .. } => {
            attribute::Asked { attribute, field, min: *min, max: *max }.read(predicate, matter)
        }
        Rule::Vulnerabilities { predicate: kind, max_score, allow, max_db_age } => {
            let asked = scan::Asked { kind, max_score: *max_score, allow, max_db_age: *max_db_age };
            asked.read(predicate, case.now)
        }
        Rule::Provenance { builders, .. } => provenance::read(predicate, builders),
        Rule::Summary { verifiers, levels, .. } => {
            summary::Asked { verifiers, levels }.read(predicate, matter, case)
        }
        Rule::ChangeApproval { ticket_required, .. } => {
            approval::read(predicate, matter, *ticket_required, case)
        }
        Rule::Hosts { .. } => Err(Reading::malformed("receipts are no statements")),
    }
}

/// One verdict for all artifacts: that of the first which is not met, if there is one.
fn every_artifact(gate: &Gate, each: Vec<GateVerdict>) -> GateVerdict {
    let count = each.len();
    let mut all = GateVerdict {
        met: true,
        measured: Some(format!("{count} artifacts, each built by one of them")),
        ..GateVerdict::closed(gate, Code::EvidenceMissing, String::new())
    };
    all.code = None;
    for verdict in each {
        if !verdict.met {
            return verdict;
        }
        all.signers.extend(verdict.signers);
        all.evidence.extend(verdict.evidence);
        all.at = all.at.into_iter().chain(verdict.at).min();
    }
    if count == 0 {
        all.measured = Some("no artifacts".to_owned());
    }
    all.signers.sort();
    all.signers.dedup();
    all.evidence.sort();
    all.evidence.dedup();
    all
}

#[cfg(test)]
mod tests;
