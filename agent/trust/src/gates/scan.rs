//! Vulnerability scans: how bad the worst finding is that nobody let through.
//!
//! **Invariant:** a list of findings that is not there is not an empty one.

use bowline_model::duration::Span;
use bowline_model::policy::Allowed;
use bowline_model::policy::predicate::VULNERABILITIES_COSIGN;
use jiff::Timestamp;
use serde_json::Value;

use super::native;
use super::reading::{Reading, Standing, demand, demand_list, optional_list, quote};
use super::severity::Finding;
use super::signed_time::{is_ahead, read_field, too_old};

/// What the gate asks for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The predicate, which tells what the result looks like.
    pub(super) kind: &'a str,
    pub(super) max_score: f64,
    pub(super) allow: &'a [Allowed],
    pub(super) max_db_age: Option<Span>,
}

impl Asked<'_> {
    /// Reads a scan.
    pub(super) fn read(&self, predicate: &Value, now: Timestamp) -> Result<Reading, Reading> {
        let findings = match self.kind {
            VULNERABILITIES_COSIGN => native::findings(demand(predicate, "/scanner/result")?)?,
            _ => in_toto(predicate)?,
        };
        let finished = read_field(predicate, "/metadata/scanFinishedOn")?;
        let updated = read_field(predicate, "/scanner/db/lastUpdate")?;
        let is_allowed = |it: &&Finding| self.allow.iter().any(|ok| ok.covers(&it.id, now));
        let (allowed, counted): (Vec<_>, Vec<_>) = findings.iter().partition(is_allowed);
        let worst = counted.iter().copied().max_by(|a, b| a.score.total_cmp(&b.score));
        let reading = Reading::met(in_words(&counted, worst, allowed.len())).at(finished);
        if let Some(worst) = worst.filter(|it| it.score > self.max_score) {
            let id = quote(&worst.id);
            let detail = format!("{id} scores {}, above {}", worst.score, self.max_score);
            return Ok(reading.but(Standing::Below, self.with_ended(worst, detail)));
        }
        Ok(match self.old_database(updated, now) {
            Some(why) => reading.but(Standing::Stale, why),
            None => reading,
        })
    }

    /// Says so where a finding was let through up to some day.
    fn with_ended(&self, worst: &Finding, detail: String) -> String {
        let ended = self.allow.iter().find(|it| it.id == worst.id).and_then(|it| it.until);
        match ended {
            Some(until) => format!("{detail}; it was allowed until {until}"),
            None => detail,
        }
    }

    fn old_database(&self, updated: Option<Timestamp>, now: Timestamp) -> Option<String> {
        let limit = self.max_db_age?;
        let why = match updated {
            Some(at) if is_ahead(at, now) => format!("is dated {at}, and it is {now}"),
            _ => too_old(updated, limit, now)?,
        };
        Some(format!("the scanner's database {why}"))
    }
}

/// The findings in in-toto's form.
fn in_toto(predicate: &Value) -> Result<Vec<Finding>, Reading> {
    let mut findings = Vec::new();
    for entry in demand_list(predicate, "/scanner/result")? {
        let severities = optional_list(entry, "/severity")?;
        findings.push(Finding::of(entry.get("id"), severities.iter().map(|it| it.get("score"))));
    }
    Ok(findings)
}

fn in_words(counted: &[&Finding], worst: Option<&Finding>, allowed: usize) -> String {
    let worst = worst.map_or_else(
        || "no findings".to_owned(),
        |it| format!("score {} by {} of {} findings", it.score, quote(&it.id), counted.len()),
    );
    if allowed == 0 { worst } else { format!("{worst}, {allowed} allowed") }
}

#[cfg(test)]
mod tests {
    use crate::gates::bench::{Bench, VULNS, VULNS_COSIGN, VULNS_FIRST};
    use serde_json::{Value, json};

    fn gate(kind: &str, more: &str) -> Bench {
        Bench::new(&format!("predicate: \"{kind}\", signers: [ci], maxScore: 6.9{more}"))
    }

    fn scan(result: &Value) -> Value {
        json!({"scanner": {"uri": "x", "db": {"lastUpdate": "2026-11-10T00:00:00Z"}, "result": result},
            "metadata": {"scanFinishedOn": "2026-11-10T12:00:00Z"}})
    }

    fn finding(id: &str, score: &Value) -> Value {
        json!({"id": id, "severity": [{"method": "cvss_v3", "score": score}]})
    }

    #[test]
    fn only_a_scan_without_worse_findings_opens_the_gate() {
        let medium = finding("CVE-1", &json!("6.9"));
        for (result, said) in [
            (json!([]), "met"),
            (json!([medium]), "met"),
            (json!([medium, finding("CVE-2", &json!("7.0"))]), "evidence-below"),
            (json!([finding("CVE-2", &json!("UNKNOWN"))]), "evidence-below"),
            (json!([{"id": "CVE-2", "severity": []}]), "evidence-below"),
            (json!([{"id": "CVE-2"}]), "evidence-below"),
            (json!([{}]), "evidence-below"),
            (json!([{"id": "CVE-2", "severity": "low"}]), "evidence-malformed"),
            (json!(null), "evidence-malformed"),
            (json!({}), "evidence-malformed"),
        ] {
            for kind in [VULNS, VULNS_FIRST] {
                assert_eq!(gate(kind, "").says(kind, &scan(&result)), said, "{result}");
            }
        }
        let without = json!({"scanner": {"uri": "x"}, "metadata": {}});
        assert_eq!(gate(VULNS, "").says(VULNS, &without), "evidence-malformed");
    }

    #[test]
    fn findings_are_let_through_by_name_and_until_their_day() {
        let result = json!([finding("CVE-1", &json!("9.8")), finding("CVE-2", &json!("5.0"))]);
        for (allow, said) in [
            ("[CVE-1]", "met"),
            ("[CVE-2]", "evidence-below"),
            ("[CVE-10, CVE-]", "evidence-below"),
            ("[{id: CVE-1, until: 2026-11-12}]", "met"),
            ("[{id: CVE-1, until: 2026-11-11}]", "evidence-below"),
        ] {
            let bench = gate(VULNS, &format!(", allow: {allow}"));
            assert_eq!(bench.says(VULNS, &scan(&result)), said, "{allow}");
        }
        let bench = gate(VULNS, ", allow: [{id: CVE-1, until: 2026-11-11}]");
        let verdict = bench.judge(&[bench.by_ci(VULNS, &scan(&result))]);
        let until = "\"CVE-1\" scores 9.8, above 6.9; it was allowed until 2026-11-11T00:00:00Z";
        assert_eq!(verdict.detail, until);
        let bench = gate(VULNS, ", allow: [CVE-1]");
        let verdict = bench.judge(&[bench.by_ci(VULNS, &scan(&result))]);
        let measured = "score 5 by \"CVE-2\" of 1 findings, 1 allowed";
        assert_eq!(verdict.measured.as_deref(), Some(measured));
    }

    #[test]
    fn a_database_must_be_of_late_where_its_age_is_limited() {
        for (updated, said) in [
            (json!("2026-11-10T00:00:00Z"), "met"),
            (json!("2026-11-09T00:00:00Z"), "met"),
            (json!("2026-11-08T23:59:59Z"), "evidence-stale"),
            (json!("2026-11-11T00:10:00Z"), "met"),
            (json!("2026-11-11T00:10:01Z"), "evidence-stale"),
            (json!("yesterday"), "evidence-malformed"),
            (json!(7), "evidence-malformed"),
        ] {
            let mut predicate = scan(&json!([]));
            predicate["scanner"]["db"]["lastUpdate"] = updated;
            let bench = gate(VULNS, ", maxDbAge: 48h");
            assert_eq!(bench.says(VULNS, &predicate), said, "{predicate}");
        }
        let mut predicate = scan(&json!([]));
        predicate["scanner"]["db"] = json!({});
        assert_eq!(gate(VULNS, ", maxDbAge: 48h").says(VULNS, &predicate), "evidence-stale");
        assert_eq!(gate(VULNS, "").says(VULNS, &predicate), "met");
    }

    #[test]
    fn the_time_of_a_scan_is_when_it_finished() {
        for (finished, said) in [
            (json!("2026-11-10T00:00:00Z"), "met"),
            (json!("2026-11-09T23:59:59Z"), "evidence-stale"),
            (json!("2026-11-11T00:10:00Z"), "met"),
            (json!("2026-11-11T00:10:01Z"), "evidence-stale"),
            (json!("never"), "evidence-malformed"),
        ] {
            let mut predicate = scan(&json!([]));
            predicate["metadata"]["scanFinishedOn"] = finished;
            assert_eq!(gate(VULNS, ", maxAge: 24h").says(VULNS, &predicate), said, "{predicate}");
        }
        let mut predicate = scan(&json!([]));
        predicate["metadata"] = json!({});
        assert_eq!(gate(VULNS, ", maxAge: 24h").says(VULNS, &predicate), "evidence-stale");
    }

    #[test]
    fn cosigns_scan_carries_the_scanners_own_report() {
        let bench = gate(VULNS_COSIGN, "");
        let report = json!({"matches": [{"vulnerability": {"id": "CVE-1", "severity": "High"}}]});
        for (result, said) in [
            (json!({"SchemaVersion": 2, "Results": []}), "met"),
            (report, "evidence-below"),
            (json!([]), "evidence-malformed"),
            (json!({"runs": []}), "evidence-malformed"),
        ] {
            assert_eq!(bench.says(VULNS_COSIGN, &scan(&result)), said, "{result}");
        }
    }
}
