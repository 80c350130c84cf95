//! Reports in the shapes that the scanners document.

use super::*;

const TRIVY: &str = r#"{"SchemaVersion":2,"CreatedAt":"2026-11-01T10:00:00.5+01:00","ArtifactName":".","ArtifactType":"filesystem",
"Trivy":{"Version":"0.68.1"},
"Results":[{"Target":"Cargo.lock","Class":"lang-pkgs","Type":"cargo","Vulnerabilities":[
{"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"1.0","Severity":"HIGH","CVSS":{"ghsa":{"V3Vector":"x","V3Score":7.5},"nvd":{"V2Score":10.0,"V3Score":8.1}}},
{"VulnerabilityID":"CVE-2","PkgName":"b","Severity":"LOW","CVSS":{"nvd":{"V2Score":2.1}}},
{"VulnerabilityID":"CVE-3","PkgName":"c","Severity":"MEDIUM"},
{"VulnerabilityID":"CVE-4","PkgName":"d","Severity":"UNKNOWN","CVSS":null}]},
{"Target":"clean","Class":"os-pkgs"}]}"#;

const GRYPE: &str = r#"{"matches":[
{"vulnerability":{"id":"GHSA-1","severity":"High","cvss":[{"source":"nvd@nist.gov","type":"Primary","version":"3.1","vector":"x","metrics":{"baseScore":7.5,"exploitabilityScore":3.9},"vendorMetadata":{}}]},"relatedVulnerabilities":[],"artifact":{"name":"a","version":"1"}},
{"vulnerability":{"id":"CVE-2","severity":"Negligible","cvss":[]},"relatedVulnerabilities":[{"id":"CVE-2","cvss":[{"version":"2.0","metrics":{"baseScore":9.0}},{"version":"3.1","metrics":{"baseScore":5.5}}]}],"artifact":{"name":"b","version":"2"}},
{"vulnerability":{"id":"CVE-3","severity":"Unknown"},"artifact":{"name":"c"}}],
"descriptor":{"name":"grype","version":"0.104.0","timestamp":"2026-11-01T09:00:00Z","db":{"status":{"schemaVersion":"v6.1.0","from":"https://grype.anchore.io/db","built":"2026-11-01T06:00:00Z","valid":true},"providers":{}}}}"#;

const OSV: &str = r#"{"results":[{"source":{"path":"/x/Cargo.lock","type":"lockfile"},"packages":[
{"package":{"name":"a","version":"1","ecosystem":"crates.io"},
"vulnerabilities":[{"id":"GHSA-1","aliases":["CVE-1"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}],"database_specific":{"severity":"HIGH"}},{"id":"RUSTSEC-1"},{"id":"RUSTSEC-2","database_specific":{"severity":"MODERATE"}}],
"groups":[{"ids":["GHSA-1","RUSTSEC-1"],"aliases":["CVE-1"],"max_severity":"7.5"},{"ids":["RUSTSEC-2"],"max_severity":""},{"ids":["RUSTSEC-3"],"max_severity":""}]}]}]}"#;

fn scores(scan: &Scan) -> String {
    let each = scan.found.iter().map(|it| format!("{}={}", it.id, it.score()));
    each.collect::<Vec<_>>().join(" ")
}

#[test]
fn findings_are_read_with_the_worst_that_is_said_of_them() {
    for (text, found, finished, updated) in [
        (TRIVY, "CVE-1=8.1 CVE-2=2.1 CVE-3=6.9 CVE-4=10", Some("2026-11-01T09:00:00.5Z"), None),
        (
            GRYPE,
            "GHSA-1=7.5 CVE-2=5.5 CVE-3=10",
            Some("2026-11-01T09:00:00Z"),
            Some("2026-11-01T06:00:00Z"),
        ),
        (OSV, "GHSA-1=7.5 RUSTSEC-1=7.5 RUSTSEC-2=6.9 RUSTSEC-3=10", None, None),
    ] {
        let scan = read(text).unwrap();
        assert_eq!(scores(&scan), found);
        let time = |it: &str| it.parse::<Timestamp>().unwrap();
        assert_eq!((scan.finished, scan.db_updated), (finished.map(time), updated.map(time)));
    }
    let old = GRYPE.replace(r#"{"status":{"#, r#"{"x":{},"#).replace(r#"},"providers":{}}"#, "}");
    assert_eq!(read(&old).unwrap().db_updated, read(GRYPE).unwrap().db_updated);
}

#[test]
fn an_unknown_severity_stays_unknown() {
    let scan = read(TRIVY).unwrap();
    let [.., last] = &scan.found[..] else { panic!("{scan:?}") };
    assert_eq!(last.severities[0].score.to_string(), "UNKNOWN");
    assert_eq!(last.severities[0].method, "trivy");
}

#[test]
fn trivys_version_tells_its_database() {
    let said = r#"{"Version":"0.70.0","VulnerabilityDB":{"Version":2,"UpdatedAt":"2026-11-01T01:00:00Z","NextUpdate":"2026-11-02T01:00:00Z"}}"#;
    let mut scan = read(TRIVY).unwrap();
    Installed::read(said).unwrap().complete(&mut scan);
    assert_eq!(scan.version.as_deref(), Some("0.68.1"));
    assert_eq!(scan.db_updated.unwrap().to_string(), "2026-11-01T01:00:00Z");
    assert!(Installed::read(r#"{"Version":"0.70.0"}"#).is_err());
}

#[test]
fn what_is_no_scan_is_refused() {
    let old = TRIVY.replace("\"SchemaVersion\":2", "\"SchemaVersion\":1");
    let broken = GRYPE.replace("\"valid\":true", "\"valid\":false");
    for (text, part) in [
        ("{}", "none of the known"),
        ("[]", "line 1"),
        ("{", "line 1"),
        (&*old, "not 2"),
        (r#"{"SchemaVersion":2,"Results":[]}"#, "no Results"),
        (r#"{"SchemaVersion":2}"#, "no Results"),
        (&*broken, "not valid"),
        (&GRYPE.replace("7.5", "11"), "has the score 11"),
        (&GRYPE.replace("7.5", "-1"), "has the score -1"),
        (&OSV.replace("7.5", "high"), "\"high\" in a 1 is no number"),
        (&OSV.replace("7.5", "NaN"), "has the score NaN"),
        (&TRIVY.replace("CVE-1", ""), "has no id"),
        (r#"{"matches":[]}"#, "missing field `descriptor`"),
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains(part), "{text}: {said}");
    }
}
