//! Checkpoints: a threshold of the root vouches for a commit and all below it; new hosts begin there.
//!
//! **Invariant:** it says which policy stands in that commit; another policy there is another commit.

use bowline_model::digest::Sha256;
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Named, RootStatement, misplaced};
use crate::roots::Roots;

/// What a checkpoint says it is.
pub const CHECKPOINT_TYPE: &str = "bowline checkpoint/v1";

/// What is vouched for beside the commit, and where.
///
/// A field that is not known here is refused: it might be what takes the checkpoint back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// The repository's name for itself.
    pub repo_uri: String,
    /// The branch.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Version of the policy in that commit.
    pub policy_version: u64,
    /// SHA-256 of that policy's bytes.
    pub policy_sha256: Sha256,
    /// When.
    pub issued: Timestamp,
}

/// The checkpoint at which a walk began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointSeen {
    /// The commit.
    pub commit: String,
    /// Version of the policy there.
    pub policy_version: u64,
    /// Who signed it, as the root names them.
    pub signers: Vec<String>,
    /// When.
    pub issued: Timestamp,
}

impl Checkpoint {
    /// The statement to be signed, in the namespace `bowline-root`.
    pub fn statement(&self, commit: Named) -> Vec<u8> {
        // Plain data always has a form in JSON.
        let predicate = serde_json::to_value(self).unwrap_or_default();
        super::statement(CHECKPOINT_TYPE, &[commit], &predicate)
    }
}

/// Looks for a checkpoint on a commit, by the newest root of the branch. Gives the policy that has to be there.
pub(crate) fn look(
    statements: &[RootStatement],
    newest: &Roots,
    (commit, trust): (Named, &TrustRoot),
    now: Timestamp,
) -> Option<(Checkpoint, Vec<String>)> {
    statements.iter().filter(|it| it.names(&commit)).find_map(|it| {
        let found = it.predicate::<Checkpoint>(CHECKPOINT_TYPE)?;
        let place = (found.repo_uri.as_str(), found.ref_name.as_str());
        let is_misplaced = misplaced(place, &trust.repo, (found.issued, now)).is_some();
        let is_low = found.policy_version < trust.floors.policy_version;
        (!is_misplaced && !is_low && it.statement.subjects.len() == 1).then_some(())?;
        Some((found, it.signers(newest)?))
    })
}
