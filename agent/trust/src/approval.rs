//! Approvals: people's signed statements that one change may be merged into one branch.
//!
//! **Invariant:** an approval counts for the change or tree it names, in the repository and branch it
//! names, once, until it expires.

use bowline_model::bundle::Change;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::ApprovalBinding;
use bowline_model::trust_root::RepoIdentity;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::attested::Attested;
use crate::statement::Subject;

/// What an approval says it is.
pub const APPROVAL_TYPE: &str = "bowline approval/v1";

/// How long an approval may count: used ones are remembered until they expire.
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What is approved, for whom and until when.
///
/// A field that is not known here is refused: it might be what takes the approval back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// The repository's name for itself.
    pub repo_uri: String,
    /// The branch it may be merged into.
    pub target_ref: String,
    /// What that branch named when it was approved.
    pub base: ObjectId,
    /// When.
    pub issued: Timestamp,
    /// From then on it does not count.
    pub expires: Timestamp,
}

/// The objects that an approval names.
#[derive(Debug, Clone, Copy)]
pub struct Approved {
    /// The change.
    pub change: Change,
    /// The tree that results.
    pub tree: ObjectId,
    /// What is merged.
    pub head: ObjectId,
}

impl Approval {
    /// The statement to be signed, in the namespace of approvals.
    pub fn statement(&self, approved: &Approved) -> Vec<u8> {
        statement_of(APPROVAL_TYPE, self, approved)
    }
}

/// A statement about a change, and what it was seen with.
pub(crate) fn statement_of(kind: &str, predicate: &impl Serialize, approved: &Approved) -> Vec<u8> {
    let Approved { change, tree, head } = approved;
    let value = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "change", "digest": {
                "sha256": change.sha256.to_string(), "gitBlob": change.blob.to_string(),
            }},
            {"name": "tree", "digest": {"gitTree": tree.to_string()}},
            {"name": "head", "digest": {"gitCommit": head.to_string()}},
        ],
        "predicateType": kind,
        "predicate": predicate,
    });
    value.to_string().into_bytes()
}

/// A commit that wants to be approved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Merge<'a> {
    pub(crate) commit: ObjectId,
    pub(crate) tree: ObjectId,
    pub(crate) first_parent: Option<ObjectId>,
    pub(crate) change: Option<Change>,
    /// The later of its own date and its parent's, so that dating it back revives nothing.
    pub(crate) time: Timestamp,
    pub(crate) repo: &'a RepoIdentity,
}

/// Reads an approval; `None` when the statement is none.
pub(crate) fn read(attested: &Attested) -> Option<Approval> {
    let statement = &attested.statement;
    (statement.predicate_type == APPROVAL_TYPE).then_some(())?;
    serde_json::from_value(statement.predicate.clone()).ok()
}

impl Approval {
    /// Why it does not approve a merge, if so.
    pub(crate) fn objection(
        &self,
        attested: &Attested,
        merge: &Merge<'_>,
        on: ApprovalBinding,
        now: Timestamp,
    ) -> Option<&'static str> {
        let subjects = &attested.statement.subjects;
        let about = |is: &dyn Fn(&Subject) -> bool| subjects.iter().any(is);
        let is_for = match on {
            ApprovalBinding::Change => {
                merge.change.is_some_and(|it| about(&|subject| subject.is_content(it.sha256)))
            }
            ApprovalBinding::Tree => {
                about(&|subject| subject.is_tree(&merge.tree))
                    && merge.first_parent == Some(self.base)
            }
        };
        if self.repo_uri != merge.repo.uri.as_str() {
            Some("is for another repository")
        } else if self.target_ref != merge.repo.ref_name.as_str() {
            Some("is for another branch")
        } else if !is_for {
            Some(match on {
                ApprovalBinding::Change => "is of another change",
                ApprovalBinding::Tree => "is of another tree, or of this one on another base",
            })
        } else if self.expires <= merge.time {
            Some("had expired when it was merged")
        } else if self.expires.duration_since(self.issued) > LONGEST_LIFE {
            Some("counts for longer than 90 days")
        } else if self.issued > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
            Some("was made in the future")
        } else {
            None
        }
    }
}

/// As much as clocks of people's machines may differ, as for commits.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// What became of one person's approval, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalSeen {
    /// The principal.
    pub principal: String,
    /// Whether it counts.
    pub counts: bool,
    /// Why not; empty when it counts.
    pub reason: String,
    /// The commit that it was looked at for.
    pub commit: String,
    /// When it was made.
    pub issued: Timestamp,
    /// From then on it does not count.
    pub expires: Timestamp,
    /// SHA-256 of what was signed.
    pub sha256: Sha256,
}
