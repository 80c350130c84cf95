//! `bowline attest lint`: how many findings linters came to, as an attribute report (SCAI).
//!
//! **Invariant:** every level is told, whichever one the limit is on.

use anyhow::anyhow;
use bowline_model::policy::Rule;
use serde_json::{Map, json};

use super::arguments::{Lint, Mildest};
use super::case::Case;
use super::coverage::ATTRIBUTE_REPORT;
use super::finding::Finding;
use super::report::read_each;
use super::sarif::Findings;
use super::statement::Claim;
use crate::failure::Failure;
use crate::screen::Screen;

/// How such a report is made.
const HINT: &str = "give SARIF 2.1.0: ruff check --output-format sarif, eslint -f @microsoft/sarif, \
                    semgrep --sarif, clippy-sarif";

/// Attests how many findings there are.
pub(super) fn attest(given: &Lint, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let max = given.max.ok_or(()).or_else(|()| gate_is_silent(given, &case))?;
    let mut found = Findings::default();
    read_each(&given.reports, HINT, |text| found.add(text))?;
    let (counted, what) = at_least(found, given.mildest);
    let shortfall = format!("{counted} {what} found, at most {max} are let through");
    let conditions = json!({
        "errors": found.errors,
        "warnings": found.warnings,
        "notes": found.notes,
        "suppressed": found.suppressed,
    });
    let attribute = json!({"attribute": given.attribute, "conditions": conditions});
    let finding = Finding {
        claim: Claim {
            predicate_type: ATTRIBUTE_REPORT,
            predicate: json!({"attributes": [attribute]}),
            counts: Map::new(),
        },
        subjects: None,
        gate: None,
        measured: format!(
            "{} errors, {} warnings, {} notes, {} suppressed",
            found.errors, found.warnings, found.notes, found.suppressed
        ),
        limit: format!("at most {max} {what}"),
        shortfall: Some(shortfall).filter(|_| counted > max),
        culprits: Vec::new(),
    };
    finding.conclude(&case, &given.common, screen)
}

/// A gate sets the least value of an attribute; of findings there is only a most.
fn gate_is_silent(given: &Lint, case: &Case) -> Result<u64, Failure> {
    let of_lint = |rule: &Rule| matches!(rule, Rule::Attribute { attribute, .. } if *attribute == given.attribute);
    let hint = "--max N";
    let failure = match case.gate(&given.common, of_lint, hint)? {
        Some(gate) => anyhow!("gate {:?} sets no most of findings", gate.id),
        None => anyhow!("there is no policy, and no limit was given"),
    };
    Err(Failure::usage(failure).hint(format!("give {hint}")))
}

/// Findings at a level or worse, and what they are called.
fn at_least(found: Findings, mildest: Mildest) -> (u64, &'static str) {
    match mildest {
        Mildest::Errors => (found.errors, "errors"),
        Mildest::Warnings => (found.errors + found.warnings, "errors and warnings"),
        Mildest::Notes => {
            (found.errors + found.warnings + found.notes, "errors, warnings and notes")
        }
    }
}
