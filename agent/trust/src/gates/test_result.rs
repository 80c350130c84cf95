//! in-toto's test result: the outcome, and how many tests passed.
//!
//! **Invariant:** tests are counted by the list of their names; the predicate has no number to believe.

use serde_json::Value;

use super::reading::{Reading, Standing, demand_list, demand_text, optional_list, quote};
use super::signed_time;
use super::subject::Matter;

/// Reads a test result.
pub(super) fn read(
    predicate: &Value,
    matter: &Matter<'_>,
    passing: &[String],
    min_passed: u64,
) -> Result<Reading, Reading> {
    let result = demand_text(predicate, "/result")?;
    demand_list(predicate, "/configuration")?;
    let passed = names(predicate, "/passedTests")?;
    let failed = names(predicate, "/failedTests")?;
    names(predicate, "/warnedTests")?;
    if !matches!(result, "PASSED" | "WARNED" | "FAILED") {
        return Err(Reading::malformed(format!("{} is no result", quote(result))));
    }
    if failed > 0 && result != "FAILED" {
        let detail = format!("it says {result} and lists {failed} tests that failed");
        return Err(Reading::malformed(detail));
    }
    let reading = Reading::met(format!("{result}, {passed} passed"))
        .at(signed_time::read_annotation(matter)?);
    if !passing.iter().any(|it| it == result) {
        return Ok(reading.but(Standing::Failed, format!("the tests ended with {result}")));
    }
    if u64::try_from(passed).unwrap_or(u64::MAX) < min_passed {
        let detail = format!("{passed} tests passed, fewer than {min_passed}");
        return Ok(reading.but(Standing::Below, detail));
    }
    Ok(reading)
}

/// How many names a list holds.
fn names(predicate: &Value, pointer: &str) -> Result<usize, Reading> {
    let list = optional_list(predicate, pointer)?;
    if list.iter().all(Value::is_string) {
        return Ok(list.len());
    }
    let field = pointer.trim_start_matches('/');
    Err(Reading::malformed(format!("{field} holds what is no name of a test")))
}

#[cfg(test)]
mod tests {
    use crate::gates::bench::{Bench, TESTS};
    use serde_json::json;

    const GATE: &str = "predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci], minPassed: 2";

    #[test]
    fn only_a_passed_result_with_enough_names_opens_the_gate() {
        let bench = Bench::new(GATE);
        for (said, predicate) in [
            ("met", json!({"result": "PASSED", "configuration": [], "passedTests": ["a", "b"]})),
            (
                "evidence-below",
                json!({"result": "PASSED", "configuration": [], "passedTests": ["a"]}),
            ),
            ("evidence-below", json!({"result": "PASSED", "configuration": []})),
            (
                "evidence-failed",
                json!({"result": "FAILED", "configuration": [], "passedTests": ["a", "b"]}),
            ),
            (
                "evidence-failed",
                json!({"result": "WARNED", "configuration": [], "passedTests": ["a", "b"]}),
            ),
            (
                "evidence-malformed",
                json!({"result": "passed", "configuration": [], "passedTests": ["a", "b"]}),
            ),
            (
                "evidence-malformed",
                json!({"result": true, "configuration": [], "passedTests": ["a", "b"]}),
            ),
            ("evidence-malformed", json!({"configuration": [], "passedTests": ["a", "b"]})),
            ("evidence-malformed", json!({"result": "PASSED", "passedTests": ["a", "b"]})),
            (
                "evidence-malformed",
                json!({"result": "PASSED", "configuration": {}, "passedTests": ["a", "b"]}),
            ),
            (
                "evidence-malformed",
                json!({"result": "PASSED", "configuration": [], "passedTests": 2}),
            ),
            (
                "evidence-malformed",
                json!({"result": "PASSED", "configuration": [], "passedTests": [1, 2]}),
            ),
            (
                "evidence-malformed",
                json!({"result": "PASSED", "configuration": [], "passedTests": ["a", "b"], "failedTests": ["c"]}),
            ),
            ("evidence-malformed", json!([])),
        ] {
            assert_eq!(bench.says(TESTS, &predicate), said, "{predicate}");
        }
    }

    #[test]
    fn a_policy_may_let_warnings_pass_and_asks_for_no_number_by_itself() {
        let gate = "predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci], result: [PASSED, WARNED]";
        let bench = Bench::new(gate);
        let warned = json!({"result": "WARNED", "configuration": [], "warnedTests": ["w"]});
        let verdict = bench.judge(&[bench.by_ci(TESTS, &warned)]);
        assert!(verdict.met, "{verdict:?}");
        assert_eq!(verdict.measured.as_deref(), Some("WARNED, 0 passed"));
        assert_eq!(verdict.limit, "PASSED or WARNED, 0 passed at least");
    }
}
