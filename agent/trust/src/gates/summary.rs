//! SLSA's verification summary: what somebody else verified of the source, under which name.
//!
//! **Invariant:** a summary counts for one repository and for the branches that it names.

use serde_json::Value;

use super::Case;
use super::reading::{Reading, Standing, demand_list, demand_text, quote};
use super::signed_time::read_field;
use super::subject::Matter;

/// Both spellings of the annotation: the specification's, and that of the tool which writes most of them.
const REFS: [&str; 2] = ["sourceRefs", "source_refs"];

/// What the gate asks for.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) verifiers: &'a [String],
    pub(super) levels: &'a [String],
}

impl Asked<'_> {
    /// Reads a summary.
    pub(super) fn read(
        &self,
        predicate: &Value,
        matter: &Matter<'_>,
        case: &Case<'_>,
    ) -> Result<Reading, Reading> {
        let other = |what: String| Reading::silent(Standing::AnotherMatter, what);
        let verifier = demand_text(predicate, "/verifier/id")?;
        let resource = demand_text(predicate, "/resourceUri")?;
        let result = demand_text(predicate, "/verificationResult")?;
        let levels = demand_list(predicate, "/verifiedLevels")?;
        if !self.verifiers.iter().any(|it| it == verifier) {
            return Err(other(format!("verified by {}, who is not listed", quote(verifier))));
        }
        if resource != case.repo_uri.as_str() {
            return Err(other(format!("it is about {}, another repository", quote(resource))));
        }
        if !names_branch(matter, case.ref_name.as_str()) {
            return Err(other(format!("it does not name {} in sourceRefs", case.ref_name)));
        }
        let levels: Vec<_> = levels.iter().filter_map(Value::as_str).collect();
        let shown: Vec<_> = levels.iter().map(|it| quote(it)).collect();
        let measured = format!("{} {}", quote(result), shown.join(" "));
        let reading = Reading::met(measured.trim_end().replace('"', ""))
            .at(read_field(predicate, "/timeVerified")?);
        if result != "PASSED" {
            return Ok(reading.but(Standing::Failed, format!("the result is {}", quote(result))));
        }
        let lacking =
            self.levels.iter().find(|wanted| !levels.iter().any(|it| reaches(it, wanted)));
        Ok(match lacking {
            Some(wanted) => {
                reading.but(Standing::Below, format!("level {wanted} is not among them"))
            }
            None => reading,
        })
    }
}

fn names_branch(matter: &Matter<'_>, branch: &str) -> bool {
    let lists = REFS.iter().flat_map(|name| matter.annotations(name));
    lists.filter_map(Value::as_array).flatten().any(|it| it.as_str() == Some(branch))
}

/// Whether a level is the wanted one, or a higher one of the same track of SLSA, which includes it.
fn reaches(level: &str, wanted: &str) -> bool {
    level == wanted
        || match (track(level), track(wanted)) {
            (Some((track, number)), Some((wanted_track, least))) => {
                track == wanted_track && number >= least
            }
            _ => false,
        }
}

/// `SLSA_SOURCE_LEVEL_3` as track and number. Names that others invented have no order.
fn track(level: &str) -> Option<(&str, u8)> {
    let (track, number) = level.strip_prefix("SLSA_")?.split_once("_LEVEL_")?;
    let is_digit = number.len() == 1 && number.bytes().all(|it| it.is_ascii_digit());
    Some((track, number.parse().ok().filter(|_| is_digit)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::bench::{BRANCH, Bench, REPO, SUMMARY};
    use serde_json::json;

    const GATE: &str = "predicate: \"https://slsa.dev/verification_summary/v1\", signers: [ci], verifiers: [\"https://v.example\"], levels: [SLSA_SOURCE_LEVEL_2, ORG_SOURCE_SCANNED], maxAge: 24h";

    fn summary() -> Value {
        json!({"verifier": {"id": "https://v.example"}, "timeVerified": "2026-11-10T12:00:00Z",
            "resourceUri": REPO, "policy": {"uri": "p"}, "verificationResult": "PASSED",
            "verifiedLevels": ["SLSA_SOURCE_LEVEL_3", "ORG_SOURCE_SCANNED"]})
    }

    /// What the gate says with this annotation on the subjects.
    fn said(annotations: &Value, predicate: &Value) -> String {
        let bench = Bench::new(GATE);
        let mut attested = bench.by_ci(SUMMARY, predicate);
        for subject in &mut attested.statement.subjects {
            subject.annotations = annotations.as_object().cloned();
        }
        bench.said(&[attested])
    }

    #[test]
    fn a_summary_is_of_a_listed_verifier_and_of_this_repository() {
        let refs = json!({"sourceRefs": [BRANCH]});
        assert_eq!(said(&refs, &summary()), "met");
        for (field, value, expected) in [
            ("verifier", json!({"id": "https://v.example/"}), "evidence-missing"),
            ("verifier", json!({}), "evidence-malformed"),
            ("resourceUri", json!("git+https://git.example/ops/other"), "evidence-missing"),
            ("resourceUri", json!(null), "evidence-malformed"),
            ("verificationResult", json!("FAILED"), "evidence-failed"),
            ("verificationResult", json!("passed"), "evidence-failed"),
            (
                "verifiedLevels",
                json!(["SLSA_SOURCE_LEVEL_1", "ORG_SOURCE_SCANNED"]),
                "evidence-below",
            ),
            ("verifiedLevels", json!(["SLSA_SOURCE_LEVEL_2"]), "evidence-below"),
            ("verifiedLevels", json!(["SLSA_SOURCE_LEVEL_2", "ORG_SOURCE_SCANNED"]), "met"),
            (
                "verifiedLevels",
                json!(["SLSA_BUILD_LEVEL_3", "ORG_SOURCE_SCANNED"]),
                "evidence-below",
            ),
            ("verifiedLevels", json!("SLSA_SOURCE_LEVEL_3"), "evidence-malformed"),
            ("timeVerified", json!("2026-11-09T23:59:59Z"), "evidence-stale"),
            ("timeVerified", json!("soon"), "evidence-malformed"),
        ] {
            let mut predicate = summary();
            predicate[field] = value;
            assert_eq!(said(&refs, &predicate), expected, "{predicate}");
        }
    }

    #[test]
    fn a_summary_names_the_branch_in_either_spelling() {
        for (annotations, expected) in [
            (json!({"sourceRefs": ["refs/heads/x", BRANCH]}), "met"),
            (json!({"source_refs": [BRANCH]}), "met"),
            (json!({"sourceRefs": ["refs/heads/x"]}), "evidence-missing"),
            (json!({"sourceRefs": ["main"]}), "evidence-missing"),
            (json!({"sourceRefs": BRANCH}), "evidence-missing"),
            (json!({"refs": [BRANCH]}), "evidence-missing"),
            (json!({}), "evidence-missing"),
        ] {
            assert_eq!(said(&annotations, &summary()), expected, "{annotations}");
        }
    }

    #[test]
    fn a_higher_level_of_the_same_track_includes_the_lower() {
        for (level, wanted, is_reached) in [
            ("SLSA_SOURCE_LEVEL_3", "SLSA_SOURCE_LEVEL_2", true),
            ("SLSA_SOURCE_LEVEL_2", "SLSA_SOURCE_LEVEL_3", false),
            ("SLSA_SOURCE_LEVEL_+3", "SLSA_SOURCE_LEVEL_2", false),
            ("SLSA_SOURCE_LEVEL_99", "SLSA_SOURCE_LEVEL_2", false),
            ("ORG_SOURCE_LEVEL_3", "ORG_SOURCE_LEVEL_2", false),
            ("ORG_SOURCE_LEVEL_3", "ORG_SOURCE_LEVEL_3", true),
        ] {
            assert_eq!(reaches(level, wanted), is_reached, "{level} {wanted}");
        }
    }
}
