//! Gates: what a revision must pass, each as typed data; there is no expression language.
//!
//! **Invariant:** a gate has exactly the fields its predicate uses, so none is written in vain.

mod allowed;
mod percent;
mod text;

use serde::{Deserialize, Serialize};

use crate::duration::Span;
use text::GateText;

pub use allowed::Allowed;
pub use percent::Percent;

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
    /// A measured attribute keeps within bounds, of which there is one at least.
    Attribute {
        /// in-toto's name for such statements.
        predicate: &'static str,
        /// The attribute, such as `LINE_COVERAGE`.
        attribute: String,
        /// The field that holds the number.
        field: String,
        /// The least value.
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The greatest value, for what is counted rather than covered.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// A scan found nothing worse than a score.
    Vulnerabilities {
        /// The name for such statements: in-toto's, or cosign's.
        predicate: &'static str,
        /// The highest score let through.
        max_score: f64,
        /// Findings let through by name.
        allow: Vec<Allowed>,
        /// How old the scanner's database may be.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_db_age: Option<Span>,
    },
    /// Every artifact that the revision names was built by one of these.
    Provenance {
        /// SLSA's name for such statements.
        predicate: &'static str,
        /// Ids of builders, as they call themselves.
        builders: Vec<String>,
    },
    /// Somebody else verified the source and vouches for it.
    Summary {
        /// SLSA's name for such statements.
        predicate: &'static str,
        /// Ids of verifiers, as they call themselves.
        verifiers: Vec<String>,
        /// Levels that must have been verified, all of them.
        levels: Vec<String>,
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

impl Gate {
    /// Whether it cannot be judged without the revision's manifests.
    pub fn reads_manifests(&self) -> bool {
        let of_them = matches!(self.rule, Rule::Provenance { .. } | Rule::Hosts { .. });
        of_them || !self.environments.is_empty()
    }
}

impl Rule {
    /// The kind of statement it takes; `None` where hosts' receipts are asked for.
    pub fn predicate(&self) -> Option<&'static str> {
        match self {
            Self::TestResult { predicate, .. }
            | Self::Attribute { predicate, .. }
            | Self::Vulnerabilities { predicate, .. }
            | Self::Provenance { predicate, .. }
            | Self::Summary { predicate, .. }
            | Self::ChangeApproval { predicate, .. } => Some(predicate),
            Self::Hosts { .. } => None,
        }
    }
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
