//! Trivy's JSON.
//!
//! **Invariant:** a report without results is a scan of nothing, not a clean one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::super::report::{BadReport, parse_json};
use super::{Scan, Vulnerability};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    schema_version: u64,
    created_at: Option<Timestamp>,
    trivy: Option<Tool>,
    results: Option<Vec<Target>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tool {
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    target: String,
    vulnerabilities: Option<Vec<Found>>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    #[serde(rename = "PkgName")]
    package: Option<String>,
    #[serde(rename = "InstalledVersion")]
    version: Option<String>,
    #[serde(rename = "Severity")]
    severity: Option<String>,
    #[serde(rename = "CVSS")]
    cvss: Option<BTreeMap<String, Scores>>,
}

#[derive(Deserialize)]
struct Scores {
    #[serde(rename = "V2Score")]
    second: Option<f64>,
    #[serde(rename = "V3Score")]
    third: Option<f64>,
    #[serde(rename = "V40Score")]
    fourth: Option<f64>,
}

/// What `trivy version --format json` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Installed {
    version: String,
    #[serde(rename = "VulnerabilityDB")]
    database: Database,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Database {
    updated_at: Timestamp,
}

impl Installed {
    /// Reads it.
    pub(in super::super) fn read(text: &str) -> Result<Self, BadReport> {
        parse_json(text)
    }

    /// Adds to a scan what its report does not say.
    pub(in super::super) fn complete(self, scan: &mut Scan) {
        scan.version.get_or_insert(self.version);
        scan.db_updated.get_or_insert(self.database.updated_at);
    }
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Scan, BadReport> {
    let report: Report = parse_json(text)?;
    if report.schema_version != 2 {
        let why = format!("its SchemaVersion is {}, not 2", report.schema_version);
        return Err(BadReport::whole(why));
    }
    let targets = report.results.filter(|it| !it.is_empty());
    let targets = targets.ok_or_else(|| {
        BadReport::whole("it has no Results: Trivy found nothing that it could scan")
    })?;
    let mut found = Vec::new();
    for target in &targets {
        for it in target.vulnerabilities.iter().flatten() {
            found.push(it.vulnerability(&target.target)?);
        }
    }
    Ok(Scan {
        uri: "https://github.com/aquasecurity/trivy",
        version: report.trivy.and_then(|it| it.version),
        db_updated: None,
        db_uri: Some("https://github.com/aquasecurity/trivy-db".to_owned()),
        finished: report.created_at,
        found,
    })
}

impl Found {
    fn vulnerability(&self, target: &str) -> Result<Vulnerability, BadReport> {
        let package = match (&self.package, &self.version) {
            (Some(name), Some(version)) => format!("{name} {version} in {target}"),
            (Some(name), None) => format!("{name} in {target}"),
            (None, _) => target.to_owned(),
        };
        let numbers = self.cvss.iter().flatten().flat_map(|(source, scores)| {
            let newer = [("CVSSv4", scores.fourth), ("CVSSv3", scores.third)];
            let newer: Vec<_> =
                newer.into_iter().filter_map(|(scale, it)| Some((scale, it?))).collect();
            // The second version counts only where nothing newer does: its scale was another.
            let older = scores.second.filter(|_| newer.is_empty()).map(|it| ("CVSSv2", it));
            newer.into_iter().chain(older).map(move |(scale, it)| (format!("{scale} {source}"), it))
        });
        Vulnerability::new(&self.id, package, numbers, ("trivy", self.severity.as_deref()))
    }
}
