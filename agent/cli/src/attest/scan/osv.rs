//! OSV-Scanner's JSON.
//!
//! **Invariant:** every finding of a package is told, also one that no group scores.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::report::{BadReport, parse_json};
use super::{Scan, Vulnerability};

#[derive(Deserialize)]
struct Report {
    results: Vec<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    packages: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    package: Name,
    #[serde(default)]
    vulnerabilities: Vec<Found>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    database_specific: Option<Specific>,
}

#[derive(Deserialize)]
struct Specific {
    severity: Option<serde_json::Value>,
}

/// Findings that are one under several names, and their highest score.
#[derive(Deserialize)]
struct Group {
    ids: Vec<String>,
    max_severity: Option<String>,
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Scan, BadReport> {
    let report: Report = parse_json(text)?;
    let mut found = Vec::new();
    for package in report.results.iter().flat_map(|it| &it.packages) {
        package.add_to(&mut found)?;
    }
    Ok(Scan {
        uri: "https://github.com/google/osv-scanner",
        version: None,
        db_updated: None,
        db_uri: Some("https://osv.dev".to_owned()),
        finished: None,
        found,
    })
}

impl Affected {
    fn add_to(&self, found: &mut Vec<Vulnerability>) -> Result<(), BadReport> {
        let Name { name, version } = &self.package;
        let package = format!("{name} {}", version.as_deref().unwrap_or_default());
        let mut scores: BTreeMap<&str, Option<f64>> = BTreeMap::new();
        for group in &self.groups {
            let score = group.max_severity.as_deref().filter(|it| !it.is_empty());
            let score = score.map(|it| {
                it.parse::<f64>().map_err(|_| {
                    BadReport::whole(format!("max_severity {it:?} in {package} is no number"))
                })
            });
            let score = score.transpose()?;
            scores.extend(group.ids.iter().map(|it| (it.as_str(), score)));
        }
        let words: BTreeMap<&str, &Found> =
            self.vulnerabilities.iter().map(|it| (it.id.as_str(), it)).collect();
        for id in words.keys().chain(scores.keys()).collect::<BTreeSet<_>>() {
            let number = scores.get(id).copied().flatten().map(|it| ("CVSS osv".to_owned(), it));
            let word =
                words.get(id).and_then(|it| it.database_specific.as_ref()?.severity.as_ref());
            let word = ("osv", word.and_then(serde_json::Value::as_str));
            found.push(Vulnerability::new(id, package.trim().to_owned(), number, word)?);
        }
        Ok(())
    }
}
