//! `bowline attest coverage`: how much of the code tests reach, as an attribute report (SCAI).
//!
//! **Invariant:** the share is computed from counts; of nothing there is none.

use anyhow::anyhow;
use bowline_model::policy::predicate::ATTRIBUTE;
use serde_json::{Map, json};

use super::arguments::{Counted, Coverage};
use super::bounds::Bounds;
use super::case::Case;
use super::finding::Finding;
use super::ratio::Ratio;
use super::report::{BadReport, read_each};
use super::statement::Claim;
use super::{cobertura, lcov};
use crate::failure::Failure;
use crate::screen::Screen;

/// The field that holds the share.
const FIELD: &str = "percent";

/// How such a report is made.
const HINT: &str = "give Cobertura XML or an LCOV tracefile of a whole run: coverage xml, coverage lcov, \
                    cargo llvm-cov --cobertura, gcovr --cobertura";

/// What one report counts.
pub(super) struct Counts {
    /// Lines.
    pub(super) lines: Ratio,
    /// Branches, where they were counted.
    pub(super) branches: Option<Ratio>,
}

/// Attests how much of the code tests reach.
pub(super) fn attest(given: &Coverage, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let attribute = match given.of {
        Counted::Lines => "LINE_COVERAGE",
        Counted::Branches => "BRANCH_COVERAGE",
    };
    let limit = limit(given, &case, attribute)?;
    let mut sum = Ratio::default();
    read_each(&given.reports, HINT, |text| {
        sum = sum.plus(count(text, given.of)?);
        Ok(())
    })?;
    let finding = weigh(sum, limit, attribute)
        .ok_or_else(|| Failure::usage(anyhow!("the reports count no code")).hint(HINT))?;
    finding.conclude(&case, &given.common, screen)
}

/// The least share.
fn limit(given: &Coverage, case: &Case, attribute: &str) -> Result<Bounds, Failure> {
    let Some(min) = given.min else {
        return Bounds::of_gate(case, &given.common, attribute, &[FIELD], "--min PERCENT");
    };
    if !(0.0..=100.0).contains(&min) {
        return Err(Failure::usage(anyhow!("--min {min} is no share, give 0 to 100")));
    }
    Ok(Bounds { min: Some(min), field: FIELD.to_owned(), ..Bounds::default() })
}

/// What a report counts, in whichever form it is.
fn count(text: &str, of: Counted) -> Result<Ratio, BadReport> {
    let first = text.trim_start().chars().next();
    let counts = match first {
        None => return Err(BadReport::whole("it is empty")),
        Some('<') => cobertura::read(text)?,
        Some(_) => lcov::read(text)?,
    };
    let ratio = match of {
        Counted::Lines => counts.lines,
        Counted::Branches => counts
            .branches
            .ok_or_else(|| BadReport::whole("it counts no branches: let the tool count them"))?,
    };
    if ratio.covered > ratio.total {
        return Err(BadReport::whole(format!("{} of {} are covered", ratio.covered, ratio.total)));
    }
    // Branches may be none in a small program; lines may not.
    if ratio.total == 0 && of == Counted::Lines {
        return Err(BadReport::whole("it counts no lines"));
    }
    Ok(ratio)
}

fn weigh(sum: Ratio, limit: Bounds, attribute: &'static str) -> Option<Finding> {
    let percent = sum.percent()?;
    let shortfall = format!("{attribute} is {sum}, asked for is {limit}");
    let conditions = json!({FIELD: percent, "covered": sum.covered, "total": sum.total});
    Some(Finding {
        claim: Claim {
            predicate_type: ATTRIBUTE,
            predicate: json!({"attributes": [{"attribute": attribute, "conditions": conditions}]}),
            counts: Map::new(),
        },
        subjects: None,
        measured: sum.to_string(),
        limit: limit.to_string(),
        shortfall: Some(shortfall).filter(|_| !limit.hold(percent)),
        gate: limit.gate,
        culprits: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_just_below_the_limit_is_not_met() {
        for (covered, total, min, is_met) in [
            (79_996, 100_000, 80.0, false),
            (80_000, 100_000, 80.0, true),
            (874, 1_000, 87.4, true),
            (29, 100, 29.0, true),
            (2_899, 10_000, 29.0, false),
            (1, 1, 100.0, true),
        ] {
            let limit = Bounds { min: Some(min), ..Bounds::default() };
            let found = weigh(Ratio { covered, total }, limit, "LINE_COVERAGE").unwrap();
            assert_eq!(found.shortfall.is_none(), is_met, "{covered} of {total}: {found:?}");
        }
        let found = weigh(Ratio::default(), Bounds::default(), "LINE_COVERAGE");
        assert!(found.is_none(), "{found:?}");
    }

    #[test]
    fn the_form_of_a_report_is_seen_from_its_beginning() {
        let xml = "\n<coverage lines-valid='4' lines-covered='3'/>";
        let lcov = "TN:\nSF:a\nDA:1,1\nend_of_record\n";
        assert_eq!(count(xml, Counted::Lines).unwrap(), Ratio { covered: 3, total: 4 });
        assert_eq!(count(lcov, Counted::Lines).unwrap(), Ratio { covered: 1, total: 1 });
        for (text, of, part) in [
            ("  ", Counted::Lines, "empty"),
            (xml, Counted::Branches, "counts no branches"),
            (lcov, Counted::Branches, "counts no branches"),
            ("<coverage lines-valid='0' lines-covered='0'/>", Counted::Lines, "counts no lines"),
            ("<coverage lines-valid='1' lines-covered='2'/>", Counted::Lines, "2 of 1"),
            ("{}", Counted::Lines, "no line of a tracefile"),
        ] {
            let said = count(text, of).unwrap_err().to_string();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
