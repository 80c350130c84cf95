//! Grype's JSON.
//!
//! **Invariant:** a scan by a database that Grype calls invalid is no scan.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::report::{BadReport, parse_json};
use super::{Scan, Vulnerability};

#[derive(Deserialize)]
struct Report {
    matches: Vec<Match>,
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Descriptor {
    version: Option<String>,
    timestamp: Option<Timestamp>,
    db: Option<Database>,
}

/// Version 5 says it here, version 6 one level below.
#[derive(Deserialize)]
struct Database {
    built: Option<Timestamp>,
    error: Option<String>,
    valid: Option<bool>,
    from: Option<String>,
    status: Option<Box<Database>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerability: Record,
    #[serde(default)]
    related_vulnerabilities: Vec<Record>,
    artifact: Artifact,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    severity: Option<String>,
    #[serde(default)]
    cvss: Vec<Cvss>,
}

#[derive(Deserialize)]
struct Cvss {
    source: Option<String>,
    version: String,
    metrics: Metrics,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    base_score: f64,
}

#[derive(Deserialize)]
struct Artifact {
    name: String,
    version: Option<String>,
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Scan, BadReport> {
    let report: Report = parse_json(text)?;
    let found: Result<Vec<_>, _> = report.matches.iter().map(Match::vulnerability).collect();
    let database = report.descriptor.db.map(|it| match it.status {
        Some(status) => *status,
        None => it,
    });
    let mut scan = Scan {
        uri: "https://github.com/anchore/grype",
        version: report.descriptor.version,
        db_updated: None,
        db_uri: None,
        finished: report.descriptor.timestamp,
        found: found?,
    };
    if let Some(database) = database {
        let error = database.error.filter(|it| !it.is_empty());
        if error.is_some() || database.valid == Some(false) {
            let why = error.unwrap_or_default();
            return Err(BadReport::whole(format!("Grype's database was not valid: {why}")));
        }
        scan.db_updated = database.built;
        scan.db_uri = database.from.filter(|it| !it.is_empty());
    }
    Ok(scan)
}

impl Match {
    fn vulnerability(&self) -> Result<Vulnerability, BadReport> {
        let Artifact { name, version } = &self.artifact;
        let package = format!("{name} {}", version.as_deref().unwrap_or_default());
        // Advisories of distributions often have no score; the record they are about has one.
        let records = || [&self.vulnerability].into_iter().chain(&self.related_vulnerabilities);
        let scores = || records().flat_map(|it| &it.cvss);
        let is_newer = |it: &&Cvss| !it.version.starts_with('2');
        let any_newer = scores().any(|it| is_newer(&it));
        let numbers = scores().filter(|it| !any_newer || is_newer(it)).map(|it| {
            let source = it.source.as_deref().unwrap_or("unknown");
            (format!("CVSS {} {source}", it.version), it.metrics.base_score)
        });
        let word = self.vulnerability.severity.as_deref();
        Vulnerability::new(
            &self.vulnerability.id,
            package.trim().to_owned(),
            numbers,
            ("grype", word),
        )
    }
}
