//! A vulnerability scan, whichever tool made it.
//!
//! **Invariant:** a severity that is not known stays unknown: it is never taken for none.

mod grype;
mod osv;
mod trivy;

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

use super::report::{BadReport, parse_json};

pub(super) use trivy::Installed;

/// The top of CVSS's scale, which is what an unknown severity counts as.
pub(super) const WORST: f64 = 10.0;

/// A scan.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scan {
    /// Where the scanner comes from.
    pub(super) uri: &'static str,
    /// Its version.
    pub(super) version: Option<String>,
    /// When its database was updated.
    pub(super) db_updated: Option<Timestamp>,
    /// Where its database comes from.
    pub(super) db_uri: Option<String>,
    /// When it ended.
    pub(super) finished: Option<Timestamp>,
    /// What it found, each in each package.
    pub(super) found: Vec<Vulnerability>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vulnerability {
    /// Its name.
    pub(super) id: String,
    /// What has it.
    pub(super) package: String,
    /// How bad it is, by whom.
    pub(super) severities: Vec<Severity>,
}

/// How bad something is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Severity {
    /// Who says so, and on which scale.
    pub(super) method: String,
    /// The score.
    pub(super) score: Score,
}

/// A score.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Score {
    /// On CVSS's scale.
    Number(f64),
    /// A word of the scanner, where no number is known.
    Word(String),
}

impl Score {
    /// What it counts as: a word as the top of its band, what is unknown as the worst.
    fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Word(word) => match word.to_ascii_lowercase().as_str() {
                "none" => 0.0,
                "negligible" | "low" => 3.9,
                "medium" | "moderate" => 6.9,
                "high" | "important" => 8.9,
                _ => WORST,
            },
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

impl Vulnerability {
    /// A finding with every number that is known; where none is, with the scanner's word.
    fn new(
        id: &str,
        package: String,
        numbers: impl IntoIterator<Item = (String, f64)>,
        word: (&str, Option<&str>),
    ) -> Result<Self, BadReport> {
        if id.trim().is_empty() {
            return Err(BadReport::whole(format!("what was found in {package} has no id")));
        }
        let mut severities = Vec::new();
        for (method, number) in numbers {
            if !(0.0..=WORST).contains(&number) {
                return Err(BadReport::whole(format!("{id} has the score {number} by {method}")));
            }
            severities.push(Severity { method, score: Score::Number(number) });
        }
        if severities.is_empty() {
            let (method, word) = word;
            let word = word.map(str::trim).filter(|it| !it.is_empty()).unwrap_or("UNKNOWN");
            let score = Score::Word(word.to_owned());
            severities.push(Severity { method: method.to_owned(), score });
        }
        Ok(Self { id: id.to_owned(), package, severities })
    }

    /// The worst that is said of it.
    pub(super) fn score(&self) -> f64 {
        self.severities.iter().map(|it| it.score.number()).reduce(f64::max).unwrap_or(WORST)
    }
}

/// Fields by which one report is told from another.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "SchemaVersion")]
    trivy: Option<serde::de::IgnoredAny>,
    matches: Option<serde::de::IgnoredAny>,
    results: Option<serde::de::IgnoredAny>,
}

/// Reads a report of one of the known scanners.
pub(super) fn read(text: &str) -> Result<Scan, BadReport> {
    let shape: Shape = parse_json(text)?;
    match shape {
        Shape { trivy: Some(_), .. } => trivy::read(text),
        Shape { matches: Some(_), .. } => grype::read(text),
        Shape { results: Some(_), .. } => osv::read(text),
        _ => Err(BadReport::whole("it is JSON of none of the known scanners")),
    }
}

#[cfg(test)]
mod tests;
