//! `bowline trust reset`: a host whose memory was tampered with begins anew at its trust file's anchor.
//!
//! **Invariant:** what would be forgotten is shown first, and nothing is done without `--yes` and a reason.

use std::path::absolute;

use anyhow::anyhow;
use bowline_host::lock::LockFailure;
use bowline_host::settings::{self, Settings};
use bowline_host::trust_file::{self, TrustFile};
use bowline_host::trust_reset::{self, Memory, NoReset, Reset as Done};
use bowline_host::witness::Said;
use bowline_model::shown::one_line;
use serde_json::{Value, json};

use crate::arguments::Reset;
use crate::failure::Failure;
use crate::screen::Screen;

/// As long as a record's words should be.
const REASON_CHARS_MAX: usize = 500;

/// Shows what would be forgotten, and forgets it.
pub fn reset(given: &Reset, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let root = absolute(&given.root).map_err(Failure::usage)?;
    let settings = settings::load(&given.config, &root).map_err(|failure| {
        Failure::usage(failure).hint("packaging/default.toml documents every key")
    })?;
    let trust = trust_file::load_for(&settings).map_err(Failure::usage)?;
    let reason = given.reason.as_deref().map(|it| one_line(it, REASON_CHARS_MAX));
    if reason.as_ref().is_some_and(String::is_empty) {
        return Err(Failure::usage(anyhow!("--reason is empty")));
    }
    let memory = trust_reset::look(&settings).map_err(refused)?;
    if !given.json {
        show(&memory, &settings, &trust, screen)?;
    }
    let Some(reason) = reason.filter(|_| given.yes) else {
        if given.json {
            screen.json(&report(&memory, &settings, &trust, None))?;
        }
        screen.note("nothing is changed; to forget this, add --yes and --reason TEXT")?;
        return Ok(1);
    };
    let done = trust_reset::reset(&settings, trust.sha256, &reason).map_err(refused)?;
    if given.json {
        screen.json(&report(&memory, &settings, &trust, Some(&done)))?;
        return Ok(0);
    }
    for path in &done.kept {
        screen.line(format_args!("kept: {}", path.display()))?;
    }
    screen.line(format_args!("record {}: {}", done.record.seq, done.record.detail))?;
    Ok(0)
}

/// What `--json` prints. What cannot be read has no marks, and `why` says so.
fn report(memory: &Memory, settings: &Settings, trust: &TrustFile, done: Option<&Done>) -> Value {
    let marks = |said: Result<Option<&Said>, &String>| match said {
        Err(why) => json!({"why": why}),
        Ok(said) => {
            let marks = said.and_then(|it| it.high_water.as_ref());
            json!({
                "head": marks.map(|it| it.head.to_string()),
                "policyVersion": marks.map(|it| it.policy_version),
                "usedApprovals": marks.map(|it| it.spent.len()),
                "generation": said.map(|it| it.generation),
            })
        }
    };
    json!({
        "done": done.is_some(),
        "state": settings.state.display().to_string(),
        "forgets": marks(memory.state.as_ref().map(Some)),
        "witness": memory.witness_path.display().to_string(),
        "witnessForgets": marks(memory.witness.as_ref().map(Option::as_ref)),
        "anchor": trust.root.anchor.commit.to_string(),
        "kept": done.map(|it| it.kept.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()),
        "record": done.map(|it| it.record.seq),
    })
}

fn show(
    memory: &Memory,
    settings: &Settings,
    trust: &TrustFile,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let anchor = &trust.root.anchor.commit;
    let floors = &trust.root.floors;
    let version = floors.policy_version;
    let floor =
        if version > 0 { format!(", policy version from {version}") } else { String::new() };
    let time = floors.not_before.map(|it| format!(", no head before {it}")).unwrap_or_default();
    let witness = match &memory.witness {
        Ok(Some(said)) => in_words(said),
        Ok(None) => "nothing".to_owned(),
        Err(why) => why.clone(),
    };
    screen.table(&[
        ("state", settings.state.display().to_string()),
        ("forgets", memory.state.as_ref().map_or_else(Clone::clone, in_words)),
        ("witness", memory.witness_path.display().to_string()),
        ("forgets", witness),
        ("begins at", format!("{anchor}, the anchor of {}{floor}{time}", settings.trust.display())),
    ])
}

fn in_words(said: &Said) -> String {
    let Some(marks) = &said.high_water else {
        return format!("nothing verified; generation {} stays", said.generation);
    };
    let (head, policy) = (&marks.head, marks.policy_version);
    let used = marks.spent.len();
    format!(
        "verified to {head}, policy version {policy}, {used} used approvals; generation {} stays",
        said.generation
    )
}

fn refused(failure: NoReset) -> Failure {
    let hint = match &failure {
        NoReset::NotTheOwner { .. } => "sudo bowline trust reset",
        NoReset::Lock(LockFailure::Taken { .. }) => {
            "stop the agent first: systemctl stop bowline-agent"
        }
        NoReset::NoState { .. } => "where nothing was kept nothing is to be forgotten",
        _ => "",
    };
    match failure {
        NoReset::NoState { .. } => Failure::usage(failure).hint(hint),
        NoReset::State(_) | NoReset::NoKey { .. } => Failure::tampered(failure),
        other => Failure::failed(other).hint(hint),
    }
}
