//! The statement that is signed: in-toto v1, on a commit and its tree.
//!
//! **Invariant:** every subject carries the time and, where a policy names them, repository and branch, so
//! that evidence for one counts for no other.

use serde_json::{Map, Value, json};

use super::case::Case;

/// in-toto's name for statements.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// What is said of something.
#[derive(Debug)]
pub(super) struct Claim {
    /// in-toto's name for such claims.
    pub(super) predicate_type: &'static str,
    /// What is said.
    pub(super) predicate: Value,
    /// What was counted; people read it, hosts do not need it.
    pub(super) counts: Map<String, Value>,
}

/// Says it of the commit and of its tree.
pub(super) fn of_revision(case: &Case, claim: &Claim) -> Value {
    let annotations = annotations(case, claim);
    let name = case.policy.as_ref().map_or("tree", |it| it.ref_name.as_str());
    let tree = json!({
        "name": name,
        "digest": {"gitTree": case.tree.to_string()},
        "annotations": annotations,
    });
    let commit = json!({
        "name": "commit",
        "digest": {"gitCommit": case.commit.to_string()},
        "annotations": annotations,
    });
    of_subjects(&[tree, commit], claim)
}

/// What each subject carries beside its digest.
pub(super) fn annotations(case: &Case, claim: &Claim) -> Map<String, Value> {
    let mut annotations = claim.counts.clone();
    annotations.insert("timeCreated".to_owned(), json!(case.now.to_string()));
    if let Some(policy) = &case.policy {
        annotations.insert("repoUri".to_owned(), json!(policy.repo_uri.as_str()));
        annotations.insert("targetRef".to_owned(), json!(policy.ref_name.as_str()));
    }
    annotations
}

/// Says it of these subjects.
pub(super) fn of_subjects(subjects: &[Value], claim: &Claim) -> Value {
    json!({
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": claim.predicate_type,
        "predicate": claim.predicate,
    })
}
