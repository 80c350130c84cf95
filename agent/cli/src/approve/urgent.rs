//! The word of somebody on call that a change must not be held up.
//!
//! **Invariant:** a word that would not count is not made: nobody would learn why.

use anyhow::anyhow;
use bowline_model::policy::{Kind, Policy};
use bowline_trust::approval::Approval;
use bowline_trust::emergency::{Emergency, REASON_CHARS_MAX};
use jiff::Timestamp;

use super::holder;
use crate::failure::Failure;
use crate::keys::RootKey;

/// Who would say so.
pub(super) fn caller<'p>(
    policy: &'p Policy,
    key: &RootKey,
    now: Timestamp,
) -> Result<&'p str, Failure> {
    let would_not = |why: String| {
        Failure::failed(anyhow!("{why}"))
            .of("a word with this key would skip nothing")
            .hint("see principals and emergency in .bowline/policy.yaml")
    };
    let (name, kind) = holder(policy, key, now).map_err(would_not)?;
    let oncall = policy.emergency.as_ref().map(|it| it.oncall.as_slice()).unwrap_or_default();
    if kind != Kind::Human || !oncall.contains(name) {
        return Err(would_not(format!("{name:?} is no person of emergency.oncall")));
    }
    Ok(name)
}

/// What is said.
pub(super) fn word(approval: Approval, reason: &str) -> Result<Emergency, Failure> {
    let is_plain = !reason.trim().is_empty()
        && reason.chars().count() <= REASON_CHARS_MAX
        && !reason.chars().any(char::is_control);
    if !is_plain {
        let what = anyhow!("a reason is one line of 1 to {REASON_CHARS_MAX} characters");
        return Err(Failure::usage(what).hint("the review that is due will read it"));
    }
    let Approval { repo_uri, target_ref, issued, expires, .. } = approval;
    Ok(Emergency { repo_uri, target_ref, issued, expires, reason: reason.to_owned() })
}
