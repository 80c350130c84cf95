//! `bowline attest vulns`: scans are held against a score and an age before anything is signed.

use serde_json::{Value, json};

use crate::attest::{attest, fleet, statement};
use crate::sealed::{Said, Sealed};

const GATE: &str = "  - {id: vulns, predicate: https://in-toto.io/attestation/vulns/v0.2, signers: [ci], maxScore: 6.9, \
                    allow: [CVE-1, {id: CVE-2, until: 2020-01-01}], maxAge: 3650d, maxDbAge: 3650d}\n";

const GRYPE: &str = r#"{"matches":[{"vulnerability":{"id":"CVE-1","severity":"High","cvss":[{"source":"nvd","version":"3.1","metrics":{"baseScore":9.8}}]},"artifact":{"name":"a","version":"1"}}],
"descriptor":{"name":"grype","version":"0.104.0","timestamp":"2026-11-01T09:00:00Z","db":{"built":"2026-11-01T06:00:00Z"}}}"#;

/// The day before this one: any hour of it is over, and recent.
fn yesterday(sealed: &Sealed) -> String {
    sealed.run(".", "date", &["-u", "-d", "yesterday", "+%F"]).trim().to_owned()
}

/// What `bowline attest vulns` says of a report; in it the day of the scan is yesterday.
fn vulns(sealed: &Sealed, report: &str, more: &[&str]) -> Said {
    sealed.write("scan.json", report.replace("2026-11-01", &yesterday(sealed)));
    attest(sealed, "vulns", &[&["--out", "v.json", "scan.json"], more].concat())
}

#[test]
fn a_scan_within_its_gate_is_signed_with_its_times_and_findings() {
    let sealed = fleet(GATE);
    let said = vulns(&sealed, GRYPE, &[]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains("measured  1 found, 1 allowed: none\n"), "{said:?}");
    let found = statement(&sealed, "v.json");
    assert_eq!(found["predicateType"], "https://in-toto.io/attestation/vulns/v0.2");
    let scanner = json!({
        "uri": "https://github.com/anchore/grype",
        "version": "0.104.0",
        "db": {"lastUpdate": format!("{}T06:00:00Z", yesterday(&sealed))},
        "result": [{
            "id": "CVE-1",
            "severity": [{"method": "CVSS 3.1 nvd", "score": "9.8"}],
            "annotations": [{"package": "a 1"}],
        }],
    });
    assert_eq!(found["predicate"]["scanner"], scanner);
    let finished = format!("{}T09:00:00Z", yesterday(&sealed));
    assert_eq!(found["predicate"]["metadata"]["scanFinishedOn"], finished);
}

#[test]
fn a_scan_that_is_worse_or_older_than_its_gate_lets_through_is_not_signed() {
    let sealed = fleet(GATE);
    let said = vulns(&sealed, &GRYPE.replace("CVE-1", "CVE-2"), &[]);
    let why = "found: CVE-2 in a 1: 9.8 by CVSS 3.1 nvd\nerror: the highest score is 9.8, at most 6.9 is \
               let through (gate \"vulns\"): nothing is signed\n";
    said.is(1, "", why);
    let unknown = GRYPE.replace("CVE-1", "CVE-3").replace("High", "Unknown");
    let unknown =
        unknown.replace(r#"{"source":"nvd","version":"3.1","metrics":{"baseScore":9.8}}"#, "");
    let said = vulns(&sealed, &unknown, &[]);
    assert!(said.code == 1 && said.stderr.contains("the highest score is 10,"), "{said:?}");
    for (from, to, part) in [
        ("2026-11-01T09:00:00Z", "then", "cannot be used"),
        (
            "2026-11-01T09",
            "2006-11-01T09",
            "the scan is of 2006-11-01T09:00:00Z, more than 3650d ago",
        ),
        ("2026-11-01T06", "2006-11-01T06", "the scanner's database is of 2006"),
        ("2026-11-01T09", "2999-11-01T09", "the scan is dated 2999"),
    ] {
        let said = vulns(&sealed, &GRYPE.replace(from, to), &[]);
        assert!(said.code > 0 && said.stderr.contains(part), "{to}: {said:?}");
    }
    assert!(!sealed.path("v.json").exists());
}

#[test]
fn what_a_report_does_not_say_is_asked_for() {
    let sealed = fleet(GATE);
    let trivy = r#"{"SchemaVersion":2,"CreatedAt":"2026-11-01T09:00:00Z","Results":[{"Target":"Cargo.lock"}]}"#;
    let said = vulns(&sealed, trivy, &[]);
    assert!(said.code == 2 && said.stderr.contains("hint: give --db-updated"), "{said:?}");
    let version = r#"{"Version":"0.70.0","VulnerabilityDB":{"UpdatedAt":"2025-11-01T01:00:00Z"}}"#;
    sealed.write("version.json", version);
    let said = vulns(&sealed, trivy, &["--trivy-version", "version.json", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let scanner = statement(&sealed, "v.json")["predicate"]["scanner"].clone();
    assert_eq!(scanner["db"]["lastUpdate"], "2025-11-01T01:00:00Z");
    assert_eq!(
        (&scanner["version"], &scanner["result"]),
        (&"0.70.0".into(), &Value::Array(vec![]))
    );
    let osv = r#"{"results":[]}"#;
    let updated = ["--db-updated", "2025-11-01T01:00:00Z"];
    let said = vulns(&sealed, osv, &updated);
    assert!(said.code == 2 && said.stderr.contains("hint: give --scanned"), "{said:?}");
    let both = [&updated[..], &["--scanned", "2025-11-01T02:00:00Z"]].concat();
    assert_eq!(vulns(&sealed, osv, &both).code, 0);
    let said = vulns(&sealed, osv, &[&both[..], &["--max-score", "11"]].concat());
    assert_eq!(said.code, 2, "{said:?}");
}
