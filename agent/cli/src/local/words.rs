//! Status and records, as lines for people.
//!
//! **Invariant:** words only: what is shown was said by the agent.

use bowline_api::ask::Rehearsal;
use bowline_api::cycle::{Cycle, PolicyStanding, PolicyState};
use bowline_api::hint;
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_api::status::{Committed, Control, Last, Quarantined, Status, WaitingFor};

use serde_json::Value;

use crate::failure::Failure;
use crate::screen::Screen;

/// Digits of an id that are shown in lists: enough to tell commits of one repository apart.
const DIGITS: usize = 12;

/// Resources of one change that are named: enough to know it again; `--json` has them all.
const RESOURCES: usize = 8;

/// How the agent stands.
pub(super) fn status(status: &Status, screen: &mut Screen<'_>) -> Result<(), Failure> {
    // Their reasons are the last outcome's; `--json` has them all.
    let conditions: Vec<_> =
        status.conditions.iter().map(|it| format!("{} {}", it.kind, it.status)).collect();
    let hint = status.last.as_ref().and_then(|it| hint::of(&it.code));
    // What a later merge has put right stays barred, and is no news.
    let is_news = status
        .last
        .as_ref()
        .is_none_or(|it| matches!(it.outcome, Outcome::Held | Outcome::Reverted));
    let barred = match status.quarantine.len() {
        number if number > 0 && !is_news => {
            format!("{number} earlier changes, as they were (bowline history)")
        }
        _ => String::new(),
    };
    screen.table(&[
        ("host", format!("{} (bowline {})", status.name, status.version)),
        ("phase", status.phase.clone()),
        ("committed", status.committed.as_ref().map(committed).unwrap_or_default()),
        ("attempted", status.last_attempted_revision.clone().unwrap_or_default()),
        ("last outcome", status.last.as_ref().map(last).unwrap_or_default()),
        ("hint", hint.unwrap_or_default().to_owned()),
        ("waiting for", status.waiting_for.as_ref().map(waiting).unwrap_or_default()),
        ("conditions", conditions.join(", ")),
        ("next poll", status.next_poll.clone().unwrap_or_default()),
        ("policy", status.policy.as_ref().map(policy).unwrap_or_default()),
        ("root", status.root_version.filter(|it| *it > 1).map(root).unwrap_or_default()),
        ("freshness", status.freshness.clone()),
        ("control", status.control.as_ref().map(reporting).unwrap_or_default()),
        ("barred", barred),
        ("socket", status.socket.clone().unwrap_or_default()),
    ])?;
    if is_news {
        for it in &status.quarantine {
            quarantined(it, screen)?;
        }
    }
    for it in &status.gates {
        screen.line(gate(it))?;
    }
    for it in &status.adopted {
        screen.line(adopted(it))?;
    }
    for it in &status.warnings {
        screen.line(format_args!("warning: {it}"))?;
    }
    Ok(())
}

/// The root in force, where it is not the first any more.
fn root(version: u64) -> String {
    format!("version {version}")
}

/// The policy in force, and how long it is.
fn policy(policy: &PolicyStanding) -> String {
    let PolicyStanding { version, expires, .. } = policy;
    match policy.state {
        PolicyState::InForce => format!("version {version}, expires {expires}"),
        PolicyState::ExpiresSoon => {
            format!("version {version}, expires {expires}: have a renewal signed")
        }
        PolicyState::Expired => {
            format!("version {version}, expired {expires}: only its renewal will be taken")
        }
    }
}

/// What a gate says of the newest revision.
fn gate(verdict: &Value) -> String {
    let text = |field: &str| verdict.get(field).and_then(Value::as_str).unwrap_or_default();
    let code = Some(text("code")).filter(|it| !it.is_empty());
    let measured = Some(text("measured")).filter(|it| !it.is_empty()).unwrap_or("nothing");
    format!("gate {}: {}: {measured}; {}", text("id"), code.unwrap_or("met"), text("limit"))
}

/// A commit that the newest revision came by although nobody let it in.
fn adopted(it: &Value) -> String {
    let text = |field: &str| it.get(field).and_then(Value::as_str).unwrap_or_default();
    let signers: Vec<_> = it["signers"].as_array().into_iter().flatten().collect();
    let names: Vec<_> = signers.into_iter().filter_map(Value::as_str).collect();
    let (commit, code, reason) = (text("commit"), text("code"), text("reason"));
    let waived = it.get("approvalsWaived").map(|it| format!(", approvals waived: {it}"));
    let waived = waived.unwrap_or_default();
    format!("adopted {commit} ({code}) by {}{waived}: {reason}", names.join(", "))
}

/// A change that is not tried again by itself.
fn quarantined(it: &Quarantined, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let few: Vec<_> = it.resources.iter().take(RESOURCES).map(String::as_str).collect();
    let more = match it.resources.len() - few.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    screen.table(&[
        ("quarantined", format!("{}{more}", few.join(", "))),
        ("  revision", it.revision.clone()),
        ("  since", it.at.clone()),
        ("  why", it.reason.clone()),
        ("  retry", hint::of("quarantined").unwrap_or_default().to_owned()),
    ])
}

/// Records, newest first, a line each.
pub(super) fn history(records: &[Record], screen: &mut Screen<'_>) -> Result<(), Failure> {
    let width = |cell: fn(&Record) -> String| {
        records.iter().map(|it| cell(it).chars().count()).max().unwrap_or_default()
    };
    let deployment = |it: &Record| it.deployment.clone();
    let revision = |it: &Record| it.revision.as_deref().map(short).unwrap_or_default();
    let (wide, wider) = (width(deployment), width(revision));
    for it in records {
        let line = format!(
            "{}  {:<9}  {:<wide$}  {:<wider$}  {}",
            it.at,
            it.outcome.word(),
            deployment(it),
            revision(it),
            reasoned(&it.reason, &it.detail)
        );
        screen.line(line.trim_end())?;
    }
    Ok(())
}

/// One record in full.
pub(super) fn record(it: &Record, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let kinds: Vec<_> =
        it.steps.by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let steps = match &kinds[..] {
        [] => it.steps.changed.to_string(),
        kinds => format!("{} ({})", it.steps.changed, kinds.join(", ")),
    };
    let proof = it.proof.as_ref().map(|proof| {
        if proof.before == proof.after {
            format!("as before, sha256:{}", proof.after)
        } else {
            format!("NOT as before: sha256:{} was sha256:{}", proof.after, proof.before)
        }
    });
    screen.table(&[
        ("deployment", it.deployment.clone()),
        ("outcome", it.outcome.word().to_owned()),
        ("reason", reasoned(&it.reason, &it.detail)),
        ("at", it.at.clone()),
        ("host", it.host.clone()),
        ("revision", it.revision.clone().unwrap_or_default()),
        ("base", it.base.clone().unwrap_or_default()),
        ("steps", steps),
        ("irreversible", it.irreversible.join(", ")),
        ("proof", proof.unwrap_or_default()),
        ("record", format!("{} after {}", it.seq, it.prev)),
    ])?;
    for probe in &it.probes {
        let word = if probe.passed { "passed" } else { "failed" };
        screen.line(format_args!("probe: {} {word}, {}", probe.name, probe.detail))?;
    }
    for conflict in &it.conflicts {
        let kept = conflict.kept.as_ref().map(|it| format!("; theirs is kept at {it}"));
        screen.line(format_args!(
            "conflict: {}: {}{}",
            conflict.path,
            conflict.detail,
            kept.unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// One cycle, as `bowline-agent --once` tells it.
pub(super) fn cycle(cycle: &Cycle, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let revision = cycle.revision.as_deref().unwrap_or("-");
    let line = format!("{} {revision} {}", cycle.outcome, cycle.detail);
    screen.line(line.trim_end())?;
    for step in &cycle.steps {
        let path = step.path.as_deref().unwrap_or_default();
        let line = format!("  {} {} {path}", step.action, step.resource);
        screen.line(line.trim_end())?;
    }
    for warning in &cycle.warnings {
        screen.line(format_args!("  warning: {warning}"))?;
    }
    if !cycle.code.is_empty() {
        screen.line(format_args!("  code: {}", cycle.code))?;
    }
    if let Some(hint) = hint::of(&cycle.code) {
        screen.line(format_args!("  hint: {hint}"))?;
    }
    Ok(())
}

/// Why there is no plan.
pub(super) fn hindrance(it: &Rehearsal, screen: &mut Screen<'_>) -> Result<(), Failure> {
    screen.line(format_args!("would be {}: {}", it.would, it.detail))?;
    if !it.code.is_empty() {
        screen.line(format_args!("  code: {}", it.code))?;
    }
    if let Some(hint) = hint::of(&it.code) {
        screen.line(format_args!("  hint: {hint}"))?;
    }
    Ok(())
}

fn reporting(it: &Control) -> String {
    let (state, url, since) = (it.state.word(), &it.url, &it.since);
    format!("{url}, {state} since {since}, {} acknowledged, {} waiting", it.acked, it.waiting)
}

fn committed(it: &Committed) -> String {
    format!("generation {}, {}, since {}", it.generation, it.revision, it.since)
}

fn last(it: &Last) -> String {
    let what = if it.deployment.is_empty() { String::new() } else { format!("{} ", it.deployment) };
    format!("{what}{}: {} at {}", it.outcome, reasoned(&it.reason, &it.detail), it.at)
}

fn waiting(it: &WaitingFor) -> String {
    let until = it.until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
    format!("{} ({}), since {}{until}", it.kind, reasoned(&it.holder, &it.detail), it.since)
}

fn reasoned(reason: &str, detail: &str) -> String {
    match (reason, detail) {
        (reason, "") => reason.to_owned(),
        ("", detail) => detail.to_owned(),
        (reason, detail) => format!("{reason}: {detail}"),
    }
}

/// `main@sha1:<40 digits>` as `main@<12 digits>`.
fn short(revision: &str) -> String {
    let shown = revision.split_once('@').and_then(|(branch, rest)| {
        let (_, id) = rest.split_once(':')?;
        Some(format!("{branch}@{}", id.get(..DIGITS)?))
    });
    shown.unwrap_or_else(|| revision.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_shortened_only_if_it_is_one() {
        let full = format!("main@sha1:{}", "0123456789abcdef".repeat(3));
        for (text, expected) in
            [(full.as_str(), "main@0123456789ab"), ("main@sha1:0123", "main@sha1:0123"), ("x", "x")]
        {
            assert_eq!(short(text), expected);
        }
    }

    #[test]
    fn what_is_not_known_takes_no_line() {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let given = Status { name: "web-1".into(), version: "0.1.0".into(), ..Status::default() };
        status(&given, &mut Screen::new(&mut stdout, &mut stderr)).unwrap();
        assert_eq!(String::from_utf8(stdout).unwrap(), "host  web-1 (bowline 0.1.0)\n");
    }
}
