//! Looks in notes for what hosts signed of a commit, where its gates ask hosts.
//!
//! **Invariant:** whose word may count is written in the commit's own manifests; nobody else's is looked at.
//! **Invariant:** what hosts say is weighed apart from what people and robots say, so neither hides the other.

use std::collections::BTreeSet;

use bowline_model::bundle::{Beside, RawManifests};
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_trust::receipt::{Revision, is_record};
use bowline_trust::receipt_sieve::fingerprints_in;

use super::evidence::{CHECKED_MAX, Gatherer, LINES_MAX, READ_BYTES_MAX};

/// Receipts for one commit: some thousand hosts.
const KEPT_BYTES_MAX: usize = 16 << 20;

impl Gatherer<'_> {
    /// Looks for receipts on a commit and on its tree.
    pub(super) fn look_for_receipts(
        &mut self,
        (id, raw, tree): (ObjectId, &[u8], ObjectId),
        law: usize,
        beside: &mut Beside,
    ) {
        let (Some(notes), Some((_, sieve))) = (&self.notes, self.laws.get(law)) else { return };
        let RawManifests::Files(manifests) = &beside.manifests else { return };
        if !sieve.asks_for_receipts() {
            return;
        }
        let mut lines = Vec::new();
        for place in [id, tree] {
            let note = notes.on(&place).unwrap_or_default();
            self.read += note.len();
            if self.read > READ_BYTES_MAX {
                return;
            }
            let records = note.split(|it| *it == b'\n').take(LINES_MAX).map(<[u8]>::trim_ascii);
            lines.extend(records.filter(|it| is_record(it)).map(<[u8]>::to_vec));
        }
        // The same line lies on the commit and on its tree.
        let lines: BTreeSet<_> = lines.into_iter().collect();
        if lines.is_empty() {
            return;
        }
        let keys = fingerprints_in(manifests);
        let revision = Revision { commit: Some(id), commit_sha256: Sha256::of(raw), tree };
        let mut receipts = sieve.receipts(revision, &keys);
        for line in &lines {
            self.checked += receipts.take(line);
            if self.checked > CHECKED_MAX {
                tracing::warn!(commit = %id.short(), "its notes hold too many receipts");
                break;
            }
        }
        let mut kept = 0;
        for line in receipts.kept() {
            kept += line.len();
            if kept > KEPT_BYTES_MAX {
                break;
            }
            beside.attestations.push(line);
        }
    }
}
