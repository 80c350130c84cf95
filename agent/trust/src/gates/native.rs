//! Reports of Trivy and Grype, as cosign's vulnerability scan carries them.
//!
//! **Invariant:** a report of another tool is not read as one without findings.

use serde_json::Value;

use super::reading::{Reading, demand_list, optional_list};
use super::severity::Finding;

/// The findings in a scanner's own report.
pub(super) fn findings(report: &Value) -> Result<Vec<Finding>, Reading> {
    if report.get("SchemaVersion").is_some() {
        trivy(report)
    } else if report.get("matches").is_some() {
        grype(report)
    } else {
        let detail = "scanner.result is of a tool that is not read; those of Trivy and Grype are";
        Err(Reading::malformed(detail))
    }
}

fn trivy(report: &Value) -> Result<Vec<Finding>, Reading> {
    let mut findings = Vec::new();
    for target in demand_list(report, "/Results")? {
        // Trivy writes null as well as nothing for a target without findings.
        let found = target.get("Vulnerabilities").filter(|it| !it.is_null());
        let found = found.map_or(Ok(&[][..]), |_| demand_list(target, "/Vulnerabilities"))?;
        findings.extend(found.iter().map(|it| {
            let sources = it.get("CVSS").and_then(Value::as_object);
            let scores = sources
                .into_iter()
                .flat_map(|it| it.values())
                .flat_map(|source| ["V2Score", "V3Score", "V40Score"].map(|name| source.get(name)));
            let scores = scores.flatten().map(Some);
            Finding::of(it.get("VulnerabilityID"), [it.get("Severity")].into_iter().chain(scores))
        }));
    }
    Ok(findings)
}

fn grype(report: &Value) -> Result<Vec<Finding>, Reading> {
    let mut findings = Vec::new();
    for found in demand_list(report, "/matches")? {
        let cvss = optional_list(found, "/vulnerability/cvss")?;
        let scores = cvss.iter().map(|it| it.pointer("/metrics/baseScore"));
        let word = found.pointer("/vulnerability/severity");
        findings.push(Finding::of(
            found.pointer("/vulnerability/id"),
            [word].into_iter().chain(scores),
        ));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(report: &Value) -> String {
        match findings(report) {
            Ok(found) => {
                let each = found.iter().map(|it| format!("{} {}", it.id, it.score));
                each.collect::<Vec<_>>().join(", ")
            }
            Err(reading) => reading.detail,
        }
    }

    #[test]
    fn reports_of_trivy_and_grype_are_read() {
        let vulnerability = json!({"VulnerabilityID": "CVE-1", "Severity": "MEDIUM",
            "CVSS": {"nvd": {"V2Score": 5.0, "V3Score": 7.5}, "redhat": {"V3Score": 6.1}}});
        let unknown = json!({"VulnerabilityID": "CVE-2", "Severity": "UNKNOWN"});
        let bare = json!({"VulnerabilityID": "CVE-3"});
        let grype = json!({"vulnerability": {"id": "GHSA-1", "severity": "High",
            "cvss": [{"metrics": {"baseScore": 9.1}}]}});
        for (report, expected) in [
            (
                json!({"SchemaVersion": 2, "Results": [
                    {"Vulnerabilities": [vulnerability, unknown]}, {"Vulnerabilities": [bare]},
                    {"Target": "x"}, {"Vulnerabilities": null}]}),
                "CVE-1 7.5, CVE-2 10, CVE-3 10",
            ),
            (json!({"SchemaVersion": 2, "Results": []}), ""),
            (json!({"SchemaVersion": 2}), "Results is missing"),
            (
                json!({"SchemaVersion": 2, "Results": [{"Vulnerabilities": "none"}]}),
                "Vulnerabilities is no list",
            ),
            (json!({"matches": [grype]}), "GHSA-1 9.1"),
            (json!({"matches": [{"vulnerability": {"id": "GHSA-2"}}]}), "GHSA-2 10"),
            (json!({"matches": [{}]}), " 10"),
            (json!({"matches": []}), ""),
            (json!({"matches": null}), "matches is no list"),
            (
                json!({"findings": []}),
                "scanner.result is of a tool that is not read; those of Trivy and Grype are",
            ),
            (
                json!([]),
                "scanner.result is of a tool that is not read; those of Trivy and Grype are",
            ),
        ] {
            assert_eq!(said(&report), expected, "{report}");
        }
    }
}
