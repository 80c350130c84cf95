//! `bowline attest summary`: what a verifier made sure of, as SLSA's verification summary.
//!
//! **Invariant:** a summary names the repository, the branch and the policy that it is about.

use anyhow::anyhow;
use bowline_model::policy::Rule;
use bowline_model::policy::predicate::SUMMARY;
use serde_json::{Map, Value, json};

use super::arguments::Summary;
use super::case::Case;
use super::finding::Finding;
use super::report::read_each;
use super::statement::Claim;
use crate::failure::Failure;
use crate::screen::Screen;

/// The version of SLSA whose levels are meant.
const SLSA_VERSION: &str = "1.2";

/// Attests what was verified.
pub(super) fn attest(given: &Summary, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let case = Case::open(&given.common)?;
    let fits = |rule: &Rule| matches!(rule, Rule::Summary { .. });
    let gate = if given.any_gate { None } else { case.gate(&given.common, fits, "--any-gate")? };
    let claim = claim(given, &case)?;
    let (shortfall, limit) = match gate.map(|it| &it.rule) {
        Some(Rule::Summary { verifiers, levels, .. }) => {
            let limit = format!("{} by {}", levels.join(" "), verifiers.join(" or "));
            (shortfall(given, verifiers, levels), limit)
        }
        _ => (None, "none".to_owned()),
    };
    let finding = Finding {
        claim,
        subjects: None,
        gate: gate.map(|it| it.id.clone()),
        measured: format!("{} by {}", given.levels.join(" "), given.verifier),
        limit,
        shortfall,
        culprits: Vec::new(),
    };
    finding.conclude(&case, &given.common, screen)
}

fn shortfall(given: &Summary, verifiers: &[String], levels: &[String]) -> Option<String> {
    if !verifiers.contains(&given.verifier) {
        return Some(format!("the verifier {} is not among those of the gate", given.verifier));
    }
    let lacking = levels.iter().find(|it| !given.levels.contains(it))?;
    Some(format!("the level {lacking} is not among those that were verified"))
}

fn claim(given: &Summary, case: &Case) -> Result<Claim, Failure> {
    let (policy, sha256) = case.policy.as_ref().zip(case.policy_sha256).ok_or_else(|| {
        Failure::usage(anyhow!("there is no policy that was verified against"))
            .hint("name it with --policy FILE")
    })?;
    let hint = "name evidence that was verified, as `bowline attest … --out FILE` writes it";
    let inputs = read_each(&given.inputs, hint, |_| Ok(()))?;
    let resource = policy.repo_uri.as_str();
    let mut predicate = json!({
        "verifier": {"id": given.verifier},
        "timeVerified": case.now.to_string(),
        "resourceUri": resource,
        "policy": {"uri": format!("{resource}#.bowline/policy.yaml"), "digest": {"sha256": sha256}},
        "verificationResult": "PASSED",
        "verifiedLevels": given.levels,
        "slsaVersion": SLSA_VERSION,
    });
    if let Some(fields) = predicate.as_object_mut().filter(|_| !inputs.is_empty()) {
        fields.insert(
            "inputAttestations".to_owned(),
            Value::Array(inputs.into_iter().map(input).collect()),
        );
    }
    let refs = json!([policy.ref_name.as_str()]);
    let counts: Map<_, _> = [("sourceRefs".to_owned(), refs)].into_iter().collect();
    Ok(Claim { predicate_type: SUMMARY, predicate, counts })
}

/// A descriptor as summaries have it: `uri` in the place of `name`.
fn input(descriptor: Value) -> Value {
    match descriptor {
        Value::Object(mut fields) => {
            if let Some(name) = fields.remove("name") {
                fields.insert("uri".to_owned(), name);
            }
            Value::Object(fields)
        }
        other => other,
    }
}
