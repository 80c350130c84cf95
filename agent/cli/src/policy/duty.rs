//! What is wrong with a policy, or soon will be: what nobody could do, and what nobody needs.
//!
//! **Invariant:** an error is what would stop hosts or lock people out; all else is a warning.

use std::collections::BTreeSet;

use bowline_model::policy::{Gate, KeyMaterial, Kind, Policy};
use bowline_model::trust_root::TrustRoot;
use bowline_trust::{WARN_BEFORE_EXPIRY, check_keys};
use jiff::Timestamp;
use serde::Serialize;

use super::change::approvers;
use super::key_state::{can_attest, can_commit, counts, shown};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Error,
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) level: Level,
    /// What, for people.
    pub(super) what: String,
}

pub(super) fn error(what: impl Into<String>) -> Problem {
    Problem { level: Level::Error, what: what.into() }
}

pub(super) fn warning(what: impl Into<String>) -> Problem {
    Problem { level: Level::Warning, what: what.into() }
}

/// What is wrong with a policy by itself.
pub(super) fn alone(policy: &Policy, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    found.extend(check_keys(policy).err().map(error));
    found.extend(expiry(policy, now));
    found.extend(merging(policy, now));
    found.extend(approving(policy, now));
    found.extend(policy.gates.iter().filter_map(|it| unmet(policy, it, now)));
    found.extend(keys(policy, now));
    found.extend(unused(policy));
    found
}

/// What is wrong with a policy for the hosts of a trust file.
pub(super) fn for_hosts(policy: &Policy, root: &TrustRoot) -> Vec<Problem> {
    let mut found = Vec::new();
    let (repo, floor) = (&root.repo, root.floors.policy_version);
    if policy.repo_uri != repo.uri {
        let what = format!("it is for {}, and the trust file names {}", policy.repo_uri, repo.uri);
        found.push(error(what));
    }
    if policy.ref_name != repo.ref_name {
        let (its, hosts) = (&policy.ref_name, &repo.ref_name);
        found.push(error(format!("it is for {its}, and the trust file names {hosts}")));
    }
    if policy.version < floor {
        let version = policy.version;
        found.push(error(format!("version {version} is below floors.policyVersion {floor}")));
    }
    found
}

/// What is wrong with a policy after another one.
pub(super) fn after(old: &Policy, new: &Policy, is_same: bool, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    if !is_same && new.version <= old.version {
        let (old, new) = (old.version, new.version);
        found.push(error(format!("it changed, and its version went from {old} to {new}")));
    }
    if !is_same && old.expires > now && !can_be_merged(old, new, now) {
        found.push(error(
            "nobody can merge it: whoever does signs with a key that the old policy has and that still counts by \
             the new one; let old keys end later",
        ));
    }
    found
}

/// Whether somebody who may merge under the old policy has a key that counts by both. Hosts ask both of whoever
/// brings the new one.
pub(super) fn can_be_merged(old: &Policy, new: &Policy, now: Timestamp) -> bool {
    let entries = |policy: &Policy| {
        policy.principals.values().flat_map(|it| it.keys.clone()).collect::<Vec<_>>()
    };
    let new_keys = entries(new);
    let mergers = old.merge.mergers.iter().filter_map(|it| old.principals.get(it));
    mergers.flat_map(|it| &it.keys).any(|key| {
        let signs = !matches!(key.material, KeyMaterial::Spki { .. });
        let now_known = new_keys.iter().find(|it| it.material == key.material);
        // A key that the new one no longer lists counts as the old one has it, unless it is revoked.
        let later = now_known.unwrap_or(key);
        signs && counts(old, key, now) && counts(new, later, now)
    })
}

fn expiry(policy: &Policy, now: Timestamp) -> Option<Problem> {
    let expires = policy.expires;
    if expires <= now {
        Some(error(format!("it expired {expires}")))
    } else if now.duration_until(expires) < WARN_BEFORE_EXPIRY {
        Some(warning(format!("it expires {expires}, in less than 30 days")))
    } else {
        None
    }
}

fn merging(policy: &Policy, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    for name in policy.stuck_mergers() {
        found.push(warning(format!(
            "a merge by {name} can never be approved: too few others are in merge.approvals.from"
        )));
    }
    let able =
        |name: &&String| policy.principals.get(*name).is_some_and(|it| can_commit(policy, it, now));
    let mergers = &policy.merge.mergers;
    if mergers.iter().any(|it| able(&it)) {
        for name in mergers.iter().filter(|it| !able(it)) {
            let what = format!("{name} may merge and has no key that counts and signs commits");
            found.push(warning(what));
        }
    } else {
        found.push(error("nobody can merge: no merger has a key that counts and signs commits"));
    }
    found
}

fn approving(policy: &Policy, now: Timestamp) -> Option<Problem> {
    let needed = policy.merge.approvals.principals;
    let names: BTreeSet<_> = approvers(policy).into_iter().collect();
    let able = names.iter().filter(|name| {
        let principal = policy.principals.get(*name);
        principal.is_some_and(|it| it.kind == Kind::Human && can_attest(policy, it, now))
    });
    let able = able.count();
    (usize::try_from(needed).unwrap_or(usize::MAX) > able).then(|| {
        error(format!("no merge can be approved: it takes {needed}, and {able} can sign approvals"))
    })
}

fn unmet(policy: &Policy, gate: &Gate, now: Timestamp) -> Option<Problem> {
    if gate.signers.is_empty() {
        return None;
    }
    let signers: BTreeSet<_> = gate.signers.iter().collect();
    let able = signers
        .iter()
        .filter(|name| policy.principals.get(**name).is_some_and(|it| can_attest(policy, it, now)));
    let (able, needed) = (able.count(), gate.threshold);
    (usize::try_from(needed).unwrap_or(usize::MAX) > able).then(|| {
        let id = &gate.id;
        error(format!("gate {id} cannot be met: it takes {needed}, and {able} can sign for it"))
    })
}

fn keys(policy: &Policy, now: Timestamp) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, principal) in &policy.principals {
        for entry in &principal.keys {
            let Some(end) = entry.not_after.filter(|it| *it > now) else { continue };
            // Where another key is there by then nobody has to do anything.
            let goes_on = principal.keys.iter().any(|it| counts(policy, it, end));
            if now.duration_until(end) < WARN_BEFORE_EXPIRY && !goes_on {
                let key = shown(entry);
                found.push(warning(format!("a key of {name} ends in less than 30 days: {key}")));
            }
        }
        if !principal.keys.iter().any(|it| counts(policy, it, now)) {
            found.push(warning(format!("no key of {name} counts now")));
        }
    }
    found
}

/// Principals for whom no rule asks. What they sign counts for nothing.
fn unused(policy: &Policy) -> Vec<Problem> {
    let mut used: BTreeSet<&String> = policy.merge.mergers.iter().collect();
    let asked = approvers(policy);
    if policy.asks().approvals {
        used.extend(&asked);
    }
    used.extend(policy.gates.iter().flat_map(|it| &it.signers));
    used.extend(policy.emergency.iter().flat_map(|it| &it.oncall));
    used.extend(policy.freshness.iter().map(|it| &it.signer));
    let idle = policy.principals.keys().filter(|it| !used.contains(it));
    idle.map(|it| warning(format!("no rule asks for {it}"))).collect()
}
