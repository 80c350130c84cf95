//! Somebody who approves changes, rightly or not.
//!
//! **Invariant:** an approval as it stands by default is good; a test changes one thing in it.

use std::sync::Arc;

use bowline_model::bundle::Change;
use bowline_model::digest::Sha256;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use jiff::Timestamp;

use super::{BEGINNING, DAY, World, person_attests};
use crate::approval::{Approval, Approved};
use crate::commit::object_id;

/// The change of this name.
pub(crate) fn change(name: &str) -> Change {
    let blob = object_id(ObjectFormat::Sha1, "blob", name.as_bytes());
    Change { sha256: Sha256::of(name.as_bytes()), blob }
}

/// An approval to be.
#[derive(Clone)]
pub(crate) struct Approver {
    pub(crate) approval: Approval,
    pub(crate) approved: Approved,
}

impl Approver {
    /// Of the change of a name, made half an hour after the beginning, for ten days.
    pub(crate) fn of(world: &World, name: &str) -> Self {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let tree = object_id(ObjectFormat::Sha1, "tree", name.as_bytes());
        Self {
            approval: Approval {
                repo_uri: world.root.repo.uri.to_string(),
                target_ref: world.root.repo.ref_name.to_string(),
                base: world.anchor.id,
                issued: at(BEGINNING + 1_800),
                expires: at(BEGINNING + 10 * DAY),
            },
            approved: Approved { change: change(name), tree, head: world.anchor.id },
        }
    }

    pub(crate) fn on_tree(mut self, tree: ObjectId) -> Self {
        self.approved.tree = tree;
        self
    }

    /// The line of a note, signed by people with these seeds.
    pub(crate) fn sign(&self, seeds: &[u8]) -> Arc<[u8]> {
        let statement = self.approval.statement(&self.approved);
        Arc::from(person_attests(seeds, str::from_utf8(&statement).unwrap()))
    }
}
