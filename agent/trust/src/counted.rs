//! What counted in one judgement, adoptions among it, with the envelopes that it rests on, for whoever keeps it.
//!
//! **Invariant:** nothing is judged here: what counted was said by the desk and by the gates.
//! **Invariant:** of a long walk the newest commits are told of.

use std::collections::BTreeSet;

use bowline_api::record::ApprovalMark;
use bowline_model::adopted::Adopted;
use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::byte_size::ByteSize;
use bowline_model::counted::Counted;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;

use crate::authority::{Authorised, Court};
use crate::dsse;
use crate::gates::GateVerdict;

/// Commits of one walk: what is kept of more than a busy day's merges would only displace itself.
const COMMITS_MAX: usize = 256;

/// Tells what counted: approvals of the commits that passed, and the gates of the one that met them.
pub(crate) fn counted(
    court: &Court<'_>,
    bundle: &Bundle,
    passed: &[Authorised],
    opened: Option<(ObjectId, &[GateVerdict])>,
) -> Vec<Counted> {
    let largest = court.root.limits.envelope_bytes;
    let words = |it: &Adopted| court.rulings.words(it);
    let approved = passed.iter().rev().take(COMMITS_MAX).rev().map(|it| Counted {
        approvals: (it.approvals.iter().filter(|it| it.counts))
            .map(|it| ApprovalMark {
                principal: it.principal.clone(),
                sha256: it.sha256.to_string(),
            })
            .collect(),
        adoption: it.adopted.as_ref().and_then(words),
        ..Counted::of(it.judged.id)
    });
    let mut all: Vec<_> = approved.collect();
    if let Some((commit, gates)) = opened {
        let gates = gates.iter().filter_map(|it| serde_json::to_value(it).ok()).collect();
        let met = Counted { gates, ..Counted::of(commit) };
        match all.iter().position(|it| it.commit == commit) {
            Some(place) => {
                let before = all.remove(place);
                all.insert(place, before.with(met));
            }
            None => all.push(met),
        }
    }
    all.retain(|it| !it.is_empty());
    for it in &mut all {
        it.envelopes = envelopes(bundle, it, largest);
    }
    all
}

/// The envelopes whose payloads counted for a commit.
fn envelopes(bundle: &Bundle, of: &Counted, largest: ByteSize) -> Vec<String> {
    let wanted: BTreeSet<&str> = of.evidence();
    let is_it = |it: &&CommitEvidence| it.id == of.commit;
    let lines = (bundle.commits.iter().chain(&bundle.waiting).chain(&bundle.start))
        .filter(is_it)
        .flat_map(|it| &it.beside.attestations);
    let counts = |line: &[u8]| {
        let envelope = dsse::read_any(line, largest).ok();
        envelope.is_some_and(|it| wanted.contains(&*Sha256::of(&it.payload).to_string()))
    };
    let texts: BTreeSet<String> = lines
        .filter(|line| counts(line))
        .filter_map(|line| String::from_utf8(line.to_vec()).ok())
        .collect();
    texts.into_iter().collect()
}
