//! `bowline attest lint`: how many findings linters came to, as an attribute report (SCAI).
//!
//! **Invariant:** every level is told, whichever one the limit is on.

use anyhow::anyhow;
use bowline_model::policy::predicate::ATTRIBUTE;
use serde_json::{Map, json};

use super::arguments::{Lint, Mildest};
use super::bounds::Bounds;
use super::case::Case;
use super::finding::Finding;
use super::report::read_each;
use super::sarif::Findings;
use super::statement::Claim;
use crate::failure::Failure;
use crate::screen::Screen;

/// How such a report is made.
const HINT: &str = "give SARIF 2.1.0: ruff check --output-format sarif, eslint -f @microsoft/sarif, \
                    semgrep --sarif, clippy-sarif";

/// Findings as bad as errors; as warnings; all of them. The other two are single levels.
const FIELDS: [&str; 5] = ["errors", "errorsAndWarnings", "count", "warnings", "notes"];

/// Attests how many findings there are.
pub(super) fn attest(given: &Lint, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let bounds = bounds(given, &case)?;
    let mut found = Findings::default();
    read_each(&given.reports, HINT, |text| found.add(text))?;
    let Findings { errors, warnings, notes, suppressed } = found;
    let numbers = [errors, errors + warnings, errors + warnings + notes, warnings, notes];
    let mut conditions: Map<_, _> =
        FIELDS.iter().zip(numbers).map(|(name, it)| ((*name).to_owned(), json!(it))).collect();
    conditions.insert("suppressed".to_owned(), json!(suppressed));
    let number = conditions.get(&bounds.field).and_then(serde_json::Value::as_f64);
    let number =
        number.ok_or_else(|| Failure::usage(anyhow!("nothing counts {}", bounds.field)))?;
    let shortfall = format!("{} is {number}, asked for is {bounds}", given.attribute);
    let attribute = json!({"attribute": given.attribute, "conditions": conditions});
    let finding = Finding {
        claim: Claim {
            predicate_type: ATTRIBUTE,
            predicate: json!({"attributes": [attribute]}),
            counts: Map::new(),
        },
        subjects: None,
        measured: format!(
            "{errors} errors, {warnings} warnings, {notes} notes, {suppressed} suppressed"
        ),
        limit: bounds.to_string(),
        shortfall: Some(shortfall).filter(|_| !bounds.hold(number)),
        gate: bounds.gate,
        culprits: Vec::new(),
    };
    finding.conclude(&case, &given.common, screen)
}

/// How many are let through.
fn bounds(given: &Lint, case: &Case) -> Result<Bounds, Failure> {
    let Some(max) = given.max else {
        return Bounds::of_gate(case, &given.common, &given.attribute, &FIELDS, "--max N");
    };
    let field = match given.mildest {
        Mildest::Errors => "errors",
        Mildest::Warnings => "errorsAndWarnings",
        Mildest::Notes => "count",
    };
    Ok(Bounds { max: Some(f64::from(max)), field: field.to_owned(), ..Bounds::default() })
}
