//! Gates as they are written: every field any gate may have, and which of them this gate may have.
//!
//! **Invariant:** a field that has no meaning for a gate is an error, and so is a value that no
//! statement could meet.

use serde::Deserialize;

use super::{Allowed, Gate, HostQuorum, Rule};
use crate::duration::Span;
use crate::policy::predicate::{
    ATTRIBUTE, CHANGE_APPROVAL, PROVENANCE, SUMMARY, TEST_RESULT, VULNERABILITIES,
    VULNERABILITIES_COSIGN, VULNERABILITIES_FIRST,
};

/// Results that a gate may let pass: one that took `FAILED` would be no gate.
const PASSING_RESULTS: [&str; 2] = ["PASSED", "WARNED"];

/// The worst score there is; a limit of this or more would let everything through.
const WORST_SCORE: f64 = 10.0;

/// Every field any gate may have; which of them this gate may have, its predicate tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GateText {
    id: String,
    #[serde(default)]
    environments: Vec<String>,
    predicate: Option<String>,
    #[serde(default)]
    signers: Vec<String>,
    threshold: Option<u32>,
    max_age: Option<Span>,
    result: Option<Vec<String>>,
    min_passed: Option<u64>,
    attribute: Option<String>,
    field: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    max_score: Option<f64>,
    allow: Option<Vec<Allowed>>,
    max_db_age: Option<Span>,
    builders: Option<Vec<String>>,
    verifiers: Option<Vec<String>>,
    levels: Option<Vec<String>>,
    ticket_required: Option<bool>,
    hosts: Option<HostQuorum>,
}

impl TryFrom<GateText> for Gate {
    type Error = String;

    fn try_from(mut text: GateText) -> Result<Self, String> {
        let id = text.id.clone();
        let wrong = |what: String| format!("gate {id:?}: {what}");
        let rule = text.take_rule().map_err(wrong)?;
        if let Some(field) = text.left_over() {
            return Err(wrong(format!("{field} has no meaning for this gate")));
        }
        if text.signers.is_empty() != matches!(rule, Rule::Hosts { .. }) {
            return Err(wrong("signers are needed, except for hosts' receipts".to_owned()));
        }
        Ok(Self {
            id: text.id,
            environments: text.environments,
            signers: text.signers,
            threshold: text.threshold.unwrap_or(1),
            max_age: text.max_age,
            rule,
        })
    }
}

impl GateText {
    fn take_rule(&mut self) -> Result<Rule, String> {
        let Some(predicate) = self.predicate.take() else {
            let hosts = self.hosts.take().ok_or_else(|| missing("predicate"))?;
            return Ok(Rule::Hosts { hosts });
        };
        match predicate.as_str() {
            TEST_RESULT => self.take_test_result(),
            ATTRIBUTE => self.take_attribute(),
            VULNERABILITIES => self.take_vulnerabilities(VULNERABILITIES),
            VULNERABILITIES_FIRST => self.take_vulnerabilities(VULNERABILITIES_FIRST),
            VULNERABILITIES_COSIGN => self.take_vulnerabilities(VULNERABILITIES_COSIGN),
            PROVENANCE => Ok(Rule::Provenance {
                predicate: PROVENANCE,
                builders: some_of("builders", self.builders.take())?,
            }),
            SUMMARY => Ok(Rule::Summary {
                predicate: SUMMARY,
                verifiers: some_of("verifiers", self.verifiers.take())?,
                levels: self.levels.take().unwrap_or_default(),
            }),
            CHANGE_APPROVAL => Ok(Rule::ChangeApproval {
                predicate: CHANGE_APPROVAL,
                ticket_required: self.ticket_required.take().unwrap_or(false),
            }),
            other => Err(format!("predicate {other:?} is not supported")),
        }
    }

    fn take_test_result(&mut self) -> Result<Rule, String> {
        let passed = || vec!["PASSED".to_owned()];
        let result = some_of("result", Some(self.result.take().unwrap_or_else(passed)))?;
        if let Some(odd) = result.iter().find(|it| !PASSING_RESULTS.contains(&it.as_str())) {
            return Err(format!("result {odd:?} is none that passes, write PASSED or WARNED"));
        }
        let min_passed = self.min_passed.take().unwrap_or(0);
        Ok(Rule::TestResult { predicate: TEST_RESULT, result, min_passed })
    }

    fn take_attribute(&mut self) -> Result<Rule, String> {
        let min = self.min.take().map(|it| finite("min", it)).transpose()?;
        let max = self.max.take().map(|it| finite("max", it)).transpose()?;
        match (min, max) {
            (None, None) => return Err("min or max is missing".to_owned()),
            (Some(least), Some(most)) if least > most => {
                return Err(format!("min {least} is above max {most}"));
            }
            _ => {}
        }
        Ok(Rule::Attribute {
            predicate: ATTRIBUTE,
            attribute: self.attribute.take().ok_or_else(|| missing("attribute"))?,
            field: self.field.take().ok_or_else(|| missing("field"))?,
            min,
            max,
        })
    }

    fn take_vulnerabilities(&mut self, predicate: &'static str) -> Result<Rule, String> {
        let max_score = self.max_score.take().ok_or_else(|| missing("maxScore"))?;
        let max_score = finite("maxScore", max_score)?;
        if !(0.0..WORST_SCORE).contains(&max_score) {
            return Err(format!("maxScore is {max_score}, write a number from 0 to below 10"));
        }
        Ok(Rule::Vulnerabilities {
            predicate,
            max_score,
            allow: self.allow.take().unwrap_or_default(),
            max_db_age: self.max_db_age.take(),
        })
    }

    /// A field that the rule did not take.
    fn left_over(&self) -> Option<&'static str> {
        // Receipts are counted by their own rule; 1 is what stands in a policy that is written out.
        let of_receipts = self.signers.is_empty();
        let given = [
            ("threshold", of_receipts && self.threshold.is_some_and(|it| it != 1)),
            ("maxAge", of_receipts && self.max_age.is_some()),
            ("result", self.result.is_some()),
            ("minPassed", self.min_passed.is_some()),
            ("attribute", self.attribute.is_some()),
            ("field", self.field.is_some()),
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("maxScore", self.max_score.is_some()),
            ("allow", self.allow.is_some()),
            ("maxDbAge", self.max_db_age.is_some()),
            ("builders", self.builders.is_some()),
            ("verifiers", self.verifiers.is_some()),
            ("levels", self.levels.is_some()),
            ("ticketRequired", self.ticket_required.is_some()),
            ("hosts", self.hosts.is_some()),
        ];
        given.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
    }
}

fn missing(field: &str) -> String {
    format!("{field} is missing")
}

/// A list that lets nobody through would make a gate that nobody meets.
fn some_of(field: &str, list: Option<Vec<String>>) -> Result<Vec<String>, String> {
    let list = list.ok_or_else(|| missing(field))?;
    if list.is_empty() || list.iter().any(String::is_empty) {
        return Err(format!("{field} is empty, or holds an empty name"));
    }
    Ok(list)
}

/// A comparison with "not a number" is always false, and so would be a gate that asks for it.
fn finite(field: &str, number: f64) -> Result<f64, String> {
    if number.is_finite() { Ok(number) } else { Err(format!("{field} is not a finite number")) }
}
