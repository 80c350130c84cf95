//! Cobertura XML, as coverage.py, gcovr, cargo-llvm-cov and others write it.
//!
//! **Invariant:** counts are read, never the rates that a tool rounded.

use std::collections::BTreeMap;

use super::coverage::Counts;
use super::ratio::Ratio;
use super::report::BadReport;
use super::xml::{self, Step, Tag};

/// Reads one report.
pub(super) fn read(text: &str) -> Result<Counts, BadReport> {
    let mut reading = Reading::default();
    xml::walk(text, |step| reading.see(&step))?;
    let covered = reading.lines.values().filter(|it| **it).count();
    let counted = Ratio { covered: count(covered), total: count(reading.lines.len()) };
    Ok(Counts { lines: reading.told_lines.unwrap_or(counted), branches: reading.told_branches })
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A report in reading.
#[derive(Default)]
struct Reading {
    /// What the root says.
    told_lines: Option<Ratio>,
    told_branches: Option<Ratio>,
    /// The file that is spoken of.
    file: String,
    /// The depth of the method that is spoken of: its lines stand with its class once more.
    method: Option<usize>,
    /// Whether a line of a file was reached.
    lines: BTreeMap<(String, u64), bool>,
}

impl Reading {
    fn see(&mut self, step: &Step<'_>) -> Result<(), String> {
        match step {
            Step::Open(tag) => self.open(tag),
            Step::Close(depth) => {
                self.method.take_if(|it| it == depth);
                Ok(())
            }
        }
    }

    fn open(&mut self, tag: &Tag<'_>) -> Result<(), String> {
        match tag.name() {
            "coverage" if tag.depth == 1 => {
                self.told_lines = told(tag, "lines-covered", "lines-valid")?;
                self.told_branches = told(tag, "branches-covered", "branches-valid")?;
            }
            other if tag.depth == 1 => {
                return Err(format!("the root element is <{other}>, not <coverage>"));
            }
            "class" => self.file = tag.text("filename")?.unwrap_or_default().into_owned(),
            "method" => self.method = Some(tag.depth),
            "line" if self.method.is_none() => {
                let number = tag.count("number")?.ok_or("a <line> has no number")?;
                let hits = tag.count("hits")?.ok_or("a <line> has no hits")?;
                *self.lines.entry((self.file.clone(), number)).or_default() |= hits > 0;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Two attributes of the root that belong together.
fn told(tag: &Tag<'_>, covered: &str, total: &str) -> Result<Option<Ratio>, String> {
    let (covered, total) = (tag.count(covered)?, tag.count(total)?);
    Ok(covered.zip(total).map(|(covered, total)| Ratio { covered, total }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As coverage.py 7 writes it with `--branch`.
    const COVERAGE_PY: &str = r#"<?xml version="1.0" ?>
<coverage version="7.17.3" timestamp="1795469189014" lines-valid="6" lines-covered="4" line-rate="0.6667" branches-valid="2" branches-covered="1" branch-rate="0.5" complexity="0">
	<sources><source>/src</source></sources>
	<packages><package name="." line-rate="0.6667"><classes>
		<class name="app.py" filename="app.py" line-rate="0.6667"><methods/><lines><line number="1" hits="1"/></lines></class>
	</classes></package></packages>
</coverage>"#;

    /// As the first Cobertura wrote it: no counts at the root, lines of methods twice.
    const OLD: &str = r#"<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-03.dtd">
<coverage line-rate="0.9" branch-rate="0.0"><packages><package name="p"><classes>
<class name="p.A" filename="p/A.java"><methods><method name="f" signature="()V"><lines>
<line number="1" hits="3"/><line number="9" hits="0"/></lines></method></methods>
<lines><line number="1" hits="3" branch="false"/><line number="2" hits="0"/></lines></class>
<class name="p.A$1" filename="p/A.java"><methods/><lines><line number="2" hits="1"/><line number="3" hits="0"/></lines></class>
</classes></package></packages></coverage>"#;

    #[test]
    fn counts_come_from_the_root_or_from_the_lines_of_classes() {
        let found = read(COVERAGE_PY).unwrap();
        assert_eq!(found.lines, Ratio { covered: 4, total: 6 });
        assert_eq!(found.branches, Some(Ratio { covered: 1, total: 2 }));
        let found = read(OLD).unwrap();
        assert_eq!(found.lines, Ratio { covered: 2, total: 3 });
        assert_eq!(found.branches, None);
    }

    #[test]
    fn another_report_is_refused() {
        for (text, part) in [
            ("<report/>", "the root element is <report>"),
            ("<coverage lines-valid='6.5' lines-covered='1'/>", "not a count"),
            ("<coverage><line number='1'/></coverage>", "has no hits"),
            ("<coverage lines-valid='-1'/>", "not a count"),
        ] {
            let said = read(text).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
