//! `bowline policy show`: who may merge, who approves, what gates ask for, and until when.
//!
//! **Invariant:** it is shown as it stands in the commit; whether the root signed it is for `bowline verify`.

use std::collections::BTreeMap;

use anyhow::anyhow;
use bowline_model::policy::{Gate, POLICY_PATH, Policy};
use serde::Serialize;
use serde_json::Value;

use super::arguments::Show;
use super::change::{approvers, fields};
use super::effect::shown;
use super::key_state;
use super::source::Found;
use crate::failure::Failure;
use crate::screen::Screen;

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    policy: &'a Policy,
    /// Whose approval counts, everybody counted where nobody is named.
    approvers: Vec<String>,
    /// By name, the fingerprint of each key in the policy's order; nothing for one of no use here.
    fingerprints: BTreeMap<&'a str, Vec<Option<String>>>,
}

/// Shows a policy.
pub(super) fn show(given: &Show, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let found = Found::in_commit(&given.repo, &given.rev)?.ok_or_else(|| {
        let what = anyhow!("{} has no {POLICY_PATH}", given.rev);
        Failure::usage(what).hint("bowline policy new writes one")
    })?;
    let policy = &found.policy;
    if given.json {
        let keys = policy.principals.iter().map(|(name, it)| {
            (name.as_str(), it.keys.iter().map(key_state::fingerprint).collect())
        });
        let fingerprints = keys.collect();
        screen.json(&Report { policy, approvers: approvers(policy), fingerprints })?;
        return Ok(0);
    }
    in_words(policy, screen)?;
    Ok(0)
}

fn in_words(policy: &Policy, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let needed = policy.merge.approvals.principals;
    let approval = match needed {
        0 => String::new(),
        1 => format!("1 of {}", approvers(policy).join(", ")),
        some => format!("{some} of {}", approvers(policy).join(", ")),
    };
    screen.table(&[
        ("version", policy.version.to_string()),
        ("expires", policy.expires.to_string()),
        ("for", format!("{} {}", policy.repo_uri, policy.ref_name)),
        ("merge", policy.merge.mergers.join(", ")),
        ("approve", approval),
        (
            "emergency",
            policy
                .emergency
                .as_ref()
                .map(|it| {
                    let skips = it.skips.join(", ");
                    format!("{} of {} may skip {skips}", it.threshold, it.oncall.join(", "))
                })
                .unwrap_or_default(),
        ),
        (
            "freshness",
            policy
                .freshness
                .as_ref()
                .map(|it| format!("by {}, at most {} old", it.signer, it.max_age))
                .unwrap_or_default(),
        ),
    ])?;
    for gate in &policy.gates {
        screen.line(format_args!("gate {}", limits(gate)))?;
    }
    for (name, principal) in &policy.principals {
        for entry in &principal.keys {
            let key = key_state::shown(entry);
            screen.line(format_args!("key of {name} ({}): {key}", principal.kind))?;
        }
    }
    let revoked = &policy.revoked;
    for key in &revoked.keys {
        screen.line(format_args!("revoked key {key}"))?;
    }
    for (what, ids) in [("commit", &revoked.commits), ("tree", &revoked.trees)] {
        for id in ids {
            screen.line(format_args!("revoked {what} {id}"))?;
        }
    }
    Ok(())
}

/// A gate's name, and what it asks for, field by field.
fn limits(gate: &Gate) -> String {
    let mut fields = fields(gate);
    fields.remove("id");
    let is_empty = |it: &Value| it.as_array().is_some_and(Vec::is_empty);
    let told = fields.iter().filter(|(_, it)| !is_empty(it));
    let told: Vec<_> = told.map(|(name, it)| format!("{name} {}", plain(it))).collect();
    format!("{}: {}", gate.id, told.join("; "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            items.iter().map(|it| shown(Some(it))).collect::<Vec<_>>().join(", ")
        }
        other => shown(Some(other)),
    }
}
