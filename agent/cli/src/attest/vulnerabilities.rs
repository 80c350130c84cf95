//! `bowline attest vulns`: what a vulnerability scan found, as in-toto's vulns.
//!
//! **Invariant:** when a scan was made is what its report says, or what a person says in its place; never
//! the moment of signing.

use std::slice;

use anyhow::anyhow;
use bowline_model::duration::Span;
use bowline_model::policy::predicate::VULNERABILITIES;
use bowline_model::policy::{Allowed, Rule};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::arguments::Vulns;
use super::case::Case;
use super::finding::Finding;
use super::report::read_each;
use super::scan::{self, Installed, Scan, Vulnerability, WORST};
use super::statement::Claim;
use crate::failure::Failure;
use crate::screen::Screen;

/// How such a report is made.
const HINT: &str =
    "give the JSON of a scan: trivy fs --format json, grype -o json, osv-scanner --format json";

/// Clocks differ by that much, as hosts judge it.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// What a scan may come to.
struct Limit {
    max_score: f64,
    allow: Vec<Allowed>,
    max_db_age: Option<Span>,
    max_age: Option<Span>,
    gate: Option<String>,
}

/// When things were.
struct Times {
    finished: Timestamp,
    db_updated: Timestamp,
}

/// Attests what a scan found.
pub(super) fn attest(given: &Vulns, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let limit = Limit::of(given, &case)?;
    let mut read = None;
    read_each(slice::from_ref(&given.report), HINT, |text| {
        read = Some(scan::read(text)?);
        Ok(())
    })?;
    let mut scan = read.ok_or_else(|| Failure::usage(anyhow!("there is no report")))?;
    complete(&mut scan, given)?;
    let times = Times::of(&scan)?;
    let finding = weigh(&scan, &times, limit, case.now);
    finding.conclude(&case, &given.common, screen)
}

impl Limit {
    fn of(given: &Vulns, case: &Case) -> Result<Self, Failure> {
        if let Some(max_score) = given.max_score {
            if !(0.0..=WORST).contains(&max_score) {
                let what = anyhow!("--max-score {max_score} is no score, give 0 to 10");
                return Err(Failure::usage(what));
            }
            let allow = |id: &String| Allowed { id: id.clone(), until: None };
            return Ok(Self {
                max_score,
                allow: given.allow.iter().map(allow).collect(),
                max_db_age: None,
                max_age: None,
                gate: None,
            });
        }
        let fits = |rule: &Rule| matches!(rule, Rule::Vulnerabilities { predicate, .. } if *predicate == VULNERABILITIES);
        match case.gate(&given.common, fits, "--max-score SCORE")?.map(|it| (&it.rule, it)) {
            Some((Rule::Vulnerabilities { max_score, allow, max_db_age, .. }, gate)) => Ok(Self {
                max_score: *max_score,
                allow: allow.clone(),
                max_db_age: *max_db_age,
                max_age: gate.max_age,
                gate: Some(gate.id.clone()),
            }),
            _ => Err(Failure::usage(anyhow!("there is no policy, and no limit was given"))
                .hint("give --max-score SCORE, or a policy with --policy FILE")),
        }
    }
}

/// Adds what the report does not say and the command line does.
fn complete(scan: &mut Scan, given: &Vulns) -> Result<(), Failure> {
    if let Some(file) = &given.trivy_version {
        let hint = "give what `trivy version --format json` prints after the scan";
        let mut installed = None;
        read_each(slice::from_ref(file), hint, |text| {
            installed = Some(Installed::read(text)?);
            Ok(())
        })?;
        if let Some(installed) = installed {
            installed.complete(scan);
        }
    }
    scan.db_updated = scan.db_updated.or(given.db_updated);
    scan.finished = scan.finished.or(given.scanned);
    Ok(())
}

impl Times {
    fn of(scan: &Scan) -> Result<Self, Failure> {
        let missing = |what: &str, hint: &str| {
            Failure::usage(anyhow!("the report does not say {what}")).hint(hint)
        };
        let db_hint = "give --db-updated RFC3339, or for Trivy --trivy-version FILE with what \
                       `trivy version --format json` prints";
        let db_updated =
            scan.db_updated.ok_or_else(|| missing("when its database was updated", db_hint))?;
        let hint = "give --scanned RFC3339, taken when the scanner ended";
        let finished = scan.finished.ok_or_else(|| missing("when the scan ended", hint))?;
        Ok(Self { finished, db_updated })
    }
}

fn weigh(scan: &Scan, times: &Times, limit: Limit, now: Timestamp) -> Finding {
    let is_allowed = |it: &&Vulnerability| limit.allow.iter().any(|ok| ok.covers(&it.id, now));
    let (allowed, counted): (Vec<_>, Vec<_>) = scan.found.iter().partition(is_allowed);
    let worst = counted.iter().map(|it| it.score()).reduce(f64::max);
    let above: Vec<_> = counted.iter().filter(|it| it.score() > limit.max_score).collect();
    let mut shortfalls = Vec::new();
    if let Some(worst) = worst.filter(|it| *it > limit.max_score) {
        let max = limit.max_score;
        shortfalls.push(format!("the highest score is {worst}, at most {max} is let through"));
    }
    shortfalls.extend(doubt("the scan", times.finished, limit.max_age, now));
    shortfalls.extend(doubt("the scanner's database", times.db_updated, limit.max_db_age, now));
    let worst = worst.map_or_else(|| "none".to_owned(), |it| format!("highest score {it}"));
    Finding {
        claim: Claim {
            predicate_type: VULNERABILITIES,
            predicate: predicate(scan, times),
            counts: Map::new(),
        },
        subjects: None,
        measured: format!("{} found, {} allowed: {worst}", scan.found.len(), allowed.len()),
        limit: format!("score at most {}", limit.max_score),
        shortfall: Some(shortfalls.join("; ")).filter(|it| !it.is_empty()),
        culprits: above.iter().map(|it| told(it)).collect(),
        gate: limit.gate,
    }
}

/// Why a time does not do, if it does not.
fn doubt(what: &str, at: Timestamp, limit: Option<Span>, now: Timestamp) -> Option<String> {
    if at.duration_since(now) > SKEW {
        return Some(format!("{what} is dated {at}, and it is {now}"));
    }
    let limit = limit?;
    // A span is ten years at most, which always fits.
    let most = SignedDuration::try_from(limit.as_duration()).unwrap_or_default();
    let is_old = now.duration_since(at) > most;
    is_old.then(|| format!("{what} is of {at}, more than {limit} ago"))
}

fn told(found: &Vulnerability) -> String {
    let scores: Vec<_> =
        found.severities.iter().map(|it| format!("{} by {}", it.score, it.method)).collect();
    format!("found: {} in {}: {}", found.id, found.package, scores.join(", "))
}

fn predicate(scan: &Scan, times: &Times) -> Value {
    let result: Vec<_> = scan.found.iter().map(entry).collect();
    let mut db = json!({"lastUpdate": times.db_updated.to_string()});
    if let (Some(uri), Some(fields)) = (&scan.db_uri, db.as_object_mut()) {
        fields.insert("uri".to_owned(), json!(uri));
    }
    let mut scanner = json!({"uri": scan.uri, "db": db, "result": result});
    if let (Some(version), Some(fields)) = (&scan.version, scanner.as_object_mut()) {
        fields.insert("version".to_owned(), json!(version));
    }
    // Reports tell one moment. A scan takes seconds; it is said to have begun when it ended.
    let finished = times.finished.to_string();
    json!({
        "scanner": scanner,
        "metadata": {"scanStartedOn": finished, "scanFinishedOn": finished},
    })
}

fn entry(found: &Vulnerability) -> Value {
    let severity: Vec<_> = found
        .severities
        .iter()
        .map(|it| json!({"method": it.method, "score": it.score.to_string()}))
        .collect();
    json!({
        "id": found.id,
        "severity": severity,
        "annotations": [{"package": found.package}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_too_old_or_ahead_does_not_do() {
        let now: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let day: Span = "1d".parse().unwrap();
        for (at, limit, is_well) in [
            ("2026-11-01T00:00:00Z", Some(day), true),
            ("2026-10-31T23:59:59Z", Some(day), false),
            ("2020-01-01T00:00:00Z", None, true),
            ("2026-11-02T00:10:00Z", Some(day), true),
            ("2026-11-02T00:10:01Z", None, false),
        ] {
            let doubt = doubt("x", at.parse().unwrap(), limit, now);
            assert_eq!(doubt.is_none(), is_well, "{at}: {doubt:?}");
        }
    }
}
