//! SARIF 2.1.0, as linters and static analysers write it.
//!
//! **Invariant:** a run that does not say that it was completed counts nothing, rather than no findings.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::report::{BadReport, parse_json};

/// Findings by how bad they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Findings {
    /// Wrong.
    pub(super) errors: u64,
    /// Probably wrong; also what has no level.
    pub(super) warnings: u64,
    /// Could be better.
    pub(super) notes: u64,
    /// Set aside by somebody, in the code or in the tool.
    pub(super) suppressed: u64,
}

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    #[serde(default)]
    invocations: Vec<Invocation>,
    results: Option<Vec<Found>>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    default_configuration: Option<Configuration>,
}

#[derive(Deserialize)]
struct Configuration {
    level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    level: Option<Level>,
    kind: Option<String>,
    #[serde(default)]
    suppressions: Vec<Suppression>,
}

#[derive(Deserialize)]
struct Suppression {
    status: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    None,
    Note,
    Warning,
    Error,
}

impl Findings {
    /// Adds what a log holds.
    pub(super) fn add(&mut self, text: &str) -> Result<(), BadReport> {
        let log: Log = parse_json(text)?;
        if log.version != "2.1.0" || log.runs.is_empty() {
            let why = format!("it is SARIF {:?} with {} runs", log.version, log.runs.len());
            return Err(BadReport::whole(format!("{why}, not 2.1.0 with at least one")));
        }
        for run in &log.runs {
            let name = &run.tool.driver.name;
            if run.invocations.iter().any(|it| !it.execution_successful) {
                return Err(BadReport::whole(format!("the run of {name} was not successful")));
            }
            let Some(results) = &run.results else {
                return Err(BadReport::whole(format!("the run of {name} came to no results")));
            };
            let rules = Rules::of(&run.tool.driver.rules);
            for found in results {
                self.count(found, &rules);
            }
        }
        Ok(())
    }

    fn count(&mut self, found: &Found, rules: &Rules<'_>) {
        let stands = |it: &Suppression| it.status.as_deref().is_none_or(|it| it == "accepted");
        if !found.suppressions.is_empty() && found.suppressions.iter().all(stands) {
            self.suppressed += 1;
            return;
        }
        match level(found, rules) {
            Level::Error => self.errors += 1,
            Level::Warning => self.warnings += 1,
            Level::Note => self.notes += 1,
            Level::None => {}
        }
    }
}

/// The rules of a run, by place and by id.
struct Rules<'r> {
    placed: &'r [Rule],
    named: BTreeMap<&'r str, &'r Rule>,
}

impl<'r> Rules<'r> {
    fn of(placed: &'r [Rule]) -> Self {
        Self { placed, named: placed.iter().map(|it| (it.id.as_str(), it)).collect() }
    }

    fn rule(&self, found: &Found) -> Option<&'r Rule> {
        let place = found.rule_index.and_then(|it| usize::try_from(it).ok());
        let named = || self.named.get(found.rule_id.as_deref()?).copied();
        place.and_then(|it| self.placed.get(it)).or_else(named)
    }
}

/// The level of a result, by the rules of SARIF 3.27.10.
fn level(found: &Found, rules: &Rules<'_>) -> Level {
    if let Some(level) = found.level {
        return level;
    }
    if found.kind.as_deref().is_some_and(|it| it != "fail") {
        return Level::None;
    }
    let rule = rules.rule(found).and_then(|it| it.default_configuration.as_ref());
    rule.and_then(|it| it.level).unwrap_or(Level::Warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(run: &str) -> String {
        let driver = r#""driver":{"name":"x","rules":[{"id":"a","defaultConfiguration":{"level":"note"}},{"id":"b"}]}"#;
        format!(r#"{{"version":"2.1.0","runs":[{{"tool":{{{driver}}}{run}}}]}}"#)
    }

    #[test]
    fn results_are_counted_by_their_level_or_that_of_their_rule() {
        for (results, errors, warnings, notes, suppressed) in [
            ("", 0, 0, 0, 0),
            (r#"{"level":"error"},{"level":"warning"},{"level":"none"}"#, 1, 1, 0, 0),
            (r#"{"ruleId":"a"},{"ruleIndex":0},{"ruleId":"b"},{"ruleId":"c"},{}"#, 0, 3, 2, 0),
            (r#"{"kind":"pass"},{"kind":"fail"},{"ruleIndex":-1}"#, 0, 2, 0, 0),
            (
                r#"{"level":"error","suppressions":[{"kind":"inSource"}]},
                   {"level":"error","suppressions":[{"kind":"external","status":"rejected"}]},
                   {"level":"error","suppressions":[]}"#,
                2,
                0,
                0,
                1,
            ),
        ] {
            let mut found = Findings::default();
            found.add(&log(&format!(r#","results":[{results}]"#))).unwrap();
            assert_eq!(found, Findings { errors, warnings, notes, suppressed }, "{results}");
        }
    }

    #[test]
    fn a_run_that_was_not_completed_is_no_clean_one() {
        let failed = r#","invocations":[{"executionSuccessful":false}],"results":[]"#;
        for (text, part) in [
            (log(""), "came to no results"),
            (log(r#","results":null"#), "came to no results"),
            (log(failed), "was not successful"),
            (log(r#","results":[{"level":"fatal"}]"#), "line 1"),
            (r#"{"version":"2.1.0","runs":[]}"#.to_owned(), "with 0 runs"),
            (r#"{"version":"1.0.0","runs":[]}"#.to_owned(), "SARIF \"1.0.0\""),
            ("[]".to_owned(), "line 1"),
        ] {
            let said = Findings::default().add(&text).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
