//! SCAI: a number that was measured, such as coverage.
//!
//! **Invariant:** only a JSON number is a number; where an attribute stands twice, each must keep within
//! the bounds.

use serde_json::Value;

use super::reading::{Reading, Standing, demand_list, demand_text};
use super::signed_time;
use super::subject::Matter;

/// What the gate asks for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) attribute: &'a str,
    pub(super) field: &'a str,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
}

impl Asked<'_> {
    /// Reads an attribute report.
    pub(super) fn read(&self, predicate: &Value, matter: &Matter<'_>) -> Result<Reading, Reading> {
        let Self { attribute, field, .. } = self;
        let mut worst: Option<(f64, Option<String>)> = None;
        for entry in demand_list(predicate, "/attributes")? {
            if demand_text(entry, "/attribute")? != *attribute {
                continue;
            }
            let conditions = entry.get("conditions");
            let number = conditions.and_then(|it| it.get(*field)).and_then(Value::as_f64);
            let number = number.filter(|it| it.is_finite()).ok_or_else(|| {
                Reading::malformed(format!("conditions.{field} of {attribute} is no number"))
            })?;
            let found = (number, self.out_of_bounds(number));
            // The first that is out of bounds tells enough.
            if worst.as_ref().is_none_or(|(_, why)| why.is_none() && found.1.is_some()) {
                worst = Some(found);
            }
        }
        let Some((number, why)) = worst else {
            let detail = format!("the statement has no attribute {attribute}");
            return Err(Reading::silent(Standing::AnotherMatter, detail));
        };
        let reading = Reading::met(format!("{attribute} {field} {number}"))
            .at(signed_time::read_annotation(matter)?);
        Ok(match why {
            Some(why) => reading.but(Standing::Below, why),
            None => reading,
        })
    }

    fn out_of_bounds(&self, number: f64) -> Option<String> {
        match (self.min, self.max) {
            (Some(least), _) if number < least => Some(format!("{number} is below {least}")),
            (_, Some(most)) if number > most => Some(format!("{number} is above {most}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gates::bench::{Bench, SCAI};
    use serde_json::{Value, json};

    const GATE: &str = "predicate: \"https://in-toto.io/attestation/scai/v0.3\", signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80";

    fn covered(percent: &Value) -> Value {
        json!({"attribute": "LINE_COVERAGE", "conditions": {"percent": percent}})
    }

    #[test]
    fn only_a_number_that_reaches_the_bound_opens_the_gate() {
        let bench = Bench::new(GATE);
        for (percent, said) in [
            (json!(80), "met"),
            (json!(80.0), "met"),
            (json!(100), "met"),
            (json!(79.9), "evidence-below"),
            (json!(79.999_999_999), "evidence-below"),
            (json!(-1), "evidence-below"),
            (json!("87.4"), "evidence-malformed"),
            (json!("NaN"), "evidence-malformed"),
            (json!(null), "evidence-malformed"),
            (json!([90]), "evidence-malformed"),
        ] {
            let predicate = json!({"attributes": [covered(&percent)]});
            assert_eq!(bench.says(SCAI, &predicate), said, "{percent}");
        }
    }

    #[test]
    fn of_an_attribute_that_stands_twice_the_worst_counts() {
        let bench = Bench::new(GATE);
        let (good, bad) = (covered(&json!(90)), covered(&json!(10)));
        for (attributes, said) in [
            (json!([good, bad]), "evidence-below"),
            (json!([bad, good]), "evidence-below"),
            (json!([good, covered(&json!("90"))]), "evidence-malformed"),
            (json!([good, good]), "met"),
            (json!([{"attribute": "BRANCH_COVERAGE", "conditions": {"percent": 1}}, good]), "met"),
            (json!([{"attribute": "LINE_COVERAGE"}, good]), "evidence-malformed"),
            (json!([{"conditions": {}}, good]), "evidence-malformed"),
            (json!([{"attribute": "BRANCH_COVERAGE"}]), "evidence-missing"),
            (json!([]), "evidence-missing"),
            (json!({}), "evidence-malformed"),
        ] {
            let predicate = json!({"attributes": attributes});
            assert_eq!(bench.says(SCAI, &predicate), said, "{predicate}");
        }
        assert_eq!(bench.says(SCAI, &json!({})), "evidence-malformed");
    }

    #[test]
    fn what_is_counted_has_a_greatest_value() {
        let gate = "predicate: \"https://in-toto.io/attestation/scai/v0.3\", signers: [ci], attribute: LINT_FINDINGS, field: count, max: 12";
        let bench = Bench::new(gate);
        for (count, said) in [(0, "met"), (12, "met"), (13, "evidence-below")] {
            let entry = json!({"attribute": "LINT_FINDINGS", "conditions": {"count": count}});
            assert_eq!(bench.says(SCAI, &json!({"attributes": [entry]})), said, "{count}");
        }
        let entry = json!({"attribute": "LINT_FINDINGS", "conditions": {"count": 13}});
        let verdict = bench.judge(&[bench.by_ci(SCAI, &json!({"attributes": [entry]}))]);
        assert_eq!(verdict.measured.as_deref(), Some("LINT_FINDINGS count 13"));
        assert_eq!(verdict.limit, "LINT_FINDINGS count 12 at most");
        assert_eq!(verdict.detail, "13 is above 12");
    }

    #[test]
    fn a_report_on_another_attribute_neither_opens_nor_closes_the_gate() {
        let bench = Bench::new(GATE);
        let coverage = bench.by_ci(SCAI, &json!({"attributes": [covered(&json!(90))]}));
        let lint = json!({"attributes": [{"attribute": "LINT", "conditions": {"count": 1}}]});
        let verdict = bench.judge(&[coverage, bench.by_ci(SCAI, &lint)]);
        assert!(verdict.met, "{verdict:?}");
    }
}
