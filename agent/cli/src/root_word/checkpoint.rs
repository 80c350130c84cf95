//! `bowline trust checkpoint`: new hosts may begin at a commit.
//!
//! **Invariant:** what is vouched for is the commit that is named and the policy in it.

use anyhow::anyhow;
use bowline_model::digest::Sha256;
use bowline_model::policy::POLICY_PATH;
use bowline_trust::root_statement::{CHECKPOINT_TYPE, Checkpoint, Named};
use serde_json::json;

use super::arguments::Checkpoint as Given;
use super::{Place, deliver, demand_one_output, earlier, is_quiet, now};
use crate::failure::Failure;
use crate::screen::Screen;

/// Vouches for a commit and all below it.
pub(crate) fn checkpoint(given: &Given, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    demand_one_output(&given.word)?;
    let place = Place::find(&given.word.repo, &given.rev)?;
    let paths = [POLICY_PATH.to_owned()];
    let found = place.repository.contents(&place.commit, &paths).map_err(Failure::failed)?;
    let policy = found.get(POLICY_PATH).map(|it| Sha256::of(it)).unwrap_or_default();
    let before = earlier(&given.word, CHECKPOINT_TYPE)?;
    let issued = match &before {
        None => now(),
        Some(it) => {
            let theirs: Checkpoint =
                serde_json::from_value(it.predicate.clone()).map_err(|bad| {
                    Failure::usage(bad).of("what others signed holds no checkpoint of this version")
                })?;
            theirs.issued
        }
    };
    let checkpoint = Checkpoint {
        repo_uri: place.policy.repo_uri.to_string(),
        ref_name: place.policy.ref_name.to_string(),
        policy_version: place.policy.version,
        policy_sha256: policy,
        issued,
    };
    let raw = place.repository.raw_commit(&place.commit).map_err(Failure::usage)?;
    let statement = checkpoint.statement(Named::of(place.commit, &raw));
    if before.as_ref().is_some_and(|it| it.payload != statement) {
        let what = anyhow!("what others signed vouches for something else than {}", given.rev);
        return Err(Failure::usage(what).hint("name the same commit, or begin anew"));
    }
    let is_shown = !is_quiet(&given.word) && !given.word.json;
    if is_shown {
        screen.table(&[
            ("vouches for", place.commit.to_string()),
            ("on", format!("{} of {}", checkpoint.ref_name, checkpoint.repo_uri)),
            ("policy", format!("version {}, sha256 {policy}", checkpoint.policy_version)),
        ])?;
    }
    let delivered = deliver(&given.word, (&statement, before.as_ref()), &place, screen)?;
    if is_shown {
        delivered.show(screen)?;
    } else if given.word.json {
        screen.json(&json!({
            "commit": place.commit.to_string(),
            "ref": checkpoint.ref_name,
            "repoUri": checkpoint.repo_uri,
            "policyVersion": checkpoint.policy_version,
            "policySha256": policy.to_string(),
            "issued": checkpoint.issued,
            "signatures": delivered.signatures,
            "root": delivered.root,
            "written": delivered.written,
            "pushed": delivered.pushed,
        }))?;
    }
    Ok(0)
}
