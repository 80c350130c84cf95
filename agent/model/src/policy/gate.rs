//! Gates: what a revision must pass, each as typed data; there is no expression language.
//!
//! **Invariant:** a gate has exactly the fields its predicate uses, so none is written in vain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::duration::Span;

/// in-toto's test result.
const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// in-toto's supply-chain attribute report; carries coverage.
const ATTRIBUTE: &str = "https://in-toto.io/attestation/scai/v0.3";
/// in-toto's vulnerability scan.
const VULNERABILITIES: &str = "https://in-toto.io/attestation/vulns/v0.2";
/// This project's own change approval.
const CHANGE_APPROVAL: &str = "bowline change-approval/v1";

/// Something that a revision must pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "GateText")]
pub struct Gate {
    /// What people call it.
    pub id: String,
    /// The environments it holds for; empty means every one.
    pub environments: Vec<String>,
    /// The principals whose statements count; empty only for hosts' receipts.
    pub signers: Vec<String>,
    /// How many distinct signers it takes.
    pub threshold: u32,
    /// How old a statement may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// What the statement must say.
    #[serde(flatten)]
    pub rule: Rule,
}

/// What a statement must say.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Rule {
    /// Tests ran, with one of these results.
    TestResult {
        /// in-toto's name for such statements.
        predicate: &'static str,
        /// Results that pass.
        result: Vec<String>,
        /// How many tests must have passed at least.
        min_passed: u64,
    },
    /// A measured attribute reaches a value.
    Attribute {
        /// in-toto's name for such statements.
        predicate: &'static str,
        /// The attribute, such as `LINE_COVERAGE`.
        attribute: String,
        /// The field that holds the number.
        field: String,
        /// The least value.
        min: f64,
    },
    /// A scan found nothing worse than a score.
    Vulnerabilities {
        /// in-toto's name for such statements.
        predicate: &'static str,
        /// The highest score let through.
        max_score: f64,
        /// Findings let through by name.
        allow: Vec<String>,
        /// How old the scanner's database may be.
        max_db_age: Option<Span>,
    },
    /// People approved the change.
    ChangeApproval {
        /// This project's name for such statements.
        predicate: &'static str,
        /// The approval must name a ticket.
        ticket_required: bool,
    },
    /// Hosts of another environment run it in good health.
    Hosts {
        /// What is asked of them.
        hosts: HostQuorum,
    },
}

/// What is asked of the hosts of an earlier environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostQuorum {
    /// Their environment.
    pub environment: String,
    /// How many of them must be in good health.
    pub healthy: Percent,
    /// For how long.
    #[serde(rename = "for")]
    pub lasting: Span,
}

/// A share in whole per cent, written `"60%"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

impl Percent {
    /// The number before the sign.
    pub const fn as_number(self) -> u8 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            text.strip_suffix('%').filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        match number.and_then(|digits| digits.parse().ok()) {
            Some(share @ 1..=100) => Ok(Self(share)),
            _ => Err(format!("{text:?} is not a share, write \"1%\" to \"100%\"")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Every field any gate may have; which of them this gate may have, its predicate tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GateText {
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
    max_score: Option<f64>,
    allow: Option<Vec<String>>,
    max_db_age: Option<Span>,
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
        let missing = |field: &str| format!("{field} is missing");
        let Some(predicate) = self.predicate.take() else {
            let hosts = self.hosts.take().ok_or_else(|| missing("predicate"))?;
            return Ok(Rule::Hosts { hosts });
        };
        match predicate.as_str() {
            TEST_RESULT => Ok(Rule::TestResult {
                predicate: TEST_RESULT,
                result: self.result.take().unwrap_or_else(|| vec!["PASSED".to_owned()]),
                min_passed: self.min_passed.take().unwrap_or(0),
            }),
            ATTRIBUTE => Ok(Rule::Attribute {
                predicate: ATTRIBUTE,
                attribute: self.attribute.take().ok_or_else(|| missing("attribute"))?,
                field: self.field.take().ok_or_else(|| missing("field"))?,
                min: finite("min", self.min.take())?,
            }),
            VULNERABILITIES => Ok(Rule::Vulnerabilities {
                predicate: VULNERABILITIES,
                max_score: finite("maxScore", self.max_score.take())?,
                allow: self.allow.take().unwrap_or_default(),
                max_db_age: self.max_db_age.take(),
            }),
            CHANGE_APPROVAL => Ok(Rule::ChangeApproval {
                predicate: CHANGE_APPROVAL,
                ticket_required: self.ticket_required.take().unwrap_or(false),
            }),
            other => Err(format!("predicate {other:?} is not supported")),
        }
    }

    /// A field that the rule did not take.
    fn left_over(&self) -> Option<&'static str> {
        let given = [
            ("result", self.result.is_some()),
            ("minPassed", self.min_passed.is_some()),
            ("attribute", self.attribute.is_some()),
            ("field", self.field.is_some()),
            ("min", self.min.is_some()),
            ("maxScore", self.max_score.is_some()),
            ("allow", self.allow.is_some()),
            ("maxDbAge", self.max_db_age.is_some()),
            ("ticketRequired", self.ticket_required.is_some()),
            ("hosts", self.hosts.is_some()),
        ];
        given.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
    }
}

/// A comparison with "not a number" is always false, and so would be a gate that asks for it.
fn finite(field: &str, value: Option<f64>) -> Result<f64, String> {
    match value {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(format!("{field} is not a finite number")),
        None => Err(format!("{field} is missing")),
    }
}
