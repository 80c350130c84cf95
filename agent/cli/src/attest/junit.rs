//! `JUnit` XML, as nextest, pytest, Surefire, Gradle and others write it.
//!
//! **Invariant:** a test counts once, by its name: as failed if it ever failed, as passed only if it ever
//! passed.
//! **Invariant:** a report that says that tests failed is never read as one in which none did.

use std::collections::BTreeMap;

use super::report::BadReport;
use super::xml::{self, Step, Tag};

/// What became of a test; the greater one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// It did not run.
    Skipped,
    /// It ran and was well.
    Passed,
    /// It failed, or could not be run.
    Failed,
}

/// All tests of some reports.
#[derive(Debug, Default)]
pub(super) struct Tests {
    outcomes: BTreeMap<String, Outcome>,
    /// Tests that passed after they had failed.
    pub(super) flaky: usize,
}

impl Tests {
    /// The names of tests with an outcome, in order.
    pub(super) fn names(&self, outcome: Outcome) -> Vec<&str> {
        let of = self.outcomes.iter().filter(|(_, it)| **it == outcome);
        of.map(|(name, _)| name.as_str()).collect()
    }

    /// Adds the tests of a report.
    pub(super) fn add(&mut self, text: &str) -> Result<(), BadReport> {
        let mut reading = Reading {
            tests: self,
            suites: Vec::new(),
            case: None,
            claimed: 0,
            cases: 0,
            failed: 0,
        };
        xml::walk(text, |step| reading.see(step))?;
        let Reading { claimed, cases, failed, .. } = reading;
        if cases == 0 {
            return Err(BadReport::whole("it holds no test"));
        }
        if claimed > 0 && failed == 0 {
            let why = format!("it counts {claimed} failed tests, and names none of them");
            return Err(BadReport::whole(why));
        }
        Ok(())
    }

    fn record(&mut self, case: Case) {
        self.flaky += usize::from(case.is_flaky && case.outcome == Outcome::Passed);
        let known = self.outcomes.entry(case.name).or_insert(case.outcome);
        *known = case.outcome.max(*known);
    }
}

/// A report in reading.
struct Reading<'t> {
    tests: &'t mut Tests,
    suites: Vec<(usize, String)>,
    case: Option<Case>,
    /// As many failures as the report counts in one of its suites.
    claimed: u64,
    cases: usize,
    failed: usize,
}

/// A test in reading.
struct Case {
    depth: usize,
    name: String,
    outcome: Outcome,
    is_flaky: bool,
}

impl Reading<'_> {
    fn see(&mut self, step: Step<'_>) -> Result<(), String> {
        match step {
            Step::Open(tag) => self.open(&tag),
            Step::Close(depth) => {
                if let Some(case) = self.case.take_if(|it| it.depth == depth) {
                    self.cases += 1;
                    self.failed += usize::from(case.outcome == Outcome::Failed);
                    self.tests.record(case);
                }
                self.suites.pop_if(|(it, _)| *it == depth);
                Ok(())
            }
        }
    }

    fn open(&mut self, tag: &Tag<'_>) -> Result<(), String> {
        let name = tag.name();
        if tag.depth == 1 && !["testsuites", "testsuite"].contains(&name) {
            return Err(format!("the root element is <{name}>, not <testsuites> or <testsuite>"));
        }
        match (&mut self.case, name) {
            (Some(_), "testcase") => return Err("a <testcase> is inside of another".to_owned()),
            (Some(case), _) if tag.depth == case.depth + 1 => case.mark(name),
            (Some(_), _) => {}
            (None, "testcase") => self.case = Some(self.begin(tag)?),
            (None, "testsuites" | "testsuite") => {
                let failures = tag.count("failures")?.unwrap_or(0);
                let errors = tag.count("errors")?.unwrap_or(0);
                self.claimed = self.claimed.max(failures.saturating_add(errors));
                let called = tag.text("name")?.unwrap_or_default().into_owned();
                self.suites.push((tag.depth, called));
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn begin(&self, tag: &Tag<'_>) -> Result<Case, String> {
        let text = |name: &str| -> Result<Option<String>, String> {
            let text = tag.text(name)?;
            Ok(text.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()))
        };
        let name = text("name")?.ok_or("a <testcase> has no name")?;
        let suite = || self.suites.last().map(|(_, it)| it.clone()).filter(|it| !it.is_empty());
        let name = match text("classname")?.or_else(suite) {
            Some(class) => format!("{class}::{name}"),
            None => name,
        };
        // GoogleTest says in attributes what others say in elements.
        let stays = |it: Option<String>| {
            it.is_some_and(|it| {
                ["notrun", "disabled", "skipped", "suppressed"].contains(&it.as_str())
            })
        };
        let is_skipped = stays(text("status")?) || stays(text("result")?);
        let outcome = if is_skipped { Outcome::Skipped } else { Outcome::Passed };
        Ok(Case { depth: tag.depth, name, outcome, is_flaky: false })
    }
}

impl Case {
    /// Takes what an element right inside of it says.
    fn mark(&mut self, name: &str) {
        match name {
            "failure" | "error" => self.outcome = Outcome::Failed,
            "skipped" | "disabled" if self.outcome == Outcome::Passed => {
                self.outcome = Outcome::Skipped;
            }
            "flakyFailure" | "flakyError" => self.is_flaky = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
