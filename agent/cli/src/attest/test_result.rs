//! `bowline attest tests`: what tests came to, as in-toto's test result.
//!
//! **Invariant:** what did not run did not pass.

use bowline_model::policy::Rule;
use bowline_model::policy::predicate::TEST_RESULT;
use serde_json::{Map, Value, json};

use super::arguments::Tests as Given;
use super::case::Case;
use super::finding::Finding;
use super::junit::{Outcome, Tests};
use super::report::read_each;
use super::statement::Claim;
use crate::failure::Failure;
use crate::screen::Screen;

/// Names of some fifty letters fill the 1 MiB that hosts read.
const NAMES_MAX: usize = 20_000;

/// How such a report is made.
const HINT: &str = "give the JUnit XML of a whole run: pytest --junitxml=FILE, cargo nextest with \
                    [profile.ci.junit], Surefire's TEST-*.xml";

/// What tests must come to.
struct Limit {
    min_passed: u64,
    results: Vec<String>,
    gate: Option<String>,
}

/// Attests what tests came to.
pub(super) fn attest(given: &Given, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let limit = Limit::of(given, &case)?;
    let mut tests = Tests::default();
    let configuration = read_each(&given.reports, HINT, |text| tests.add(text))?;
    let finding = weigh(&tests, limit, &configuration, given.url.as_deref())?;
    finding.conclude(&case, &given.common, screen)
}

impl Limit {
    fn of(given: &Given, case: &Case) -> Result<Self, Failure> {
        let alone = |min_passed| Self {
            // A run in which nothing passed proves nothing.
            min_passed,
            results: vec!["PASSED".to_owned()],
            gate: None,
        };
        if let Some(min_passed) = given.min_passed {
            return Ok(alone(min_passed.max(1)));
        }
        let fits = |rule: &Rule| matches!(rule, Rule::TestResult { .. });
        let gate = case.gate(&given.common, fits, "--min-passed N")?;
        match gate.map(|it| (&it.rule, &it.id)) {
            Some((Rule::TestResult { result, min_passed, .. }, id)) => Ok(Self {
                min_passed: *min_passed.max(&1),
                results: result.clone(),
                gate: Some(id.clone()),
            }),
            _ => Ok(alone(1)),
        }
    }
}

fn weigh(
    tests: &Tests,
    limit: Limit,
    configuration: &[Value],
    url: Option<&str>,
) -> Result<Finding, Failure> {
    let [passed, failed, skipped] =
        [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|it| tests.names(it));
    if passed.len() + failed.len() > NAMES_MAX {
        let what = anyhow::anyhow!(
            "{} tests ran, and one statement names at most {NAMES_MAX}",
            passed.len() + failed.len()
        );
        return Err(Failure::failed(what).hint("attest suites apart, each with a gate of its own"));
    }
    let result = if failed.is_empty() { "PASSED" } else { "FAILED" };
    let mut shortfalls = Vec::new();
    if !limit.results.iter().any(|it| it == result) {
        shortfalls.push(match failed.len() {
            0 => format!("the result is {result}, not {}", limit.results.join(" or ")),
            1 => "1 test failed".to_owned(),
            more => format!("{more} tests failed"),
        });
    }
    let count = u64::try_from(passed.len()).unwrap_or(u64::MAX);
    if count < limit.min_passed {
        shortfalls.push(format!("{count} tests passed, at least {} must", limit.min_passed));
    }
    let counts = [
        ("passed", passed.len()),
        ("failed", failed.len()),
        ("skipped", skipped.len()),
        ("flaky", tests.flaky),
    ];
    let measured = counts.map(|(name, count)| format!("{count} {name}")).join(", ");
    let limit_text =
        format!("{}, at least {} passed", limit.results.join(" or "), limit.min_passed);
    let mut predicate = json!({
        "result": result,
        "configuration": configuration,
        "passedTests": passed,
        "warnedTests": [],
        "failedTests": failed,
    });
    if let (Some(url), Some(fields)) = (url, predicate.as_object_mut()) {
        fields.insert("url".to_owned(), json!(url));
    }
    let counts: Map<_, _> =
        counts.map(|(name, it)| (name.to_owned(), json!(it))).into_iter().collect();
    Ok(Finding {
        claim: Claim { predicate_type: TEST_RESULT, predicate, counts },
        subjects: None,
        gate: limit.gate,
        measured,
        limit: limit_text,
        shortfall: Some(shortfalls.join("; ")).filter(|it| !it.is_empty()),
        culprits: failed.iter().map(|it| format!("failed: {it}")).collect(),
    })
}
