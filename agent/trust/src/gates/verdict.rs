//! What a host says of one gate.
//!
//! **Invariant:** a verdict that is not met has a code, and one that is met has none.

use std::fmt::Write as _;

use bowline_model::digest::Sha256;
use bowline_model::policy::{Gate, Rule};
use jiff::Timestamp;
use serde::Serialize;

use crate::verdict::Code;

/// What a host says of one gate for one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateVerdict {
    /// The gate's name in the policy.
    pub id: String,
    /// The kind of statement it takes, or `hosts`.
    pub predicate: &'static str,
    /// Whether the revision passes it.
    pub met: bool,
    /// Why not, if it does not.
    pub code: Option<Code>,
    /// What the statement that decided says.
    pub measured: Option<String>,
    /// What the policy asks for.
    pub limit: String,
    /// The principals whose statements decided.
    pub signers: Vec<String>,
    /// The signed time of what decided; of several, the oldest.
    pub at: Option<Timestamp>,
    /// Why it is not met, for people; empty if it is.
    pub detail: String,
    /// The digests of the statements that decided.
    pub evidence: Vec<Sha256>,
    /// Who said that it must not hold the revision up, where it is not met and does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
}

/// Who had a gate skipped in an emergency, and why: a review is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The people on call.
    pub by: Vec<String>,
    /// What they gave as the reason.
    pub reason: String,
    /// The digests of what they signed.
    pub evidence: Vec<Sha256>,
}

impl GateVerdict {
    /// A verdict that rests on no statement.
    pub(super) fn closed(gate: &Gate, code: Code, detail: String) -> Self {
        Self {
            id: gate.id.clone(),
            predicate: gate.rule.predicate().unwrap_or("hosts"),
            met: false,
            code: Some(code),
            measured: None,
            limit: limit_of(gate),
            signers: Vec::new(),
            at: None,
            detail,
            evidence: Vec::new(),
            skipped: None,
        }
    }
}

/// What a gate asks for, in words.
pub(super) fn limit_of(gate: &Gate) -> String {
    let mut limit = rule_in_words(&gate.rule);
    if gate.threshold > 1 {
        let _ = write!(limit, ", by {} signers", gate.threshold);
    }
    if let Some(age) = gate.max_age {
        let _ = write!(limit, ", {age} old at most");
    }
    limit
}

fn rule_in_words(rule: &Rule) -> String {
    match rule {
        Rule::TestResult { result, min_passed, .. } => {
            format!("{}, {min_passed} passed at least", result.join(" or "))
        }
        Rule::Attribute { attribute, field, min, max, .. } => {
            let least = min.map(|it| format!(" {it} at least"));
            let most = max.map(|it| format!(" {it} at most"));
            let bounds: Vec<_> = least.into_iter().chain(most).collect();
            format!("{attribute} {field}{}", bounds.join(","))
        }
        Rule::Vulnerabilities { max_score, max_db_age, .. } => match max_db_age {
            Some(age) => format!("score {max_score} at most, database {age} old at most"),
            None => format!("score {max_score} at most"),
        },
        Rule::Provenance { builders, .. } => format!("built by {}", builders.join(" or ")),
        Rule::Summary { verifiers, levels, .. } => {
            let wanted = if levels.is_empty() { "PASSED".to_owned() } else { levels.join(" and ") };
            format!("{wanted}, verified by {}", verifiers.join(" or "))
        }
        Rule::ChangeApproval { ticket_required: true, .. } => {
            "a person, naming a ticket".to_owned()
        }
        Rule::ChangeApproval { ticket_required: false, .. } => "a person".to_owned(),
        Rule::Hosts { hosts } => {
            format!("{} of {} healthy for {}", hosts.healthy, hosts.environment, hosts.lasting)
        }
    }
}
