//! What is said of each check, and whether all of them held.
//!
//! **Invariant:** a check that did not hold is named at its place and at the end.

use std::fmt::Display;
use std::time::Instant;

use anyhow::{Context as _, Result};

/// All suites of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    held: usize,
    failed: Vec<String>,
}

/// One suite while it runs.
#[derive(Debug)]
pub(crate) struct Suite<'r> {
    report: &'r mut Report,
    title: String,
}

impl Report {
    /// Runs a suite, which ends with its first check that does not hold. Gives whether all of them held.
    pub(crate) fn suite(
        &mut self,
        title: &str,
        play: impl FnOnce(&mut Suite<'_>) -> Result<()>,
    ) -> bool {
        let began = Instant::now();
        println!("\n{title}");
        let before = self.failed.len();
        let played = play(&mut Suite { report: self, title: title.to_owned() });
        if let Err(error) = played {
            // What failed between two checks has no name of its own.
            if self.failed.len() == before {
                self.failed.push(format!("{title}: between its checks"));
            }
            println!("  ✘ {error:#}");
        }
        println!("    {:.1} s", began.elapsed().as_secs_f64());
        self.failed.len() == before
    }

    /// Says how it was; gives whether everything held.
    pub(crate) fn end(&self) -> bool {
        println!("\n{} checks held, {} did not", self.held, self.failed.len());
        for failed in &self.failed {
            println!("  ✘ {failed}");
        }
        self.failed.is_empty() && self.held > 0
    }
}

impl Suite<'_> {
    /// Makes sure of something, and says with which figure or fact; gives what was found.
    pub(crate) fn check<T>(
        &mut self,
        claim: &str,
        look: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T> {
        let (found, fact) = match look() {
            Ok(seen) => seen,
            Err(error) => {
                self.report.failed.push(format!("{}: {claim}", self.title));
                return Err(error).context(claim.to_owned());
            }
        };
        self.report.held += 1;
        let fact = if fact.is_empty() { fact } else { format!(": {fact}") };
        println!("  ✔ {claim}{fact}");
        Ok(found)
    }

    /// Tells a figure or a fact that nothing depends on.
    pub(crate) fn tell(&self, fact: impl Display) {
        for line in fact.to_string().lines() {
            println!("    {line}");
        }
    }
}
