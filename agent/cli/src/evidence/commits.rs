//! The commits that led to a revision, raw, with what each was judged by.
//!
//! **Invariant:** the first of them is one that the host believed before: it has a policy to judge the next by.

use bowline_host::repository::Repository;
use bowline_host::repository::view::NoRevision;
use bowline_model::object_id::ObjectId;
use bowline_model::trust_root::TrustRoot;
use bowline_trust::commit::Commit;

use super::laws::Laws;
use super::roots::Roots;
use super::tar::Files;

/// Merges between two deployments of one host; of more, those before the newest are left to the records before.
const COMMITS_MAX: usize = 1_000;

/// First-parent commits up to one, oldest first: from what the host ran before, where that is below, else from the
/// parent on. Nothing lies below the anchor.
pub(super) fn chain(
    repository: &Repository,
    commit: &ObjectId,
    base: Option<ObjectId>,
    anchor: &ObjectId,
) -> Result<Vec<ObjectId>, NoRevision> {
    let mut chain = vec![*commit];
    let is_below = base.filter(|it| repository.is_first_parent(it, commit, COMMITS_MAX));
    let mut at = *commit;
    while at != *anchor && Some(at) != is_below && chain.len() < COMMITS_MAX {
        let raw = repository.raw_commit(&at)?;
        let parents = Commit::parse(&raw, at.format()).map(|it| it.parents).unwrap_or_default();
        let Some(parent) = parents.first() else { break };
        chain.push(*parent);
        at = *parent;
        if is_below.is_none() {
            break;
        }
    }
    chain.reverse();
    Ok(chain)
}

/// Adds commits, their policies and their signatures.
pub(super) fn add(
    repository: &Repository,
    chain: &[ObjectId],
    (trust, roots, laws): (&TrustRoot, &mut Roots, &mut Laws),
    files: &mut Files,
) -> Result<(), NoRevision> {
    // A branch never goes back to an earlier root, so the newest file holds all of them.
    for id in chain.iter().rev() {
        let objects = repository.proof_objects(id)?;
        if let Some(it) = objects.iter().find(|it| it.name == "root.jsonl") {
            roots.add(&it.raw, trust, files);
            break;
        }
    }
    let ids: Vec<_> = chain.iter().map(ToString::to_string).collect();
    files.add("chain", format!("{}\n", ids.join("\n")));
    for id in chain {
        let objects = repository.proof_objects(id)?;
        let file = |name: &str| objects.iter().find(|it| it.name == name).map(|it| &*it.raw);
        if let Some(policy) = file("policy.yaml") {
            laws.add(policy, file("policy.dsse.json").unwrap_or_default(), roots, files);
        }
        for it in &objects {
            files.add(format!("objects/{}/{}", it.kind, it.id), it.raw.as_slice());
        }
        if Some(id) == chain.first() {
            // It was believed before, and there is nothing here to judge it by.
            continue;
        }
        let raw = objects.first().map(|it| Commit::parse(&it.raw, id.format()));
        if let Some(Ok(Commit { signature: Some(signature), payload, .. })) = raw {
            let is_ssh = signature.starts_with(b"-----BEGIN SSH SIGNATURE-----");
            let end = if is_ssh { "sig" } else { "asc" };
            files.add(format!("signatures/{id}.{end}"), signature);
            files.add(format!("signatures/{id}.payload"), payload);
        }
    }
    Ok(())
}
